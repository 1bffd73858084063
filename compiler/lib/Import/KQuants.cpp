// Decoding of ggml's 256-value encodings. Q4_K and Q5_K hold eight groups of 32,
// each with a 6-bit scale and a 6-bit minimum that multiply two fp16 factors of
// the block; Q6_K holds sixteen groups of 16, each with an int8 scale that
// multiplies one fp16 factor, as do Q2_K (4-bit scales and minima) and Q3_K (6-bit
// scales); IQ4_NL and IQ4_XS look their values up. Every product is exact in fp32
// (at most 11 + 7 + 6 bits), only the subtraction of a minimum rounds.

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

/// 16 bytes, each a 4-bit scale and above it a 4-bit minimum of 16 values, 64 bytes of pairs, fp16 factors of scales
/// and of minima. Each half of the block has four runs of 32: run r takes bits 2r and 2r + 1 of the half's 32 bytes.
void decodeQ2K(std::span<const std::uint8_t> in, std::span<float> out) {
  for (std::size_t block = 0; block < out.size() / 256; ++block) {
    const std::uint8_t *p = &in[block * 84];
    float factor = halfAt(p + 80), minFactor = halfAt(p + 82);
    for (int v = 0; v < 256; ++v) {
      int half = v / 128, run = v % 128 / 32, q = p[16 + half * 32 + v % 32] >> 2 * run & 3;
      float scale = factor * static_cast<float>(p[v / 16] & 15), min = minFactor * static_cast<float>(p[v / 16] >> 4);
      out[block * 256 + v] = scale * static_cast<float>(q) - min;
    }
  }
}

/// 32 bytes of third bits, 64 bytes of pairs as Q2_K's, 12 bytes of sixteen 6-bit scales, fp16 factor. The third bit of
/// value i of run r of half h is bit 4h + r of byte i. Scales 0..7 have their low nibbles in the low halves of bytes
/// 0..7, scales 8..15 in the high ones; scale s has its high pair in byte 8 + s mod 4 at bit 2(s / 4). 32 is subtracted
/// from scales, 4 from values.
void decodeQ3K(std::span<const std::uint8_t> in, std::span<float> out) {
  for (std::size_t block = 0; block < out.size() / 256; ++block) {
    const std::uint8_t *p = &in[block * 110], *scales = p + 96;
    float factor = halfAt(p + 108);
    for (int v = 0; v < 256; ++v) {
      int half = v / 128, run = v % 128 / 32, i = v % 32, s = v / 16;
      int q = (p[32 + half * 32 + i] >> 2 * run & 3) | (p[i] >> (4 * half + run) & 1) << 2;
      int low = s < 8 ? scales[s] & 15 : scales[s - 8] >> 4, high = scales[8 + s % 4] >> 2 * (s / 4) & 3;
      out[block * 256 + v] = factor * static_cast<float>((low | high << 4) - 32) * static_cast<float>(q - 4);
    }
  }
}

/// The sixteen values that four bits stand for in the IQ4 encodings.
static constexpr float kUneven[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

/// Blocks of 32: fp16 scale, 16 bytes whose low nibbles are values 0..15 and high nibbles 16..31.
void decodeIQ4NL(std::span<const std::uint8_t> in, std::span<float> out) {
  for (std::size_t v = 0; v < out.size(); ++v) {
    const std::uint8_t *p = &in[v / 32 * 18];
    std::uint8_t byte = p[2 + v % 16];
    out[v] = halfAt(p) * kUneven[v % 32 < 16 ? byte & 15 : byte >> 4];
  }
}

/// fp16 factor, two bytes of high pairs and four of low nibbles of eight 6-bit scales, from which 32 is subtracted,
/// 128 bytes: a group of 32 values is 16 of them, as in IQ4_NL.
void decodeIQ4XS(std::span<const std::uint8_t> in, std::span<float> out) {
  for (std::size_t block = 0; block < out.size() / 256; ++block) {
    const std::uint8_t *p = &in[block * 136];
    int pairs = p[2] | p[3] << 8;
    for (int v = 0; v < 256; ++v) {
      int group = v / 32, low = p[4 + group / 2] >> 4 * (group % 2) & 15, high = pairs >> 2 * group & 3;
      std::uint8_t byte = p[8 + group * 16 + v % 16];
      float scale = halfAt(p) * static_cast<float>((low | high << 4) - 32);
      out[block * 256 + v] = scale * kUneven[v % 32 < 16 ? byte & 15 : byte >> 4];
    }
  }
}

} // namespace lpu::compiler
