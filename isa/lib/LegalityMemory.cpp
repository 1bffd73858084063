// Memory rows (T3): what the program's regions say a row is, whether this step
// or the host wrote it, and when. Scatter chooses rows by data: after one, a
// bank's unwritten rows are given the benefit of the doubt.
#include "LegalityCheck.h"

#include <algorithm>
#include <limits>

namespace lpu::isa::legality {

Memory::Memory(const Machine &m, const ChipClass &chip, const StepProgram &step, Findings &f)
    : machine(m), findings(f),
      flags(static_cast<std::size_t>(2) * machine.memSlicesPerSide * machine.memBanks * machine.memRowsPerBank),
      lastWrite(flags.size(), std::numeric_limits<Cycle>::min() / 2),
      scattered(static_cast<std::size_t>(2) * machine.memSlicesPerSide * machine.memBanks) {
  for (const Region &r : chip.regions) {
    const std::uint8_t flag = r.kind == Region::Kind::Constant ? Constant | Written
                              : r.kind == Region::Kind::Zero   ? Written
                              : r.kind == Region::Kind::Code   ? Code
                                                               : 0;
    for (int i = 0; i < r.slices; ++i)
      mark(r.side, r.slice0 + i, r.bank, r.row0, r.rows, flag);
  }
  for (const Binding &b : step.inputs)
    for (int i = 0; i < b.width; ++i)
      mark(b.side, b.slice0 + i, b.bank, b.row0,
           static_cast<int>(std::min<std::uint64_t>(std::uint64_t{b.items} * b.vectors, 1u << 16)), Written);
}

std::size_t Memory::bankIndex(Side side, int slice, int bank) const {
  return (static_cast<std::size_t>(side) * machine.memSlicesPerSide + slice) * machine.memBanks + bank;
}

void Memory::mark(Side side, int slice, int bank, int row0, int rows, std::uint8_t flag) {
  if (slice >= machine.memSlicesPerSide || bank >= machine.memBanks)
    return;
  const std::size_t base = bankIndex(side, slice, bank) * machine.memRowsPerBank;
  for (int row = row0; row < std::min(row0 + rows, machine.memRowsPerBank); ++row)
    flags[base + row] |= flag;
}

std::optional<std::size_t> Memory::find(const Site &site, int bank, std::int64_t row) {
  if (row < 0 || row >= machine.memRowsPerBank) {
    findings.add("address-range", site,
                 "row " + std::to_string(row) + " is outside of 0 to " + std::to_string(machine.memRowsPerBank - 1));
    return std::nullopt;
  }
  return bankIndex(site.queue.side, site.queue.index, bank) * machine.memRowsPerBank + static_cast<std::size_t>(row);
}

void Memory::read(const Site &site, int bank, std::int64_t row) {
  const auto at = find(site, bank, row);
  if (!at)
    return;
  const std::string where = "row " + std::to_string(row) + " of bank " + std::to_string(bank);
  if (flags[*at] & Code)
    return findings.add("read-only-write", site, where + " holds instruction text");
  const Cycle written = lastWrite[*at];
  if (site.t < written + machine.latency.MemWrite)
    findings.add("row-in-flight", site,
                 where + " was written at " + std::to_string(written) + ", readable from " +
                     std::to_string(written + machine.latency.MemWrite));
  else if (!(flags[*at] & Written) && !scattered[bankIndex(site.queue.side, site.queue.index, bank)])
    findings.add("read-before-write", site, where + " is in no constant, zero or input region and was not written");
}

void Memory::write(const Site &site, int bank, std::int64_t row) {
  const auto at = find(site, bank, row);
  if (!at)
    return;
  if (flags[*at] & (Constant | Code))
    return findings.add("read-only-write", site,
                        "row " + std::to_string(row) + " of bank " + std::to_string(bank) + " lies in a " +
                            (flags[*at] & Code ? "code" : "constant") + " region");
  flags[*at] |= Written;
  lastWrite[*at] = site.t;
}

void Memory::scatter(const Site &site, int bank) {
  scattered[bankIndex(site.queue.side, site.queue.index, bank)] = true;
}

} // namespace lpu::isa::legality
