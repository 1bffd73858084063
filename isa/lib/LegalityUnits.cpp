// VXM (T4) and the chip's side of C2C (T7): results that exist in exactly one
// cycle, and links with their spacing.
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
    return findings.add("illegal-encoding", site,
                        "operand kind " + std::to_string(site.get(kind)) + " of an operand the operation reads");
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

Links::Links(const Machine &m, Streams &s, Findings &f, std::vector<LinkUse> &u)
    : machine(m), streams(s), findings(f), uses(u), lastSends(static_cast<std::size_t>(m.c2cLinks)) {}

void Links::send(const Site &site, const Dispatch &dispatch) {
  std::optional<Cycle> &last = lastSends[site.queue.index];
  if (last && site.t < *last + machine.c2cVectorInterval)
    findings.add("link-busy", site,
                 "the last send was at " + std::to_string(*last) + ", the next may be at " +
                     std::to_string(*last + machine.c2cVectorInterval));
  last = site.t;
  streams.sample(site, static_cast<Direction>(site.get(Field::Dir)), site.get(Field::Stream), 1);
  uses.push_back({dispatch, static_cast<std::uint8_t>(site.queue.index), true});
}

void Links::receive(const Site &site, const Dispatch &dispatch) {
  uses.push_back({dispatch, static_cast<std::uint8_t>(site.queue.index), false});
  streams.drive(site, static_cast<Direction>(site.get(Field::Dir)), site.get(Field::Stream), 1,
                site.t + machine.latency.C2cReceive);
}

} // namespace lpu::isa::legality
