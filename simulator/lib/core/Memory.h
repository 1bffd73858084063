// The chip's SRAM (T3): every row of every bank, where its bytes live, which of
// its superlane words have been written, and since when they can be read.
// Constant rows point into the program's mapped image; a row gets storage of its
// own at the first write. Contents outlive steps.
#pragma once

#include "RowTable.h"
#include "VectorValue.h"
#include "lpu/isa/Sha256.h"

#include "lpu/isa/Program.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace lpu::sim {

/// Neighbouring rows of one bank that belong to constants.
struct ConstantRows {
  int first = 0, end = 0;
  const std::uint8_t *bytes = nullptr; ///< of the first; the others `stride` bytes apart
  std::ptrdiff_t stride = 0;
};

class Memory {
public:
  explicit Memory(const isa::Machine &machine);
  Memory(const Memory &) = delete;
  Memory &operator=(const Memory &) = delete;

  /// Lays a chip's regions over the rows. Constants are read in place from `image`, the
  /// chip's own; without one (no weights) they are zeros. Error: a region outside of the
  /// machine or of the image.
  Status load(const isa::ChipClass &chip, std::optional<std::span<const std::uint8_t>> image);
  /// The same as load, for a chip that has the regions of `equal` and in whose values nobody is interested: shares its
  /// table of rows. `equal` has been loaded and not been written to. False: the host cannot; load.
  bool loadLike(Memory &equal);
  /// Zero regions back to zeros.
  void clearState();

  /// First of the memRowsPerBank rows of a bank.
  MemRow *bank(isa::Side side, int slice, int bank) {
    return &rows[((static_cast<std::size_t>(side) * machine.memSlicesPerSide + slice) * machine.memBanks + bank) *
                 machine.memRowsPerBank];
  }
  const MemRow *bank(isa::Side side, int slice, int b) const {
    return const_cast<Memory *>(this)->bank(side, slice, b);
  }
  /// The constant region that holds this row; null: none.
  const ConstantRows *constantRegion(int bank, int row) const;
  /// Index of a bank for that.
  int bankIndex(isa::Side side, int slice, int bank) const {
    return (static_cast<int>(side) * machine.memSlicesPerSide + slice) * machine.memBanks + bank;
  }
  /// Writable bytes of a row; zeros where never written.
  std::uint8_t *storage(MemRow &row);
  /// What constants are read from; null: they are zeros.
  const std::uint8_t *imageBytes() const { return imageStart; }
  std::uint32_t allWritten() const { return full; }
  const std::uint8_t *zeros() const { return zeroRow.data(); }

  /// Host writes: a whole row, readable at once.
  void hostWrite(isa::Side side, int slice, int bank, int row, const std::uint8_t *bytes);
  /// Adds every row in (side, slice, bank, row) order to a digest.
  void hash(Sha256 &digest) const;

private:
  Status loadRegion(const isa::Region &region, std::optional<std::span<const std::uint8_t>> image);
  void noteConstants(const isa::Region &region, const std::uint8_t *bytes);
  static bool holds(const ConstantRows &region, const MemRow *bankRows);
  void sortConstants();

  const isa::Machine &machine;
  std::uint32_t full;
  RowTable rows;                                    ///< in (side, slice, bank, row) order
  std::vector<std::vector<ConstantRows>> constants; ///< per bank, sorted
  const std::uint8_t *imageStart = nullptr;
  std::vector<std::uint8_t> zeroRow;
  std::vector<isa::Region> zeroRegions;
  VectorPool pool;
  std::vector<VectorValue> owned; ///< keeps row storage alive
};

} // namespace lpu::sim
