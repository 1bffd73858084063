// The structure of a safetensors file: a JSON table of tensors, then their bytes.
// Everything is checked when opened, values are decoded on demand.
// Source of the format: the description in the huggingface/safetensors repository.
#pragma once

#include "lpu/compiler/Support/MappedFile.h"
#include "lpu/isa/Result.h"

#include <array>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace lpu::compiler {

/// Element types that can be read.
/// (I32 stands for U32, too: words of packed integers.)
enum class SafetensorsType : std::uint8_t { F32, F16, BF16, I8, I32, I64, Other };

struct SafetensorsTensor {
  std::string name;
  SafetensorsType type = SafetensorsType::Other;
  std::string typeName;             ///< as in the file
  std::vector<std::uint64_t> shape; ///< slowest dimension first; empty: a scalar
  std::uint64_t offset = 0;         ///< first byte in the file
  std::uint64_t bytes = 0;

  /// [rows, cols], or [cols] for one row.
  bool hasShape(std::uint64_t rows, std::uint64_t cols) const;
};

class SafetensorsFile {
public:
  /// Opens and checks: length and structure of the table, element types against lengths, every range against the
  /// size of the file, and that ranges do not overlap.
  static Result<std::shared_ptr<const SafetensorsFile>> open(const std::string &path);

  const std::string &path() const { return filePath; }
  /// Sorted by name.
  std::span<const SafetensorsTensor> tensors() const { return table; }
  const SafetensorsTensor *find(std::string_view name) const;
  std::span<const std::uint8_t> data(const SafetensorsTensor &tensor) const {
    return file->bytes().subspan(tensor.offset, tensor.bytes);
  }
  /// Values of an F32, F16 or BF16 tensor from number `first` on as fp32.
  void decode(const SafetensorsTensor &tensor, std::uint64_t first, std::span<float> out) const;

private:
  SafetensorsFile() = default;

  std::string filePath;
  std::shared_ptr<const MappedFile> file;
  std::vector<SafetensorsTensor> table;
};

} // namespace lpu::compiler
