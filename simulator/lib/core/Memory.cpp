// Rows, regions and the digest over all of memory.
#include "Memory.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

namespace lpu::sim {

using isa::Region;

Memory::Memory(const isa::Machine &machine)
    : machine(machine), full(machine.superlanes >= 32 ? ~0u : (1u << machine.superlanes) - 1),
      rows(static_cast<std::size_t>(2) * machine.memSlicesPerSide * machine.memBanks * machine.memRowsPerBank),
      constants(static_cast<std::size_t>(2) * machine.memSlicesPerSide * machine.memBanks), zeroRow(machine.rowBytes()),
      pool(machine.rowBytes()) {}

Status Memory::load(const isa::ChipClass &chip, std::optional<std::span<const std::uint8_t>> image) {
  rows.clear();
  imageStart = image ? image->data() : nullptr;
  for (const Region &region : chip.regions) {
    Status status = loadRegion(region, image);
    if (!status)
      return status;
    if (region.kind == Region::Kind::Zero)
      zeroRegions.push_back(region);
  }
  sortConstants();
  return Ok();
}

bool Memory::loadLike(Memory &equal) {
  if (!rows.share(equal.rows))
    return false;
  constants = equal.constants;
  zeroRegions = equal.zeroRegions;
  return true;
}

void Memory::noteConstants(const Region &region, const std::uint8_t *bytes) {
  const int rowBytes = bytes ? machine.rowBytes() : 0;
  for (int i = 0; i < region.slices; ++i)
    constants[bankIndex(region.side, region.slice0 + i, region.bank)].push_back(
        {region.row0, region.row0 + region.rows, bytes + i * rowBytes, std::ptrdiff_t{region.slices} * rowBytes});
}

/// Do all its rows still belong to this region (none was given to a later one)?
bool Memory::holds(const ConstantRows &region, const MemRow *bankRows) {
  for (int r = region.first; r < region.end; ++r)
    if (bankRows[r].kind != Region::Kind::Constant ||
        bankRows[r].bytes != region.bytes + (r - region.first) * region.stride)
      return false;
  return true;
}

void Memory::sortConstants() {
  for (std::size_t index = 0; index < constants.size(); ++index) {
    std::vector<ConstantRows> &regions = constants[index];
    const MemRow *bankRows = &rows[index * machine.memRowsPerBank];
    std::erase_if(regions, [&](const ConstantRows &region) { return !holds(region, bankRows); });
    std::sort(regions.begin(), regions.end(), [](const auto &a, const auto &b) { return a.first < b.first; });
  }
}

const ConstantRows *Memory::constantRegion(int bank, int row) const {
  const std::vector<ConstantRows> &regions = constants[bank];
  auto after = std::upper_bound(regions.begin(), regions.end(), row,
                                [](int r, const ConstantRows &rows) { return r < rows.first; });
  return after != regions.begin() && row < std::prev(after)->end ? &*std::prev(after) : nullptr;
}

Status Memory::loadRegion(const Region &region, std::optional<std::span<const std::uint8_t>> image) {
  if (region.slice0 + region.slices > machine.memSlicesPerSide || region.bank >= machine.memBanks ||
      region.row0 + region.rows > machine.memRowsPerBank)
    return Error{region.name, fmt::format("region lies outside of the machine's memory ({} slices of {} banks of {} "
                                          "rows a side); compile for this machine",
                                          machine.memSlicesPerSide, machine.memBanks, machine.memRowsPerBank)};
  std::uint64_t bytes = std::uint64_t{region.rows} * region.slices * machine.rowBytes();
  bool constant = region.kind == Region::Kind::Constant;
  const bool filled = constant && image;
  if (filled && (region.imageOffset > image->size() || bytes > image->size() - region.imageOffset))
    return Error{region.name, fmt::format("region needs image bytes {}..{}, the image has {}; compile again",
                                          region.imageOffset, region.imageOffset + bytes, image->size())};
  const std::uint8_t *next = filled ? image->data() + region.imageOffset : nullptr;
  if (constant)
    noteConstants(region, next);
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
  if (target.kind == Region::Kind::Constant)
    constants[bankIndex(side, slice, b)] = {};
  std::memcpy(storage(target), bytes, machine.rowBytes());
  target.written = full;
}

void Memory::hash(Sha256 &digest) const {
  for (const MemRow &row : rows)
    digest.update(row.bytes ? row.bytes : zeroRow.data(), machine.rowBytes());
}

} // namespace lpu::sim
