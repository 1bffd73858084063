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
///
/// A row vector of `total` elements may be cut into `shards` equal pieces, one per
/// chip of a group; the last pieces are padded. A chip lays out its own piece, or,
/// `gathered`, all of them: its own, then those of the shards behind it in turn. So
/// the chips of a group do the same on different elements.
struct Layout {
  std::int64_t lanes = 320;  ///< of the machine
  std::int64_t elements = 0; ///< of one piece; heads: heads · headDim
  std::int64_t headDim = 0;  ///< 0: plain
  std::int64_t group = 1;
  bool swap = false;
  std::int64_t shards = 1;
  std::int64_t total = 0; ///< of all pieces
  bool gathered = false;

  static Layout plain(std::int64_t lanes, std::int64_t elements) { return {lanes, elements, 0, 1, false, 1, elements, false}; }
  static Layout heads(std::int64_t lanes, std::int64_t heads, std::int64_t headDim, std::int64_t group = 1, bool swap = false) {
    return {lanes, heads * headDim, headDim, group, swap, 1, heads * headDim, false};
  }
  /// The piece of `wholeElements` elements that a chip of a group of `count` holds.
  Layout pieceOf(std::int64_t wholeElements, std::int64_t count) const {
    Layout piece = *this;
    piece.shards = count, piece.total = wholeElements;
    return piece;
  }
  Layout gather() const {
    Layout all = *this;
    all.gathered = true;
    return all;
  }

  /// Elements that share a vector.
  std::int64_t perVector() const { return headDim ? lanes / headDim * headDim : lanes; }
  std::int64_t pieceVectors() const { return (elements + perVector() - 1) / perVector(); }
  std::int64_t vectors() const { return gathered ? shards * pieceVectors() : pieceVectors(); }
  std::int64_t lanesUsed(std::int64_t vector) const { return std::min(perVector(), elements - vector % pieceVectors() * perVector()); }
  /// Source element in a lane on shard `shard` (modulo shards), −1 for an unused lane and for padding.
  std::int64_t source(std::int64_t vector, std::int64_t lane, std::int64_t shard = 0) const {
    if (lane >= lanesUsed(vector))
      return -1;
    std::int64_t owner = (shard + vector / pieceVectors()) % shards;
    std::int64_t element = owner * elements + vector % pieceVectors() * perVector() + lane;
    if (element >= total)
      return -1;
    if (!headDim)
      return element;
    std::int64_t d = element % headDim;
    return element / headDim / group * headDim + (swap ? d ^ 1 : d);
  }
  bool operator==(const Layout &) const = default;
};

} // namespace lpu::compiler
