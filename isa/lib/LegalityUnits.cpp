// VXM (T4) and C2C (T7): results that exist in exactly one cycle, and links
// with spacing, order and a bounded number of waiting vectors.
#include "LegalityCheck.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace lpu::isa::legality {

Alus::Alus(const Machine &m, Streams &s, Findings &f)
    : machine(m), streams(s), findings(f),
      ring(std::bit_ceil(static_cast<std::size_t>(std::max(m.latency.VxmSimple, m.latency.VxmSpecial) + 1))),
      visible(static_cast<std::size_t>(m.vxmAlus) * ring),
      accSince(static_cast<std::size_t>(m.vxmAlus), std::numeric_limits<Cycle>::max()) {}

Alus::Result &Alus::result(std::int64_t alu, Cycle cycle) {
  return visible[static_cast<std::size_t>(alu) * ring + (static_cast<std::size_t>(cycle) & (ring - 1))];
}

void Alus::operand(const Site &site, Field kind, Field index, Field dir, Field width) {
  const std::int64_t number = site.get(index);
  switch (static_cast<OperandKind>(site.get(kind))) {
  case OperandKind::Stream:
    if (site.get(width) > 2)
      return findings.add("illegal-encoding", site, "operand width code 3 stands for nothing");
    return streams.sample(site, static_cast<Direction>(site.get(dir)), number, widthBytes(site.get(width)));
  case OperandKind::Alu:
    if (number >= machine.vxmAlus)
      return findings.add("illegal-encoding", site, "there is no ALU " + std::to_string(number));
    if (const Result &r = result(number, site.t); r.cycle == site.t && r.count > 1)
      findings.add("issue-conflict", site,
                   "two results of ALU " + std::to_string(number) + " become visible in cycle " +
                       std::to_string(site.t));
    else if (r.cycle != site.t)
      findings.add("empty-operand", site,
                   "no result of ALU " + std::to_string(number) + " becomes visible in cycle " +
                       std::to_string(site.t));
    return;
  case OperandKind::Immediate:
    return;
  case OperandKind::Accumulator:
    if (accSince[site.queue.index] > site.t)
      findings.add("empty-operand", site, "this ALU's accumulator was not written before");
    return;
  default:
    return findings.add("illegal-encoding", site, "operand kind " + std::to_string(site.get(kind)) + " of an operand the operation reads");
  }
}

void Alus::dispatch(const Site &site) {
  const int operands = info(site.instruction->opcode).operands;
  if (operands > 0)
    operand(site, Field::AKind, Field::AIndex, Field::ADir, Field::AWidth);
  if (operands > 1)
    operand(site, Field::BKind, Field::BIndex, Field::BDir, Field::BWidth);
  if (operands > 2)
    operand(site, Field::CKind, Field::CIndex, Field::CDir, Field::CWidth);
  const Cycle done = site.t + latencyOf(machine, site.instruction->opcode);
  Result &r = result(site.queue.index, done);
  r = {done, r.cycle == done ? r.count + 1 : 1};
  if (site.get(Field::AccWrite))
    accSince[site.queue.index] = std::min(accSince[site.queue.index], site.t + 1);
  if (!site.get(Field::Out))
    return;
  if (site.get(Field::OutWidth) > 2)
    return findings.add("illegal-encoding", site, "result width code 3 stands for nothing");
  streams.drive(site, static_cast<Direction>(site.get(Field::OutDir)), site.get(Field::OutStream),
                widthBytes(site.get(Field::OutWidth)), done);
}

Links::Links(const Program &program, std::size_t chipClass, Streams &s, Findings &f)
    : machine(program.machine), streams(s), findings(f), links(static_cast<std::size_t>(machine.c2cLinks)) {
  for (const Wire &w : program.wires) {
    const bool loop = w.chipA == w.chipB;
    if (program.chips[w.chipA].chipClass == chipClass)
      links[w.linkA] = {true, loop ? std::optional<int>(w.linkB) : std::nullopt, {}, {}, {}, {}};
    if (program.chips[w.chipB].chipClass == chipClass)
      links[w.linkB] = {true, loop ? std::optional<int>(w.linkA) : std::nullopt, {}, {}, {}, {}};
  }
}

Links::Link *Links::connected(const Site &site) {
  Link &link = links[site.queue.index];
  if (!link.wired)
    findings.add("link-unconnected", site, "nothing is attached to link " + std::to_string(site.queue.index));
  return link.wired ? &link : nullptr;
}

void Links::send(const Site &site) {
  streams.sample(site, static_cast<Direction>(site.get(Field::Dir)), site.get(Field::Stream), 1);
  Link *link = connected(site);
  if (!link)
    return;
  if (link->lastSend && site.t < *link->lastSend + machine.c2cVectorInterval)
    findings.add("link-busy", site,
                 "the last send was at " + std::to_string(*link->lastSend) + ", the next may be at " +
                     std::to_string(*link->lastSend + machine.c2cVectorInterval));
  link->lastSend = site.t;
  if (!link->peer)
    return;
  Link &peer = links[static_cast<std::size_t>(*link->peer)];
  peer.arrivals.push_back(site.t + machine.latency.C2cSend);
  peer.lastArrival = site;
}

void Links::receive(const Site &site) {
  Link *link = connected(site);
  if (!link)
    return;
  const std::size_t next = link->pops.size();
  if (link->peer && (next >= link->arrivals.size() || link->arrivals[next] > site.t))
    return findings.add("link-empty", site,
                        next < link->arrivals.size()
                            ? "the next vector arrives at " + std::to_string(link->arrivals[next])
                            : "no vector is under way");
  link->pops.push_back(site.t);
  streams.drive(site, static_cast<Direction>(site.get(Field::Dir)), site.get(Field::Stream), 1,
                site.t + machine.latency.C2cReceive);
}

/// A vector waits from its arrival until it is popped; a pop in the cycle of an
/// arrival makes room for it.
void Links::finish() {
  for (Link &link : links) {
    std::size_t popped = 0;
    for (std::size_t i = 0; i < link.arrivals.size(); ++i) {
      while (popped < link.pops.size() && link.pops[popped] <= link.arrivals[i])
        ++popped;
      if (i + 1 - popped <= static_cast<std::size_t>(machine.c2cFifoVectors))
        continue;
      findings.add("link-overflow", link.lastArrival,
                   std::to_string(i + 1 - popped) + " vectors wait at cycle " + std::to_string(link.arrivals[i]) +
                       ", there is room for " + std::to_string(machine.c2cFifoVectors));
      break;
    }
  }
}

} // namespace lpu::isa::legality
