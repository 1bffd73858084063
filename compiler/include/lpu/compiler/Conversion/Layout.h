// How the elements of a row vector are dealt over machine vectors and lanes.
#pragma once

#include <algorithm>
#include <cstdint>

namespace lpu::compiler {

/// Plain: element i is lane i mod lanes of vector i / lanes.
/// Heads: each vector holds whole heads in slots of headDim lanes, so that a head's lanes never straddle vectors.
/// Several heads may share a source head (grouped queries: head h comes from source head h / group), and `swap`
/// exchanges the elements of each rope pair (2i, 2i+1).
/// Tiles: query heads that share a KV head stand in the same slot of `interleave` successive vectors: vector
/// m · interleave + j holds head (m · slots + s) · interleave + j in slot s. KV heads are every `stride`th query
/// head's. With `halves` each vector is two: the first holds element 2i of every rope pair of a head, the second
/// element 2i+1 in the same lane. Packed tiles: the last vectors are taken apart, and their pieces fill the lanes that
/// the slots of the others leave.
///
/// A row vector of `total` elements may be cut into `shards` equal pieces, one per
/// chip of a group; the last pieces are padded. A chip lays out its own piece, or,
/// `gathered`, all of them: its own, then the first vectors of the shards behind it in
/// turn, then their second ones, as they arrive. So the chips of a group do the same on
/// different elements.
struct Layout {
  std::int64_t lanes = 320;  ///< of the machine
  std::int64_t elements = 0; ///< of one piece; heads: heads · headDim
  std::int64_t headDim = 0;  ///< 0: plain
  std::int64_t group = 1;
  bool swap = false;
  std::int64_t shards = 1;
  std::int64_t total = 0; ///< of all pieces; tiles: of all query heads
  bool gathered = false;
  std::int64_t interleave = 1, stride = 1;
  bool halves = false;
  std::int64_t slots = 0; ///< heads that share a vector; 0: as many as fit
  bool packed = false;
  std::int64_t slotLanes = 0; ///< of heads that do not fill their slots; 0: they do

