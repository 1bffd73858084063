// Memory as the schedule verifier follows it: rows belong to regions, a row that
// did not start with contents must be written and visible before it is read, and
// every row of an output must be written (timing.md T3).

#include "ScheduleState.h"

#include <algorithm>

using namespace mlir;

namespace lpu::timed {

using isa::Cycle;
using isa::Field;
using isa::Opcode;

MemoryState::MemoryState(const isa::Machine &machine, ProgramOp program) : machine(machine), program(program) {
  for (auto region : program->getParentRegion()->getOps<RegionOp>())
    for (std::uint64_t i = 0; i < region.getSlices(); ++i)
      regions[bankOf(region.getSide(), region.getSlice() + i, region.getBank())].push_back(
          {static_cast<std::int64_t>(region.getRow()),
           static_cast<std::int64_t>(region.getRow() + region.getRows()) - 1, region});
  for (auto &[bank, rows] : regions)
    std::sort(rows.begin(), rows.end(), [](const Rows &a, const Rows &b) { return a.first < b.first; });
  for (auto binding : program.getBody().getOps<BindingOp>())
    if (binding.getDirection() == "in")
      for (std::uint64_t b = 0; b < binding.getWidth(); ++b)
        for (std::uint64_t v = 0; v < binding.getItems() * binding.getVectors(); ++v)
          inputs.insert(
              rowOf(bankOf(binding.getSide(), binding.getSlice() + b, binding.getBank()), binding.getRow() + v));
}

MemoryState::Bank MemoryState::bankOf(std::int64_t side, std::int64_t slice, std::int64_t bank) const {
  return (side * machine.memSlicesPerSide + slice) * machine.memBanks + bank;
}

MemoryState::Bank MemoryState::bankOf(const Dispatch &d, std::int64_t bank) const {
  return bankOf(static_cast<std::int64_t>(d.queue.side), d.queue.index, bank);
}

RegionOp MemoryState::regionAt(Bank bank, std::int64_t row) const {
  auto found = regions.find(bank);
  if (found == regions.end())
    return {};
  const std::vector<Rows> &rows = found->second;
  auto after = std::upper_bound(rows.begin(), rows.end(), row,
                                [](std::int64_t r, const Rows &entry) { return r < entry.first; });
  if (after == rows.begin() || row > std::prev(after)->last)
    return {};
  return std::prev(after)->region;
}

void MemoryState::drive(const Dispatch &d) {
  const isa::Instruction &i = d.instruction;
  if (i.opcode == Opcode::Mem && i.get(Field::Wr))
    writes[rowOf(bankOf(d, i.get(Field::WrBank)), i.get(Field::WrRow))].push_back(d.cycle);
}

LogicalResult MemoryState::sample(const Dispatch &d) const {
  const isa::Instruction &i = d.instruction;
  if (i.opcode == Opcode::Gather || i.opcode == Opcode::Scatter)
    return indirect(d);
  if (i.opcode != Opcode::Mem)
    return success();
  if (i.get(Field::Rd) && i.get(Field::Wr) && i.get(Field::RdBank) == i.get(Field::WrBank))
    return d.op.emitOpError("reads and writes bank ")
           << i.get(Field::RdBank) << " in cycle " << d.cycle << "; a bank does one of them a cycle";
  if (i.get(Field::Rd) && failed(read(d)))
    return failure();
  return i.get(Field::Wr) ? write(d) : success();
}

LogicalResult MemoryState::read(const Dispatch &d) const {
  std::int64_t bank = d.instruction.get(Field::RdBank), row = d.instruction.get(Field::RdRow);
  RegionOp region = regionAt(bankOf(d, bank), row);
  if (!region || region.getKind() == "code")
    return d.op.emitOpError("reads row ") << row << " of bank " << bank << " in cycle " << d.cycle << ", where "
                                          << (region ? "instruction text is" : "no region is");
  auto found = writes.find(rowOf(bankOf(d, bank), row));
  Cycle latency = machine.latency.MemWrite, first = -1;
  if (found != writes.end())
    for (Cycle written : found->second) {
      if (written <= d.cycle && d.cycle < written + latency)
        return d.op.emitOpError("reads row ")
               << row << " of bank " << bank << " in cycle " << d.cycle << ", written in cycle " << written
               << " and readable from " << written << " + " << latency << " = " << written + latency;
      first = first < 0 ? written : std::min(first, written);
    }
  if (region.getKind() != "scratch" || inputs.count(rowOf(bankOf(d, bank), row)))
    return success();
  auto diagnose = [&] {
    return d.op.emitOpError("reads row ")
           << row << " of bank " << bank << " (region '" << region.getName() << "') in cycle " << d.cycle;
  };
  if (first < 0)
    return diagnose() << ", which no instruction writes";
  if (first + latency > d.cycle)
    return diagnose() << ", first written in cycle " << first << " and readable from " << first << " + " << latency
                      << " = " << first + latency;
  return success();
}

LogicalResult MemoryState::write(const Dispatch &d) const {
  std::int64_t bank = d.instruction.get(Field::WrBank), row = d.instruction.get(Field::WrRow);
  RegionOp region = regionAt(bankOf(d, bank), row);
  if (!region)
    return d.op.emitOpError("writes row ")
           << row << " of bank " << bank << " in cycle " << d.cycle << ", where no region is";
  if (region.getKind() == "constant" || region.getKind() == "code")
    return d.op.emitOpError("writes row ")
           << row << " of bank " << bank << " in cycle " << d.cycle << ", which belongs to the " << region.getKind()
           << " region '" << region.getName() << "'";
  return success();
}

/// Rows are data, but some region of the bank must be there to be read or written.
LogicalResult MemoryState::indirect(const Dispatch &d) const {
  bool writes = d.instruction.opcode == Opcode::Scatter;
  std::int64_t bank = d.instruction.get(Field::Bank);
  auto found = regions.find(bankOf(d, bank));
  bool any = found != regions.end() && llvm::any_of(found->second, [&](Rows rows) {
               return rows.region.getKind() != "code" && !(writes && rows.region.getKind() == "constant");
             });
  if (any)
    return success();
  return d.op.emitOpError(writes ? "scatters into" : "gathers from")
         << " bank " << bank << " in cycle " << d.cycle << ", which holds no region to " << (writes ? "write" : "read");
}

LogicalResult MemoryState::finish() const {
  for (auto binding : program.getBody().getOps<BindingOp>())
    for (std::uint64_t b = 0; b < binding.getWidth(); ++b)
      for (std::uint64_t v = 0; v < binding.getItems() * binding.getVectors(); ++v) {
        std::int64_t row = binding.getRow() + v;
        Bank bank = bankOf(binding.getSide(), binding.getSlice() + b, binding.getBank());
        if (!regionAt(bank, row))
          return binding.emitOpError("'")
                 << binding.getName() << "' names row " << row << " of bank " << binding.getBank() << " of slice "
                 << binding.getSlice() + b << ", where no region is";
        if (binding.getDirection() == "out" && !writes.count(rowOf(bank, row)))
          return binding.emitOpError("'") << binding.getName() << "': no instruction writes row " << row << " of bank "
                                          << binding.getBank() << " of slice " << binding.getSlice() + b;
      }
  return success();
}

} // namespace lpu::timed
