// The encodings of tensor data that can be read, one row of a table each.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace lpu::compiler {

/// An encoding stores `blockValues` values in `blockBytes` bytes.
struct TensorType {
  std::uint32_t number; ///< ggml type number
  std::string_view name;
  std::uint32_t blockValues, blockBytes;
  /// Decodes whole blocks; out.size() is a multiple of blockValues.
  void (*decode)(std::span<const std::uint8_t> in, std::span<float> out);
};

/// nullptr when the encoding is not supported.
const TensorType *findTensorType(std::uint32_t number);
/// "Q2_K", or "type 77" for numbers without a known name.
std::string tensorTypeName(std::uint32_t number);
/// "F32, F16, …", as errors list them.
std::string supportedTensorTypes();

} // namespace lpu::compiler
