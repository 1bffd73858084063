// NumPy's .npy files, format 1.0: what the tools write (float32) and read (token ids, matrices row by row).
#ifndef LPU_ISA_NPY_H
#define LPU_ISA_NPY_H

#include "lpu/isa/Result.h"

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <span>
#include <string>
#include <vector>

namespace lpu {

/// A float32 array in C order.
Status writeNpy(const std::string &path, std::span<const float> values, std::span<const std::size_t> shape);
Status writeNpy(const std::string &path, std::span<const float> values, std::size_t rows, std::size_t columns);
/// The bytes that writeNpy writes.
std::string npyBytes(std::span<const float> values, std::span<const std::size_t> shape);

/// Whole numbers of an .npy file: int32 or int64, [n] or [1, n]. Error: anything else.
Result<std::vector<std::int64_t>> readNpyNumbers(const std::string &path);

/// A float32 matrix, read row by row: logits of a long text need not fit memory.
class NpyRows {
public:
  /// A file as writeNpy makes it. Error: anything else.
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

} // namespace lpu

#endif // LPU_ISA_NPY_H
