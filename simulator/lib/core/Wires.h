// Values on their way from a unit to those that sample them, in a program whose
// streams are wired (Wiring.h): the rows of a chip's image, and registers, which
// are used again as soon as nobody will look at their value any more.
#pragma once

#include "VectorValue.h"

#include <cstdint>
#include <vector>

namespace lpu::sim {

/// Where a burst finds what one of its samples takes; copies find neighbours.
struct Source {
  enum class Kind : std::uint8_t {
    Image, ///< `where`: bytes from the start of the chip's image; copies are `stride` bytes apart
    Row,   ///< `where`: register of rows
    Plane, ///< `where`: register of 32-bit lanes, of which this is byte `plane`
  };
  Kind kind = Kind::Row;
  std::int8_t plane = 0;
  std::int32_t stride = 0;
  std::uint64_t where = 0;
};

/// The registers of one chip. A register that nobody has written yet holds zeros.
struct Registers {
  static constexpr std::uint32_t kNobody = UINT32_MAX; ///< register of a value that nobody samples

  std::vector<VectorValue> rows, words;
  const std::uint8_t *image = nullptr; ///< the chip's constants

  /// At least this many, those of rows from `rowPool`.
  void grow(std::size_t rowCount, VectorPool &rowPool, std::size_t wordCount, VectorPool &wordPool);
  const std::uint8_t *imageRow(const Source &source, std::int32_t copy) const {
    return image + source.where + static_cast<std::ptrdiff_t>(copy) * source.stride;
  }
  VectorValue value(const Source &source, std::int32_t copy) const {
    switch (source.kind) {
    case Source::Kind::Image:
      return VectorValue::view(imageRow(source, copy));
    case Source::Kind::Row:
      return rows[source.where + copy];
    default:
      return VectorValue::planeOf(words[source.where + copy], source.plane);
    }
  }
};

} // namespace lpu::sim
