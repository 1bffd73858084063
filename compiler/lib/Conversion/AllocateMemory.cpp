// stream-allocate-memory: first-fit with a fill mark per bank of every slice.
// Objects never move. Where weights and caches nearly fill the chip, scratch objects
// that are never needed at once share rows. When weights need more than their home slices, the tiles of
// sweeps take what all other objects left, four groups of four slices at a time.

#include "Lifetimes.h"
#include "TargetMachine.h"
#include "lpu/compiler/Conversion/DoesNotFit.h"
#include "lpu/compiler/Conversion/Passes.h"
#include "lpu/compiler/Dialect/Stream/Stream.h"

#include "llvm/ADT/DenseSet.h"

#include <algorithm>
#include <array>
#include <limits>

using namespace mlir;

namespace lpu::compiler {
#define GEN_PASS_DEF_ALLOCATEMEMORY
#include "lpu/compiler/Conversion/Passes.h.inc"

namespace {

class Allocator {
public:
  explicit Allocator(const isa::Machine &machine) : machine(machine), used(2 * machine.memSlicesPerSide), kept(used) {
    tileGroups = std::min(machine.mxmPlanesPerSide, (machine.memSlicesPerSide - kInnerSlices) / kTileSlices);
    innerSlices = machine.memSlicesPerSide - kTileSlices * tileGroups;
  }

  bool placeTile(stream::ObjectOp object) {
    std::int64_t plane = *object.getPlane(), side = plane / 2;
    for (int g = 0; g < tileGroups; ++g) {
      std::int64_t slice = innerSlices + kTileSlices * ((plane + g) % tileGroups);
      if (placeAt(object, side, slice, 0) || placeAt(object, side, slice, 1))
        return true;
    }
    return false;
  }

  /// From now on scratch objects may share rows with others that are needed at other times.
  void shareRows(const Lifetimes &between) { lifetimes = &between; }

  bool placeVectors(stream::ObjectOp object) {
    bool written = object.getRole() != "constant" && object.getRole() != "zero";
    std::int64_t firstBank = written ? 0 : 1, quads = machine.memSlicesPerSide / 4, inner = innerSlices / 4;
    std::int64_t hint = object.getHint().value_or(0);
    // Hint h: side h mod 2, inner group h / 2; then the side's other inner groups and those that tiles left room in;
    // the other side last, because flows that read and write much at once keep the two on different sides.
    for (std::int64_t i = 0; i < 2 * quads; ++i) {
      bool fixed = isFixed(hint); // asks for a group of its own among those of tiles
      std::int64_t group = fixed ? (hint / 2 + i) % quads : i % quads, side = (hint + i / quads) % 2;
      std::int64_t n = 2 * (!fixed && group < inner ? (hint / 2 + group) % inner : group) + side;
      // A cache is read in bursts while scores go to or come from the inner east groups and single rows from the
      // innermost west one: it must share no slice with those.
      if (object.getRole() == "zero" && n / 2 < inner && (side == 0 || n / 2 == 0))
        continue;
      for (std::int64_t bank : {firstBank, 1 - firstBank}) {
        SmallVector<std::int64_t, 4> slices;
        for (std::int64_t slice = n / 2 * 4; slice < n / 2 * 4 + 4;
             slice += static_cast<std::int64_t>(object.getPlanes()))
          slices.push_back(preferred(slice, object));
        if (shares(
                object)) // beside others and not above them: what is free above all slices of a group is left to tiles
          llvm::stable_sort(slices, [&](std::int64_t a, std::int64_t b) {
            return rowAt(object, n % 2, a, bank) < rowAt(object, n % 2, b, bank);
          });
        for (std::int64_t slice : slices)
          if (placeAt(object, n % 2, slice, bank))
            return true;
      }
    }
    return false;
  }

  /// Side by side in one bank of the outermost slices, so that as few tiles as possible lose their homes.
  bool placeOutside(stream::ObjectOp object) {
    for (std::int64_t side : {0, 1})
      for (std::int64_t bank : {1, 0})
        if (placeInGroups(object, side, bank, innerSlices / 4, quads()))
          return true;
    return false;
  }

  /// In a second bank of either side, the inner groups' last: tiles, which need sixteen neighbouring slices, keep the
  /// first ones, and constants of the inner groups give way to theirs.
  bool placeInSecondBanks(stream::ObjectOp object) {
    for (auto [first, end] : {std::pair(innerSlices / 4, quads()), std::pair(std::int64_t{0}, innerSlices / 4)})
      for (std::int64_t side : {0, 1})
        if (placeInGroups(object, side, 1, first, end))
          return true;
    return false;
  }

