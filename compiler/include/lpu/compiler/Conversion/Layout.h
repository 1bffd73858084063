// How the elements of a row vector are dealt over machine vectors and lanes.
#pragma once

#include <algorithm>
#include <cstdint>

namespace lpu::compiler {

/// Plain: element i is lane i mod lanes of vector i / lanes.
/// Heads: each vector holds whole heads, floor(lanes / headDim) of them, so that
/// a head's lanes never straddle vectors. Several heads may share a source head
/// (grouped queries: head h comes from source head h / group), and `swap`
/// exchanges the elements of each rope pair (2i, 2i+1).
struct Layout {
  std::int64_t lanes = 320;  ///< of the machine
  std::int64_t elements = 0; ///< plain: how many; heads: heads · headDim
  std::int64_t headDim = 0;  ///< 0: plain
  std::int64_t group = 1;
  bool swap = false;

  static Layout plain(std::int64_t lanes, std::int64_t elements) { return {lanes, elements, 0, 1, false}; }
  static Layout heads(std::int64_t lanes, std::int64_t heads, std::int64_t headDim, std::int64_t group = 1, bool swap = false) {
    return {lanes, heads * headDim, headDim, group, swap};
  }
  /// Elements that share a vector.
  std::int64_t perVector() const { return headDim ? lanes / headDim * headDim : lanes; }
  std::int64_t vectors() const { return (elements + perVector() - 1) / perVector(); }
  std::int64_t lanesUsed(std::int64_t vector) const { return std::min(perVector(), elements - vector * perVector()); }
  /// Source element in a lane, −1 for an unused lane.
  std::int64_t source(std::int64_t vector, std::int64_t lane) const {
    if (lane >= lanesUsed(vector))
      return -1;
    std::int64_t element = vector * perVector() + lane;
    if (!headDim)
      return element;
    std::int64_t d = element % headDim;
    return element / headDim / group * headDim + (swap ? d ^ 1 : d);
  }
  bool operator==(const Layout &) const = default;
};

} // namespace lpu::compiler
