// The structure of a GGUF file (versions 2 and 3, little-endian): metadata and
// tensor table, checked completely when opened, values decoded on demand.
// Source of the format: the GGUF specification in the ggml repository.
#pragma once

#include "lpu/compiler/Support/MappedFile.h"
#include "lpu/isa/Result.h"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lpu::compiler {

/// Kinds of metadata values, numbered as in the file.
enum class GgufKind : std::uint32_t { U8, I8, U16, I16, U32, I32, F32, Bool, String, Array, U64, I64, F64 };
std::string_view ggufKindName(GgufKind kind);

/// One metadata entry. The value stays in the file: `offset` is its first byte.
struct GgufEntry {
  std::string_view key;
  GgufKind kind = GgufKind::U8;
  std::uint64_t offset = 0;
  /// Arrays only: kind and number of elements, `offset` then is the first element.
  GgufKind elementKind = GgufKind::U8;
  std::uint64_t count = 0;
};

/// One row of the tensor table.
struct GgufTensor {
  std::string_view name;
  std::uint32_t type = 0;           ///< ggml type number, see TensorTypes.h
  std::uint64_t rows = 1, cols = 1; ///< cols is the fastest dimension; rows the product of the others
  std::uint32_t dimensions = 1;
  std::uint64_t offset = 0; ///< first byte in the file
  std::uint64_t bytes = 0;
};

/// Text from a file as it may stand in an error: quoted, control characters escaped, cut at 64 bytes.
std::string quote(std::string_view text);

class GgufFile {
public:
  /// Opens and checks: magic, version, every count, length and offset against the size of the file before
  /// anything is allocated, key and tensor names (non-empty, unique), alignment, tensor types and ranges.
  static Result<std::shared_ptr<const GgufFile>> open(const std::string &path);

  const std::string &path() const { return filePath; }
  std::uint32_t version() const { return fileVersion; }
  std::span<const GgufEntry> entries() const { return metadata; }
  std::span<const GgufTensor> tensors() const { return table; }
  const GgufEntry *find(std::string_view key) const;
  const GgufTensor *findTensor(std::string_view name) const;
  std::span<const std::uint8_t> data(const GgufTensor &tensor) const {
    return file->bytes().subspan(tensor.offset, tensor.bytes);
  }

  /// Values by key: nothing when the key is absent, an error when its kind is another or the value out of range.
  Result<std::optional<std::uint64_t>> unsignedValue(std::string_view key, std::uint64_t max) const;
  Result<std::optional<double>> floatValue(std::string_view key) const;
  Result<std::optional<bool>> boolValue(std::string_view key) const;
  Result<std::optional<std::string_view>> stringValue(std::string_view key) const;
  Result<std::optional<std::vector<std::string>>> stringArray(std::string_view key, std::uint64_t max) const;
  Result<std::optional<std::vector<float>>> floatArray(std::string_view key, std::uint64_t max) const;
  Result<std::optional<std::vector<std::int32_t>>> intArray(std::string_view key, std::uint64_t max) const;

private:
  friend class GgufParser;
  GgufFile() = default;
  Result<const GgufEntry *> arrayEntry(std::string_view key, GgufKind kind, std::uint64_t max) const;
  Error wrongKind(const GgufEntry &entry, std::string_view expected) const;

  std::string filePath;
  std::shared_ptr<const MappedFile> file;
  std::uint32_t fileVersion = 0;
  std::vector<GgufEntry> metadata; ///< sorted by key
  std::vector<GgufTensor> table;   ///< sorted by name
};

} // namespace lpu::compiler
