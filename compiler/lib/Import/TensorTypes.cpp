// The table of encodings that can be read. A new one is a decoder (simple and
// 32-value encodings here, 256-value "K" encodings in KQuants.cpp) and one row of
// `kTypes`. Layouts are ggml's block structures. Products of an fp16 scale with
// the few bits of a value are exact in fp32, so one rounding at most, in the sum
// with a minimum, decides a value: the order of operations cannot matter.

#include "lpu/compiler/Import/TensorTypes.h"

#include "Blocks.h"

#include <array>
#include <bit>
#include <cstring>

namespace lpu::compiler {
namespace {

using Bytes = std::span<const std::uint8_t>;

void decodeF32(Bytes in, std::span<float> out) { std::memcpy(out.data(), in.data(), out.size_bytes()); }

void decodeF16(Bytes in, std::span<float> out) {
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = halfAt(&in[2 * i]);
}

void decodeBF16(Bytes in, std::span<float> out) {
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = std::bit_cast<float>(std::uint32_t{in[2 * i]} << 16 | std::uint32_t{in[2 * i + 1]} << 24);
}

void decodeQ8_0(Bytes in, std::span<float> out) {
  for (std::size_t block = 0; block < out.size() / 32; ++block) {
    const std::uint8_t *p = &in[block * 34];
    float scale = halfAt(p);
    for (int i = 0; i < 32; ++i)
      out[block * 32 + i] = scale * static_cast<float>(static_cast<std::int8_t>(p[2 + i]));
  }
}

/// Q4_0, Q4_1, Q5_0, Q5_1: fp16 scale, fp16 minimum (the _1 types), 32 fifth bits (the Q5 types), 16 bytes whose low
/// nibbles are values 0..15 and high nibbles 16..31. Without a minimum, half of the range is subtracted.
template <int Bits, bool HasMin> void decodeNibbles(Bytes in, std::span<float> out) {
  constexpr int kHighAt = HasMin ? 4 : 2, kNibblesAt = kHighAt + (Bits == 5 ? 4 : 0), kBlock = kNibblesAt + 16;
  constexpr int kCenter = HasMin ? 0 : 1 << (Bits - 1);
  for (std::size_t block = 0; block < out.size() / 32; ++block) {
    const std::uint8_t *p = &in[block * kBlock];
    float scale = halfAt(p), low = HasMin ? halfAt(p + 2) : 0.0f;
    std::uint32_t high = 0;
    if constexpr (Bits == 5)
      std::memcpy(&high, p + kHighAt, 4);
    for (int i = 0; i < 32; ++i) {
      int nibble = i < 16 ? p[kNibblesAt + i] & 15 : p[kNibblesAt + i - 16] >> 4;
      float product = scale * static_cast<float>((nibble | static_cast<int>(high >> i & 1) << 4) - kCenter);
      out[block * 32 + i] = HasMin ? product + low : product;
    }
  }
}

constexpr std::array<TensorType, 15> kTypes{{
    {0, "F32", 1, 4, decodeF32},
    {1, "F16", 1, 2, decodeF16},
    {30, "BF16", 1, 2, decodeBF16},
    {8, "Q8_0", 32, 34, decodeQ8_0},
    {2, "Q4_0", 32, 18, decodeNibbles<4, false>},
    {3, "Q4_1", 32, 20, decodeNibbles<4, true>},
    {6, "Q5_0", 32, 22, decodeNibbles<5, false>},
    {7, "Q5_1", 32, 24, decodeNibbles<5, true>},
    {10, "Q2_K", 256, 84, decodeQ2K},
    {11, "Q3_K", 256, 110, decodeQ3K},
    {12, "Q4_K", 256, 144, decodeQ4K},
    {13, "Q5_K", 256, 176, decodeQ5K},
    {14, "Q6_K", 256, 210, decodeQ6K},
    {20, "IQ4_NL", 32, 18, decodeIQ4NL},
    {23, "IQ4_XS", 256, 136, decodeIQ4XS},
}};

/// Names of encodings that exist but cannot be read, so that an error can name them.
struct KnownName {
  std::uint32_t number;
  std::string_view name;
};
constexpr std::array<KnownName, 17> kOthers{{
    {9, "Q8_1"},
    {15, "Q8_K"},
    {16, "IQ2_XXS"},
    {17, "IQ2_XS"},
    {18, "IQ3_XXS"},
    {19, "IQ1_S"},
    {21, "IQ3_S"},
    {22, "IQ2_S"},
    {24, "I8"},
    {25, "I16"},
    {26, "I32"},
    {27, "I64"},
    {28, "F64"},
    {29, "IQ1_M"},
    {34, "TQ1_0"},
    {35, "TQ2_0"},
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
