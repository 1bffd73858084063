// Makes GGUF files for tests, good and bad: entries and tensors in order, every
// field overridable.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace lpu::test {

class GgufBuilder {
public:
  using Bytes = std::vector<std::uint8_t>;
  struct Entry {
    std::string key;
    std::uint32_t kind;
    Bytes value;
  };
  struct Tensor {
    std::string name;
    std::vector<std::uint64_t> dims; ///< fastest first
    std::uint32_t type;
    Bytes data;
    std::int64_t offset = -1; ///< −1: the next aligned one
  };

  std::string magic = "GGUF";
  std::uint32_t version = 3;
  std::int64_t keyCount = -1, tensorCount = -1; ///< −1: the true ones
  std::uint64_t alignment = 32;                 ///< of the data; write the key yourself
  std::vector<Entry> entries;
  std::vector<Tensor> tensors;

  /// Replaces or appends an entry. `kind` is GGUF's number.
  GgufBuilder &set(const std::string &key, std::uint32_t kind, Bytes value);
  GgufBuilder &u32(const std::string &key, std::uint32_t value) { return set(key, 4, raw(value)); }
  GgufBuilder &f32(const std::string &key, float value) { return set(key, 6, raw(value)); }
  GgufBuilder &boolean(const std::string &key, bool value) { return set(key, 7, {value}); }
  GgufBuilder &string(const std::string &key, const std::string &value) { return set(key, 8, text(value)); }
  GgufBuilder &strings(const std::string &key, const std::vector<std::string> &values);
  GgufBuilder &floats(const std::string &key, const std::vector<float> &values);
  GgufBuilder &ints(const std::string &key, const std::vector<std::int32_t> &values);
  GgufBuilder &erase(const std::string &key);

  /// Replaces or appends a tensor.
  GgufBuilder &tensor(const std::string &name, std::vector<std::uint64_t> dims, std::uint32_t type, Bytes data);
  GgufBuilder &tensorF32(const std::string &name, std::vector<std::uint64_t> dims, const std::vector<float> &values);
  GgufBuilder &eraseTensor(const std::string &name);
  Tensor &at(const std::string &name);

  Bytes bytes() const;
  /// Offset of the first byte after the tensor table in bytes().
  std::size_t headerSize() const;

  template <typename T> static Bytes raw(T value) {
    Bytes out(sizeof(T));
    std::memcpy(out.data(), &value, sizeof(T));
    return out;
  }
  static Bytes text(const std::string &value);

private:
  Bytes header() const;
};

/// A complete Llama with small pseudo-random weights. F32 unless another type is set with `tensor`.
struct TinyLlama {
  std::uint32_t layers = 2, hidden = 32, heads = 4, kvHeads = 2, headDim = 8, ffn = 24, vocabulary = 20, context = 128;
  bool tied = false, ropeFreqs = false, tokenizer = true;
  std::uint32_t seed = 1;
  std::string architecture = "llama";
  GgufBuilder build() const;
};

void writeFile(const std::string &path, const GgufBuilder::Bytes &bytes);
/// A path in a folder of this process, which is removed when it ends.
std::string temporaryPath(const std::string &name);

} // namespace lpu::test
