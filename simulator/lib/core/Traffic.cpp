// Runs the links' queues alone, from their SYNC to their end.
#include "Traffic.h"

#include "Icu.h"

#include <algorithm>

namespace lpu::sim {

namespace {

/// After the release, does nothing but the text decide what is dispatched when?
bool isPlain(const std::vector<Op> &ops) {
  const std::size_t sync = !ops.empty() && ops[0].kind == OpKind::Notify ? 1 : 0;
  if (sync >= ops.size() || ops[sync].kind != OpKind::Sync)
    return false;
  return std::all_of(ops.begin() + static_cast<std::ptrdiff_t>(sync) + 1, ops.end(), [](const Op &op) {
    return op.kind == OpKind::Unit || op.kind == OpKind::Nop || op.kind == OpKind::Config || op.kind == OpKind::Repeat;
  });
}

} // namespace

std::vector<LinkTraffic> trafficOf(const isa::Program &program, const isa::StepProgram &step) {
  const isa::Machine &machine = program.machine;
  std::vector<LinkTraffic> links(machine.c2cLinks);
  for (const isa::QueueCode &code : step.queues) {
    if (code.queue.unit != isa::UnitKind::C2c)
      continue;
    const DecodedQueue queue = decodeQueue(machine, code);
    // Links' queues are the last ones.
    LinkTraffic &link = links[queue.number - (isa::queueCount(machine) - machine.c2cLinks)];
    link.known = program.residentCode && isPlain(queue.ops);
    if (!link.known)
      continue;
    Icu icu(machine, queue.id, true);
    icu.begin(&queue, 0);
    while (!icu.parked())
      icu.take(icu.due());
    icu.release(0);
    while (icu.due() != Icu::kNever) {
      const Dispatch d = icu.take(icu.due());
      if (d.op && d.op->opcode == isa::Opcode::Send)
        link.sends.push_back(d.time);
      else if (d.op && d.op->opcode == isa::Opcode::Receive)
        link.receives.push_back(d.time);
    }
  }
  return links;
}

} // namespace lpu::sim
