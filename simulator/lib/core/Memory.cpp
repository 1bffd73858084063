// Rows, regions and the digest over all of memory.
#include "Memory.h"

#include "Sha256.h"

#include <cstring>
#include <fmt/format.h>

namespace lpu::sim {

using isa::Region;

Memory::Memory(const isa::Machine &machine)
    : machine(machine), full(machine.superlanes >= 32 ? ~0u : (1u << machine.superlanes) - 1),
      rows(static_cast<std::size_t>(2) * machine.memSlicesPerSide * machine.memBanks * machine.memRowsPerBank),
      zeroRow(machine.rowBytes()), pool(machine.rowBytes()) {}

Status Memory::load(const isa::ChipClass &chip, std::span<const std::uint8_t> image) {
  for (const Region &region : chip.regions) {
    Status status = loadRegion(region, image);
    if (!status)
      return status;
    if (region.kind == Region::Kind::Zero)
      zeroRegions.push_back(region);
  }
  return Ok();
}

Status Memory::loadRegion(const Region &region, std::span<const std::uint8_t> image) {
  if (region.slice0 + region.slices > machine.memSlicesPerSide || region.bank >= machine.memBanks ||
      region.row0 + region.rows > machine.memRowsPerBank)
    return Error{region.name, fmt::format("region lies outside of the machine's memory ({} slices of {} banks of {} "
                                          "rows a side); compile for this machine",
                                          machine.memSlicesPerSide, machine.memBanks, machine.memRowsPerBank)};
  std::uint64_t bytes = std::uint64_t{region.rows} * region.slices * machine.rowBytes();
  bool constant = region.kind == Region::Kind::Constant;
  const bool filled = constant && !image.empty();
  if (filled && (region.imageOffset > image.size() || bytes > image.size() - region.imageOffset))
    return Error{region.name, fmt::format("region needs image bytes {}..{}, the image has {}; compile again",
                                          region.imageOffset, region.imageOffset + bytes, image.size())};
  const std::uint8_t *next = filled ? image.data() + region.imageOffset : nullptr;
  for (int r = 0; r < region.rows; ++r)
    for (int i = 0; i < region.slices; ++i) {
      MemRow &row = bank(region.side, region.slice0 + i, region.bank)[region.row0 + r];
      row.kind = region.kind;
      row.bytes = next;
      row.written = constant || region.kind == Region::Kind::Zero ? full : 0;
      if (filled)
        next += machine.rowBytes();
    }
  return Ok();
}

void Memory::clearState() {
  for (const Region &region : zeroRegions)
    for (int r = 0; r < region.rows; ++r)
      for (int i = 0; i < region.slices; ++i) {
        MemRow &row = bank(region.side, region.slice0 + i, region.bank)[region.row0 + r];
        row.written = full;
        if (row.owned)
          std::memset(storage(row), 0, machine.rowBytes());
      }
}

std::uint8_t *Memory::storage(MemRow &row) {
  if (!row.owned) {
    owned.push_back(VectorValue::allocate(pool));
    std::uint8_t *fresh = owned.back().writable();
    std::memcpy(fresh, row.bytes ? row.bytes : zeroRow.data(), machine.rowBytes());
    row.bytes = fresh;
    row.owned = true;
  }
  return const_cast<std::uint8_t *>(row.bytes);
}

void Memory::hostWrite(isa::Side side, int slice, int b, int row, const std::uint8_t *bytes) {
  MemRow &target = bank(side, slice, b)[row];
  std::memcpy(storage(target), bytes, machine.rowBytes());
  target.written = full;
}

std::array<std::uint8_t, 32> Memory::sha256() const {
  Sha256 hash;
  for (const MemRow &row : rows)
    hash.update(row.bytes ? row.bytes : zeroRow.data(), machine.rowBytes());
  return hash.finish();
}

} // namespace lpu::sim