  /// Hints from 6 on name a group of slices among those of tiles; smaller ones alternate with the inner groups there
  /// are.
  static bool isFixed(std::int64_t hint) { return hint >= 6; }

  /// Rows of tiles that the home slices of a plane hold.
  std::int64_t homeRows() const { return 2 * machine.memRowsPerBank * tileGroups / machine.mxmPlanesPerSide; }

  /// Divides the groups of four slices between the planes of a side, so that the two never load from the same: the even
  /// plane has the inner ones. `rows` are those of each plane's tiles; both get room to spare.
  void divide(std::int64_t side, std::int64_t evenRows, std::int64_t oddRows) {
    remaining[2 * side] = evenRows, remaining[2 * side + 1] = oddRows;
    std::int64_t most = std::numeric_limits<std::int64_t>::min(), inner = 0, all = 0;
    for (std::int64_t quad = 0; quad < quads(); ++quad)
      all += freeRows(side, quad);
    for (std::int64_t quad = 0; quad < quads(); inner += freeRows(side, quad++)) {
      std::int64_t spare =
          std::min(inner - evenRows * stream::kTilePieces, all - inner - oddRows * stream::kTilePieces);
      if (quad >= stream::kTilePieces && quad + stream::kTilePieces <= quads() && spare > most)
        most = spare, boundary[side] = quad;
    }
  }

  /// A tile of a sweep. It stays on the groups of the one before for a while, which keeps instruction text short, and
  /// then moves to the emptiest ones; so each group has quiet times in which flows reach the vectors in it.
  bool placeSwept(stream::ObjectOp object) {
    std::int64_t plane = *object.getPlane(), side = plane / 2, rows = object.getRows();
    Run &run = runs[plane];
    bool avoids = object.getHint() == stream::kTileKeepsClear && !mustMix(plane);
    bool stays = run.rows >= rows && !(avoids && llvm::is_contained(run.groups, kVectorGroup)) &&
                 llvm::all_of(run.groups, [&](std::int64_t quad) { return bankFor(side, quad, rows).has_value(); });
    if (!stays && !choose(run, side, rows, plane % 2, avoids))
      return false;
    remaining[plane] -= rows;
    run.rows -= rows;
    stream::Pieces pieces;
    for (auto [piece, quad] : llvm::zip(pieces, run.groups)) {
      // Vectors that are written are in the first bank of their group, which a slice writes while it reads the other.
      std::int64_t slice = quad * stream::kPieceSlices,
                   bank =
                       *bankFor(side, quad, rows, quad == kVectorGroup && object.getHint() == stream::kTileKeepsClear);
      piece = {slice, bank, used[side * machine.memSlicesPerSide + slice][bank]};
      for (std::int64_t i = 0; i < stream::kPieceSlices; ++i)
        used[side * machine.memSlicesPerSide + slice + i][bank] = piece.row + rows;
    }
    stream::setPieces(object, side, pieces);
    return true;
  }

  std::int64_t freeRows() const {
    std::int64_t rows = 0;
    for (const auto &banks : used)
      for (std::int64_t fill : banks)
        rows += machine.memRowsPerBank - fill;
    return rows;
  }

private:
  /// In one of the groups of four slices from `first` up to `end`, the outermost that has room.
  bool placeInGroups(stream::ObjectOp object, std::int64_t side, std::int64_t bank, std::int64_t first,
                     std::int64_t end) {
    std::int64_t planes = object.getPlanes();
    for (std::int64_t group = end - 1; group >= first; --group)
      for (std::int64_t slice = group * 4; slice < group * 4 + 4; slice += planes)
        if (placeAt(object, side, slice, bank))
          return true;
    return false;
  }

  /// Two-slice objects alternate between the pairs of a group.
  std::int64_t preferred(std::int64_t slice, stream::ObjectOp object) {
    if (object.getPlanes() != 2)
      return slice;
    std::int64_t group = slice / 4 * 4;
    return slice == group ? group + (flip ? 2 : 0) : group + (flip ? 0 : 2);
  }

