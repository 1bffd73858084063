// Decoders of block encodings, shared between TensorTypes.cpp and KQuants.cpp.
#pragma once

#include "lpu/isa/Numerics.h"

#include <cstdint>
#include <span>

namespace lpu::compiler {

inline float halfAt(const std::uint8_t *p) { return isa::halfToFloat(static_cast<std::uint16_t>(p[0] | p[1] << 8)); }

// Blocks of 256 values; the contract is TensorType::decode's.
void decodeQ2K(std::span<const std::uint8_t> in, std::span<float> out);
void decodeQ3K(std::span<const std::uint8_t> in, std::span<float> out);
void decodeIQ4XS(std::span<const std::uint8_t> in, std::span<float> out);
void decodeIQ4NL(std::span<const std::uint8_t> in, std::span<float> out); // of 32
void decodeQ4K(std::span<const std::uint8_t> in, std::span<float> out);
void decodeQ5K(std::span<const std::uint8_t> in, std::span<float> out);
void decodeQ6K(std::span<const std::uint8_t> in, std::span<float> out);

} // namespace lpu::compiler
