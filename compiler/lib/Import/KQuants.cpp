// Decoding of ggml's 256-value encodings. Q4_K and Q5_K hold eight groups of 32,
// each with a 6-bit scale and a 6-bit minimum that multiply two fp16 factors of
// the block; Q6_K holds sixteen groups of 16, each with an int8 scale that
// multiplies one fp16 factor. Every product is exact in fp32 (at most 11 + 7 + 6
// bits), only the subtraction of a minimum rounds.

#include "Blocks.h"

namespace lpu::compiler {
namespace {

struct ScaleMin {
  int scale, min;
};

/// Group `g` of the 12 bytes that pack eight 6-bit scales and minima: bytes 0..3 and 4..7 hold those of the first four
/// groups in their low six bits, and on top the two high bits of the last four, whose low nibbles are bytes 8..11.
ScaleMin scaleMinAt(const std::uint8_t *p, int g) {
  if (g < 4)
    return {p[g] & 63, p[4 + g] & 63};
  return {(p[4 + g] & 15) | p[g - 4] >> 6 << 4, p[4 + g] >> 4 | p[g] >> 6 << 4};
}

/// fp16 factor of the scales, fp16 factor of the minima, 12 bytes of both, with five bits 32 bytes of fifth bits (bit g
/// of byte i belongs to value i of group g), 128 bytes: group 2k in the low nibbles of bytes 32k.., group 2k + 1 in the
/// high ones.
template <int Bits> void decodeGroups(std::span<const std::uint8_t> in, std::span<float> out) {
  constexpr int kHighAt = 16, kNibblesAt = kHighAt + (Bits == 5 ? 32 : 0), kBlock = kNibblesAt + 128;
  for (std::size_t block = 0; block < out.size() / 256; ++block) {
    const std::uint8_t *p = &in[block * kBlock];
    float factor = halfAt(p), minFactor = halfAt(p + 2);
    for (int g = 0; g < 8; ++g) {
      ScaleMin group = scaleMinAt(p + 4, g);
      float scale = factor * static_cast<float>(group.scale), min = minFactor * static_cast<float>(group.min);
      const std::uint8_t *nibbles = p + kNibblesAt + g / 2 * 32;
      for (int i = 0; i < 32; ++i) {
        int q = g % 2 ? nibbles[i] >> 4 : nibbles[i] & 15;
        if constexpr (Bits == 5)
          q |= (p[kHighAt + i] >> g & 1) << 4;
        out[block * 256 + g * 32 + i] = scale * static_cast<float>(q) - min;
      }
    }
  }
}

} // namespace

void decodeQ4K(std::span<const std::uint8_t> in, std::span<float> out) { decodeGroups<4>(in, out); }
void decodeQ5K(std::span<const std::uint8_t> in, std::span<float> out) { decodeGroups<5>(in, out); }

/// 128 bytes of low nibbles, 64 bytes of high pairs, 16 int8 scales, fp16 factor. Each half of the block, 128 values,
/// has four runs of 32: low nibbles of its first and second 32 bytes, then their high nibbles; run r takes bits 2r and
/// 2r + 1 of the half's 32 bytes of pairs. 32 is subtracted.
void decodeQ6K(std::span<const std::uint8_t> in, std::span<float> out) {
  for (std::size_t block = 0; block < out.size() / 256; ++block) {
    const std::uint8_t *p = &in[block * 210];
    float factor = halfAt(p + 208);
    for (int v = 0; v < 256; ++v) {
      int half = v / 128, run = v % 128 / 32, i = v % 32;
      std::uint8_t byte = p[half * 64 + run % 2 * 32 + i];
      int low = run < 2 ? byte & 15 : byte >> 4, high = p[128 + half * 32 + i] >> 2 * run & 3;
      float scale = factor * static_cast<float>(static_cast<std::int8_t>(p[192 + v / 16]));
      out[block * 256 + v] = scale * static_cast<float>((low | high << 4) - 32);
    }
  }
}

} // namespace lpu::compiler