  bool placeAt(stream::ObjectOp object, std::int64_t side, std::int64_t slice, std::int64_t bank) {
    std::int64_t planes = object.getPlanes(), rows = object.getRows();
    if (slice + planes > machine.memSlicesPerSide)
      return false;
    std::int64_t row = rowAt(object, side, slice, bank);
    if (row + rows > machine.memRowsPerBank)
      return false;
    stream::setPlace(object, {side, slice, bank, row});
    for (std::int64_t i = 0; i < planes; ++i) {
      std::int64_t number = side * machine.memSlicesPerSide + slice + i, &mark = used[number][bank];
      mark = std::max(mark, row + rows);
      if (!shares(object))
        kept[number][bank] = mark;
    }
    if (shares(object))
      scratch.push_back(object);
    flip = !flip;
    return true;
  }

  /// May it share rows with others?
  bool shares(stream::ObjectOp object) const { return lifetimes && object.getRole() == "scratch"; }

  /// The first row of an object whose first slice is this one.
  std::int64_t rowAt(stream::ObjectOp object, std::int64_t side, std::int64_t slice, std::int64_t bank) const {
    std::int64_t row = 0;
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(object.getPlanes()); ++i) {
      std::int64_t number = side * machine.memSlicesPerSide + slice + i;
      row = std::max(row, shares(object) ? kept[number][bank] : used[number][bank]);
    }
    return shares(object) ? lowestRow(object, side, slice, bank, row) : row;
  }

  /// The lowest row from `row` on at which a scratch object meets none that is needed at the same time.
  std::int64_t lowestRow(stream::ObjectOp object, std::int64_t side, std::int64_t slice, std::int64_t bank,
                         std::int64_t row) const {
    auto rowsOf = [](stream::ObjectOp o) { return static_cast<std::int64_t>(o.getRows()); };
    auto inTheWay = [&](stream::ObjectOp other) {
      stream::Place place = stream::placeOf(other);
      return place.side == side && place.bank == bank &&
             place.slice < slice + static_cast<std::int64_t>(object.getPlanes()) &&
             slice < place.slice + static_cast<std::int64_t>(other.getPlanes()) && place.row < row + rowsOf(object) &&
             row < place.row + rowsOf(other) && lifetimes->overlap(object, other);
    };
    for (auto other = llvm::find_if(scratch, inTheWay); other != scratch.end();
         other = llvm::find_if(scratch, inTheWay))
      row = stream::placeOf(*other).row + rowsOf(*other);
    return row;
  }

  /// Groups that a plane's tiles are on at present, and how many rows more they go there.
  struct Run {
    std::array<std::int64_t, stream::kTilePieces> groups = {};
    std::int64_t rows = 0;
  };

  static constexpr std::int64_t kVectorGroup = 0;

  std::int64_t quads() const { return machine.memSlicesPerSide / stream::kPieceSlices; }

  /// The fill mark of a group is that of its fullest slice.
  std::int64_t mark(std::int64_t side, std::int64_t quad, std::int64_t bank) {
    std::int64_t highest = 0, first = side * machine.memSlicesPerSide + quad * stream::kPieceSlices;
    for (std::int64_t i = 0; i < stream::kPieceSlices; ++i)
      highest = std::max(highest, used[first + i][bank]);
    for (std::int64_t i = 0; i < stream::kPieceSlices; ++i)
      used[first + i][bank] = highest;
    return highest;
  }
  std::int64_t freeRows(std::int64_t side, std::int64_t quad) {
    return 2 * machine.memRowsPerBank - mark(side, quad, 0) - mark(side, quad, 1);
  }
  std::optional<std::int64_t> bankFor(std::int64_t side, std::int64_t quad, std::int64_t rows, std::int64_t first = 0) {
    for (std::int64_t bank : {first, 1 - first})
      if (mark(side, quad, bank) + rows <= machine.memRowsPerBank)
        return bank;
    return std::nullopt;
  }

  /// Are the tiles to come so many that the last of them, and this is one, need room in the vectors' group?
  bool mustMix(std::int64_t plane) {
    constexpr std::int64_t kFragments = 96; // rows lost at the ends of banks
    std::int64_t overflow =
        std::max<std::int64_t>(0, stream::kTilePieces * remaining[plane ^ 1] - roomBeside(plane ^ 1));
    return remaining[plane] <= stream::kTilePieces * remaining[plane] - roomBeside(plane) + overflow + kFragments;
  }

