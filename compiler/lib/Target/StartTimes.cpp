// Start times: a wire with traffic says how much later than the sender the
// receiver may begin.

#include "StartTimes.h"

#include "lpu/compiler/Scheduling/Waits.h"

#include <algorithm>

using namespace mlir;

namespace lpu::compiler {

using isa::Cycle;

namespace {

void addWait(std::vector<Wait> &waits, const isa::Machine &machine, std::size_t from, const LinkTraffic *out,
             std::size_t to, const LinkTraffic *in) {
  if (!out || !in || from == to)
    return;
  std::size_t count = std::min(out->sends.size(), in->receives.size());
  for (std::size_t i = 0; i < count; ++i) {
    Cycle least = out->sends[i] + machine.latency.C2cSend - in->receives[i];
    if (i == 0)
      waits.push_back({from, to, least});
    waits.back().cycles = std::max(waits.back().cycles, least);
  }
}

} // namespace

ProgramTraffic trafficOf(timed::ProgramOp program) {
  ProgramTraffic traffic;
  for (auto queue : program.getBody().getOps<timed::QueueOp>()) {
    isa::QueueId id = *isa::parseQueueName(queue.getQueue().str());
    if (id.unit != isa::UnitKind::C2c)
      continue;
    LinkTraffic &link = traffic[id.index];
    for (auto issue : queue.getBody().getOps<timed::IssueOp>()) {
      auto &cycles = issue.getOpcode() == "send" ? link.sends : link.receives;
      for (std::uint64_t copy = 0; copy < issue.getCount(); ++copy)
        cycles.push_back(static_cast<Cycle>(issue.getCycle() + copy * issue.getWindow()));
    }
  }
  return traffic;
}

Result<std::vector<Cycle>> startTimes(const isa::Machine &machine, const std::vector<isa::Chip> &chips,
                                      const std::vector<isa::Wire> &wires, const std::vector<ProgramTraffic> &traffic) {
  auto linkOf = [&](std::size_t chip, int link) -> const LinkTraffic * {
    const ProgramTraffic &program = traffic[chips[chip].chipClass];
    auto found = program.find(link);
    return found == program.end() ? nullptr : &found->second;
  };
  std::vector<Wait> waits;
  for (const isa::Wire &wire : wires) {
    const LinkTraffic *a = linkOf(wire.chipA, wire.linkA), *b = linkOf(wire.chipB, wire.linkB);
    addWait(waits, machine, wire.chipA, a, wire.chipB, b);
    addWait(waits, machine, wire.chipB, b, wire.chipA, a);
  }
  auto starts = earliestTimes(chips.size(), waits);
  if (!starts)
    return Error{"", "the chips of the system wait for each other in a circle"};
  return *starts;
}

} // namespace lpu::compiler
