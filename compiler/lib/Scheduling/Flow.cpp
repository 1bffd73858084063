// Flow shapes: effect latencies as timing.md T1.5 counts them, and the shift
// that makes a shape start at cycle 0.

#include "lpu/compiler/Scheduling/Flow.h"

#include <algorithm>
#include <limits>

namespace lpu::compiler::sched {

using isa::Field;

Cycle effectLatency(const isa::Machine &machine, const isa::Instruction &instruction) {
  const isa::Latencies &latency = machine.latency;
  if (instruction.opcode == isa::Opcode::Mem)
    return std::max(instruction.get(Field::Rd) ? latency.MemRead : 0,
                    instruction.get(Field::Wr) ? latency.MemWrite : 0);
  if (instruction.opcode == isa::Opcode::Activate)
    return std::max({instruction.get(Field::Load) ? latency.MxmLoad : 0,
                     instruction.get(Field::Install) ? latency.MxmInstall : 0,
                     instruction.get(Field::Play) ? latency.MxmPlay : 0});
  return isa::latencyOf(machine, instruction.opcode);
}

void FlowShape::normalize(const isa::Machine &machine) {
  Cycle earliest = std::numeric_limits<Cycle>::max();
  for (const Issue &issue : issues)
    earliest = std::min(earliest, issue.at);
  for (Issue &issue : issues)
    issue.at -= earliest;
  for (Segment &segment : segments)
    segment.tau -= earliest;
  for (AluUse &alu : alus)
    alu.accFrom -= earliest, alu.accTo -= earliest;
  for (Access &access : accesses)
    access.first -= earliest, access.last -= earliest;
  end = 0;
  for (const Issue &issue : issues)
    end = std::max(end, issue.at + lastCopy(issue) + effectLatency(machine, issue.instruction));
}

std::optional<int> bankOf(const Issue &issue) {
  if (issue.half == Half::Whole || issue.instruction.opcode != isa::Opcode::Mem)
    return std::nullopt;
  return static_cast<int>(issue.instruction.get(issue.half == Half::First ? isa::Field::RdBank : isa::Field::WrBank));
}

} // namespace lpu::compiler::sched