  /// Free rows in the plane's share but for the vectors' group.
  std::int64_t roomBeside(std::int64_t plane) {
    std::int64_t side = plane / 2, first = plane % 2 ? boundary[side] : 0, end = plane % 2 ? quads() : boundary[side],
                 room = 0;
    for (std::int64_t quad = first; quad < end; ++quad)
      room += quad == kVectorGroup ? 0 : freeRows(side, quad);
    return room;
  }

  /// The emptiest groups of the plane's share; those of the other plane only when these are full. The group in which
  /// the flows of a sweep have their vectors comes last while they run, and first before.
  bool choose(Run &run, std::int64_t side, std::int64_t rows, bool odd, bool avoids) {
    SmallVector<std::int64_t> candidates;
    for (std::int64_t quad = 0; quad < quads(); ++quad)
      if (bankFor(side, quad, rows))
        candidates.push_back(quad);
    if (candidates.size() < run.groups.size())
      return false;
    auto key = [&](std::int64_t quad) {
      return std::tuple((quad >= boundary[side]) != odd,
                        quad != kVectorGroup ? 0
                        : avoids             ? 1
                                             : -1,
                        -freeRows(side, quad));
    };
    llvm::stable_sort(candidates, [&](std::int64_t a, std::int64_t b) { return key(a) < key(b); });
    std::copy_n(candidates.begin(), run.groups.size(), run.groups.begin());
    llvm::sort(run.groups);
    // Shorter as groups fill up, so that they stay about equally full and the last tiles find room on four.
    run.rows = machine.memRowsPerBank / 8;
    for (std::int64_t quad : run.groups)
      run.rows = std::min(run.rows, freeRows(side, quad) / 2);
    return true;
  }

  const isa::Machine &machine;
  const Lifetimes *lifetimes = nullptr;  ///< null: no two objects share rows
  std::vector<stream::ObjectOp> scratch; ///< those that may share rows, where they were placed
  std::array<Run, 4> runs;
  std::array<std::int64_t, 2> boundary = {};
  std::array<std::int64_t, 4> remaining = {};    ///< rows of tiles of sweeps to come, per plane
  std::vector<std::array<std::int64_t, 2>> used; ///< rows taken, per slice (east first) and bank
  std::vector<std::array<std::int64_t, 2>> kept; ///< rows that nothing may share, below those of `used`
  int tileGroups;
  std::int64_t innerSlices;
  bool flip = false;
};

/// Tenths of memory from which on weights and caches leave so little that scratch has to be shared.
constexpr std::int64_t kScarceTenths = 8;

/// What flows use together must get the groups its hints ask for, so the small things everybody uses come first: what
/// is written, big blocks before small ones; then constants, small ones (scales) before big ones (tables); caches last.
bool placedBefore(stream::ObjectOp a, stream::ObjectOp b) {
  auto key = [](stream::ObjectOp object) {
    auto rows = static_cast<std::int64_t>(object.getRows());
    return object.getRole() == "zero"       ? std::pair<int, std::int64_t>(2, 0)
           : object.getRole() == "constant" ? std::pair(1, rows)
                                            : std::pair(0, -rows);
  };
  return key(a) < key(b);
}

/// The objects of a module and what they need together.
class MemoryPlan {
public:
  /// The object that found no room, and how many rows were left in pieces.
  struct Shortage {
    stream::ObjectOp object;
    std::int64_t freeRows;
  };

  MemoryPlan(ModuleOp module, const isa::Machine &machine) : machine(machine), lifetimes(module) {
    for (auto object : module.getOps<stream::ObjectOp>()) {
      auto rows = static_cast<std::int64_t>(object.getRows()),
           bytes = static_cast<std::int64_t>(object.getPlanes()) * rows * machine.rowBytes();
      wanted += bytes;
      if (object.getRole() != "scratch")
        kept += bytes;
      if (object.getPlane())
        tileRows[*object.getPlane()] += rows;
      if (object.getPlane() && object.getHint())
        sweptRows[*object.getPlane()] += rows;
      (object.getPlane() ? tiles : vectors).push_back(object);
    }
    llvm::stable_sort(vectors, placedBefore);
  }

  std::int64_t bytes() const { return wanted; }

