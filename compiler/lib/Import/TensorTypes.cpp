// Decoding of tensor data. A new encoding is one function and one row of `kTypes`.
// Layouts: ggml's block structures. Q8_0: fp16 scale, 32 int8. Q4_0: fp16 scale,
// 16 bytes; low nibbles are values 0..15, high nibbles 16..31, each minus 8.

#include "lpu/compiler/Import/TensorTypes.h"

#include "lpu/isa/Numerics.h"

#include <array>
#include <cstring>

namespace lpu::compiler {
namespace {

float halfAt(const std::uint8_t *p) { return isa::halfToFloat(static_cast<std::uint16_t>(p[0] | p[1] << 8)); }

void decodeF32(std::span<const std::uint8_t> in, std::span<float> out) {
  std::memcpy(out.data(), in.data(), out.size_bytes());
}

void decodeF16(std::span<const std::uint8_t> in, std::span<float> out) {
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = halfAt(&in[2 * i]);
}

void decodeQ8_0(std::span<const std::uint8_t> in, std::span<float> out) {
  for (std::size_t block = 0; block < out.size() / 32; ++block) {
    const std::uint8_t *p = &in[block * 34];
    float scale = halfAt(p);
    for (int i = 0; i < 32; ++i)
      out[block * 32 + i] = scale * static_cast<float>(static_cast<std::int8_t>(p[2 + i]));
  }
}

void decodeQ4_0(std::span<const std::uint8_t> in, std::span<float> out) {
  for (std::size_t block = 0; block < out.size() / 32; ++block) {
    const std::uint8_t *p = &in[block * 18];
    float scale = halfAt(p);
    for (int i = 0; i < 16; ++i) {
      out[block * 32 + i] = scale * static_cast<float>((p[2 + i] & 15) - 8);
      out[block * 32 + 16 + i] = scale * static_cast<float>((p[2 + i] >> 4) - 8);
    }
  }
}

constexpr std::array<TensorType, 4> kTypes{{
    {0, "F32", 1, 4, decodeF32},
    {1, "F16", 1, 2, decodeF16},
    {8, "Q8_0", 32, 34, decodeQ8_0},
    {2, "Q4_0", 32, 18, decodeQ4_0},
}};

/// Names of encodings that exist but cannot be read, so that an error can name them.
struct KnownName {
  std::uint32_t number;
  std::string_view name;
};
constexpr std::array<KnownName, 18> kOthers{{
    {3, "Q4_1"},
    {6, "Q5_0"},
    {7, "Q5_1"},
    {9, "Q8_1"},
    {10, "Q2_K"},
    {11, "Q3_K"},
    {12, "Q4_K"},
    {13, "Q5_K"},
    {14, "Q6_K"},
    {15, "Q8_K"},
    {16, "IQ2_XXS"},
    {20, "IQ4_NL"},
    {23, "IQ4_XS"},
    {24, "I8"},
    {26, "I32"},
    {28, "F64"},
    {30, "BF16"},
    {39, "MXFP4"},
}};

} // namespace

const TensorType *findTensorType(std::uint32_t number) {
  for (const TensorType &type : kTypes)
    if (type.number == number)
      return &type;
  return nullptr;
}

std::string tensorTypeName(std::uint32_t number) {
  if (const TensorType *type = findTensorType(number))
    return std::string(type->name);
  for (const KnownName &other : kOthers)
    if (other.number == number)
      return std::string(other.name);
  return "type " + std::to_string(number);
}

std::string supportedTensorTypes() {
  std::string names;
  for (const TensorType &type : kTypes)
    names += (names.empty() ? "" : ", ") + std::string(type.name);
  return names;
}

} // namespace lpu::compiler
