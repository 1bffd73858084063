// Links as the schedule verifier follows them. All chips of a group run one
// program, so what comes in from the group is what this program itself sends, on
// the link that leads the other way (timing.md T7); other links are checked when
// the system is put together.

#include "ScheduleState.h"

#include "lpu/compiler/Dialect/LLM/Chips.h"

#include <algorithm>

using namespace mlir;

namespace lpu::timed {

using isa::Cycle;
using isa::Opcode;

LinkState::LinkState(const isa::Machine &machine, ProgramOp program)
    : machine(machine), program(program), shards(compiler::llm::shardsOf(program->getParentOfType<ModuleOp>())),
      links(machine.c2cLinks) {}

void LinkState::drive(const Dispatch &d) {
  if (d.instruction.opcode == Opcode::Send)
    links[d.queue.index].sends.push_back(d);
  if (d.instruction.opcode == Opcode::Receive)
    links[d.queue.index].receives.push_back(d);
}

LogicalResult LinkState::checkInterval(std::size_t link) const {
  const std::vector<Dispatch> &sends = links[link].sends;
  for (std::size_t i = 1; i < sends.size(); ++i)
    if (Cycle earlier = sends[i - 1].cycle, least = earlier + machine.c2cVectorInterval; sends[i].cycle < least)
      return sends[i].op.emitOpError("sends on link ")
             << link << " in cycle " << sends[i].cycle << "; the link is busy since " << earlier << " until " << earlier
             << " + " << machine.c2cVectorInterval << " = " << least;
  return success();
}

LogicalResult LinkState::checkArrivals(std::size_t link) const {
  std::size_t peer = static_cast<std::size_t>(compiler::llm::groupPeerLink(shards, static_cast<std::int64_t>(link)));
  const std::vector<Dispatch> &sends = links[peer].sends, &receives = links[link].receives;
  Cycle travel = machine.latency.C2cSend;
  for (std::size_t i = 0; i < receives.size(); ++i) {
    if (i >= sends.size())
      return receives[i].op.emitOpError("receives vector ")
             << i + 1 << " on link " << link << " in cycle " << receives[i].cycle << "; the group sends "
             << sends.size() << " that way, on link " << peer;
    if (Cycle arrival = sends[i].cycle + travel; receives[i].cycle < arrival)
      return receives[i].op.emitOpError("receives on link ")
             << link << " in cycle " << receives[i].cycle << " what is sent on link " << peer << " in cycle "
             << sends[i].cycle << " and arrives at " << sends[i].cycle << " + " << travel << " = " << arrival;
  }
  if (receives.size() < sends.size())
    return sends[receives.size()].op.emitOpError("sends a vector on link ")
           << peer << " in cycle " << sends[receives.size()].cycle << " that the group never receives on link " << link;
  // When vector i arrives, those from i − capacity on may still wait.
  for (std::size_t i = static_cast<std::size_t>(machine.c2cFifoVectors); i < sends.size(); ++i)
    if (receives[i - static_cast<std::size_t>(machine.c2cFifoVectors)].cycle > sends[i].cycle + travel)
      return sends[i].op.emitOpError("sends a vector on link ")
             << peer << " that arrives at " << sends[i].cycle + travel << ", where " << machine.c2cFifoVectors
             << " wait on link " << link << " already";
  return success();
}

LogicalResult LinkState::finish() {
  auto earlier = [](const Dispatch &a, const Dispatch &b) { return a.cycle < b.cycle; };
  for (Link &link : links) {
    std::sort(link.sends.begin(), link.sends.end(), earlier);
    std::sort(link.receives.begin(), link.receives.end(), earlier);
  }
  for (std::size_t link = 0; link < links.size(); ++link)
    if (failed(checkInterval(link)) || (static_cast<std::int64_t>(link) < shards - 1 && failed(checkArrivals(link))))
      return failure();
  return success();
}

} // namespace lpu::timed