  std::optional<Shortage> place() {
    bool overflow = *llvm::max_element(tileRows) > Allocator(machine).homeRows();
    std::optional<Shortage> shortage = place(overflow, Tables::WithVectors);
    if (!shortage || wanted > machine.memoryBytes())
      return shortage;
    // There may be room enough, but only in pieces: of banks, where a table needs whole ones, or outside the home
    // slices, of which vectors have some.
    if (isTable(shortage->object))
      for (Tables when : {Tables::FirstOutside, Tables::FirstInSecondBanks})
        if (!(shortage = place(overflow, when)))
          return std::nullopt;
    return shortage->object.getPlane() && !overflow ? place(true, Tables::WithVectors) : shortage;
  }

private:
  bool isTable(stream::ObjectOp object) const {
    return static_cast<std::int64_t>(object.getRows()) > machine.memRowsPerBank / 2;
  }

  /// When tables get their banks: with other vectors, behind the tiles, or before these.
  enum class Tables {
    WithVectors,
    FirstOutside,
    FirstInSecondBanks ///< as many as those hold; the others with vectors
  };

  /// `sweepsLast`: tiles of sweeps take what all others left, instead of their home slices.
  std::optional<Shortage> place(bool sweepsLast, Tables tables) {
    Allocator allocator(machine);
    llvm::DenseSet<Operation *> early;
    auto isEarly = [&](stream::ObjectOp object) { return early.contains(object); };
    auto isSwept = [&](stream::ObjectOp tile) { return sweepsLast && tile.getHint(); };
    // What asks for a group of slices behind the inner ones gets it before tiles fill those.
    auto isFixed = [](stream::ObjectOp object) { return Allocator::isFixed(object.getHint().value_or(0)); };
    for (auto object : vectors)
      if (isFixed(object) && !allocator.placeVectors(object))
        return Shortage{object, allocator.freeRows()};
    for (auto object : vectors) {
      if (tables == Tables::WithVectors || isFixed(object) || !isTable(object))
        continue;
      bool isOutside = tables == Tables::FirstOutside;
      if (isOutside ? allocator.placeOutside(object) : allocator.placeInSecondBanks(object))
        early.insert(object);
      else if (isOutside)
        return Shortage{object, allocator.freeRows()};
    }
    for (auto object : tiles)
      if (!isSwept(object) && !allocator.placeTile(object))
        return Shortage{object, allocator.freeRows()};
    if (kept > machine.memoryBytes() / 10 * kScarceTenths)
      allocator.shareRows(lifetimes);
    for (auto object : vectors)
      if (!isFixed(object) && !isEarly(object) && !allocator.placeVectors(object))
        return Shortage{object, allocator.freeRows()};
    for (std::int64_t side = 0; side < 2; ++side)
      allocator.divide(side, sweptRows[2 * side], sweptRows[2 * side + 1]);
    for (auto object : tiles)
      if (isSwept(object) && !allocator.placeSwept(object))
        return Shortage{object, allocator.freeRows()};
    return std::nullopt;
  }

  const isa::Machine &machine;
  Lifetimes lifetimes;
  SmallVector<stream::ObjectOp> tiles, vectors;
  std::array<std::int64_t, 4> tileRows = {}, sweptRows = {}; ///< per plane
  std::int64_t wanted = 0, kept = 0; ///< bytes of all objects, and of those that are not scratch
};

struct AllocateMemoryPass : impl::AllocateMemoryBase<AllocateMemoryPass> {
  using AllocateMemoryBase::AllocateMemoryBase;

  void runOnOperation() override {
    FailureOr<isa::Machine> machine = targetMachine(getOperation(), target);
    if (failed(machine))
      return signalPassFailure();
    MemoryPlan plan(getOperation(), *machine);
    if (auto shortage = plan.place())
      fail(*shortage, *machine, plan.bytes());
  }

  void fail(MemoryPlan::Shortage shortage, const isa::Machine &machine, std::int64_t wanted) {
    std::int64_t capacity = machine.memoryBytes();
    noteDoesNotFit(getOperation(), {Resource::Memory, wanted, capacity});
    auto diagnostic = getOperation().emitError("the model does not fit on one chip of '")
                      << machine.name << "': weights, KV cache and activations need " << wanted << " bytes of "
                      << capacity;
    if (wanted > capacity)
      diagnostic << ", " << wanted - capacity << " too many";
    else
      diagnostic << "; no room for the " << shortage.object.getRows() << " rows of '" << shortage.object.getSymName()
                 << "' in the " << shortage.freeRows << " rows left in pieces";
    signalPassFailure();
  }
};

} // namespace
} // namespace lpu::compiler
