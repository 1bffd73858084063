// Reads a float32 matrix from an .npy file row by row: logits of a long text need not fit memory.
#pragma once

#include "lpu/isa/Result.h"

#include <cstddef>
#include <fstream>
#include <string>
#include <vector>

namespace lpu::rt {

class NpyRows {
public:
  /// A file as npyBytes makes it. Error: anything else.
  static Result<NpyRows> open(const std::string &path);
  std::size_t rows() const { return height; }
  std::size_t columns() const { return width; }
  /// The next row; the file must hold another.
  Status next(std::vector<float> &row);

private:
  std::string path;
  std::ifstream file;
  std::size_t height = 0, width = 0;
};

} // namespace lpu::rt