  static Layout plain(std::int64_t lanes, std::int64_t elements) { return {lanes, elements, 0, 1, false, 1, elements}; }
  static Layout heads(std::int64_t lanes, std::int64_t heads, std::int64_t headDim, std::int64_t group = 1,
                      bool swap = false) {
    return {lanes, heads * headDim, headDim, group, swap, 1, heads * headDim};
  }
  /// Heads in slots of whole groups of 16 lanes, as tiles are loaded.
  static Layout headsInGroups(std::int64_t lanes, std::int64_t heads, std::int64_t headDim) {
    Layout layout = Layout::heads(lanes, heads, headDim);
    layout.slotLanes = headDim % 16 ? (headDim + 15) / 16 * 16 : 0;
    return layout;
  }
  /// `queries` query heads for each of `kvHeads` KV heads, slots dealt evenly over as few vectors as hold them; of
  /// halves, as many as fit when the two halves are brought together.
  static Layout queryTiles(std::int64_t lanes, std::int64_t kvHeads, std::int64_t queries, std::int64_t headDim,
                           bool halves) {
    std::int64_t most = halves ? lanes / headDim * 2 : lanes / headDim, vectors = (kvHeads + most - 1) / most,
                 all = kvHeads * queries * headDim;
    return {lanes, all, headDim, 1, false, 1, all, false, queries, 1, halves, (kvHeads + vectors - 1) / vectors};
  }
  /// Their keys or values; `group` query heads share one in the source, `queries` of them here.
  static Layout keyTiles(std::int64_t lanes, std::int64_t kvHeads, std::int64_t queries, std::int64_t group,
                         std::int64_t headDim, bool halves) {
    Layout layout = queryTiles(lanes, kvHeads, queries, headDim, halves);
    layout.elements = kvHeads * headDim, layout.group = group, layout.interleave = 1, layout.stride = queries;
    return layout;
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

  /// The same packed, if whole superlanes and whole pieces come out; else as it is.
  Layout pack() const {
    std::int64_t spare = lanes - perVector(), all = vectors(), kept = (elements + lanes - 1) / lanes;
    bool fits = slots && !halves && shards == 1 && spare > 0 && spare % 16 == 0 && perVector() % spare == 0 &&
                elements == all * perVector() && (all - kept) * (perVector() / spare) <= kept;
    Layout result = *this;
    result.packed = fits;
    return result;
  }
  /// Lanes of a packed vector that hold a piece of another one, behind its slots.
  std::int64_t spareLanes() const { return lanes - perVector(); }
  /// Pieces that a vector is taken apart into.
  std::int64_t piecesPerVector() const { return perVector() / spareLanes(); }

  /// Lanes of a slot.
  std::int64_t slotWidth() const { return slotLanes ? slotLanes : halves ? headDim / 2 : headDim; }
  std::int64_t slotsPerVector() const { return slots ? slots : lanes / (slotLanes ? slotLanes : headDim); }
  /// Lanes of a full vector.
  std::int64_t perVector() const { return headDim ? slotsPerVector() * slotWidth() : lanes; }
  std::int64_t pieceVectors() const {
    if (packed)
      return (elements + lanes - 1) / lanes;
    std::int64_t units = headDim ? elements / headDim / interleave : elements, per = headDim ? slotsPerVector() : lanes;
    return (units + per - 1) / per * interleave * (halves ? 2 : 1);
  }
  std::int64_t vectors() const { return gathered ? shards * pieceVectors() : pieceVectors(); }
  /// Which vector of its piece a vector is, and how many shards behind the own one that piece's owner stands.
  std::int64_t inPiece(std::int64_t vector) const {
    return vector < pieceVectors() ? vector : (vector - pieceVectors()) / (shards - 1);
  }
  std::int64_t behind(std::int64_t vector) const {
    return vector < pieceVectors() ? 0 : 1 + (vector - pieceVectors()) % (shards - 1);
  }
  /// The vector that is number `vector` of the piece `behind` shards behind.
  std::int64_t gatheredVector(std::int64_t vector, std::int64_t behind) const {
    return behind ? pieceVectors() + vector * (shards - 1) + behind - 1 : vector;
  }
  /// Slots in use in `vector`.
  std::int64_t slotsUsed(std::int64_t vector) const {
    std::int64_t first = inPiece(vector) / (halves ? 2 : 1) / interleave * slotsPerVector();
    return std::min(slotsPerVector(), elements / headDim / interleave - first);
  }
  std::int64_t lanesUsed(std::int64_t vector) const {
    if (packed)
      return vector < (elements / perVector() - vectors()) * piecesPerVector() ? lanes : perVector();
    return headDim ? slotsUsed(vector) * slotWidth() : std::min(lanes, elements - inPiece(vector) * lanes);
  }
  /// Source element in a lane on shard `shard` (modulo shards), −1 for an unused lane and for padding.
  std::int64_t source(std::int64_t vector, std::int64_t lane, std::int64_t shard = 0) const {
    if (lane >= lanesUsed(vector))
      return -1;
    if (packed && lane >= perVector()) {
      Layout apart = *this;
      apart.packed = false;
      return apart.source(vectors() + vector / piecesPerVector(),
                          vector % piecesPerVector() * spareLanes() + lane - perVector());
    }
    std::int64_t owner = (shard + behind(vector)) % shards, own = inPiece(vector);
    if (!headDim) {
      std::int64_t element = owner * elements + own * lanes + lane;
      return element < total ? element : -1;
    }
    std::int64_t slot = lane / slotWidth(), d = lane % slotWidth(), whole = halves ? own / 2 : own;
    std::int64_t unit = (whole / interleave * slotsPerVector() + slot) * interleave + whole % interleave;
    std::int64_t head = (owner * (elements / headDim) + unit) * stride;
    if (head * headDim >= total || (slotLanes && d >= headDim))
      return -1;
    return head / group * headDim + (halves ? 2 * d + own % 2 : swap ? d ^ 1 : d);
  }
  bool operator==(const Layout &) const = default;
};

} // namespace lpu::compiler
