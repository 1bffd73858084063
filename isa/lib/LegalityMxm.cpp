// One MXM plane (T5): the tile being loaded, the tile in use, activation rows,
// sums on their way to the accumulators. Its three queues may be fed in any
// order within a cycle.
#include "LegalityCheck.h"

#include <algorithm>

namespace lpu::isa::legality {

Plane::Plane(const Machine &m, Streams &s, Findings &f)
    : machine(m), streams(s), findings(f), groups(static_cast<std::size_t>(m.superlanes)),
      rows(static_cast<std::size_t>(m.mxmActivationRows)),
      accumulators(static_cast<std::size_t>(m.mxmAccumulatorRows)) {}

namespace {

Direction outbound(const Site &site) { return site.queue.side == Side::East ? Direction::East : Direction::West; }
Direction inbound(const Site &site) { return site.queue.side == Side::East ? Direction::West : Direction::East; }

bool inRange(Findings &findings, const Site &site, const char *what, std::int64_t row, int count) {
  if (row >= 0 && row < count)
    return true;
  findings.add("address-range", site,
               std::string(what) + " " + std::to_string(row) + " is outside of 0 to " + std::to_string(count - 1));
  return false;
}

} // namespace

void Plane::loadWeights(const Site &site) {
  streams.sample(site, outbound(site), site.get(Field::Stream), 16);
  const std::int64_t n = machine.superlanes;
  if (!inRange(findings, site, "row group", site.get(Field::RowGroup), machine.superlanes))
    return;
  const std::int64_t group = (site.row(Field::RowGroup, Field::RowStep) % n + n) % n;
  // An install in this cycle takes the row with it, also when it was fed first; when it takes effect too early for that, it is to blame.
  const bool sameCycle = lastInstall && lastInstall->t == site.t;
  if (sameCycle && machine.latency.MxmLoadWeights > 1)
    findings.add("early-install", *lastInstall, "an lw of this plane stands in the same cycle and is not complete one cycle later");
  std::optional<Cycle> &loaded = (sameCycle ? groupsBefore : groups)[static_cast<std::size_t>(group)];
  if (loaded)
    findings.add("early-lw", site,
                 "row group " + std::to_string(group) + " was loaded at " + std::to_string(*loaded) +
                     " and not installed since");
  loaded = site.t;
}

void Plane::activate(const Site &site) {
  if (site.get(Field::Install) && site.get(Field::Play))
    findings.add("install-play", site, "install and play stand in one word");
  if (site.get(Field::Play))
    play(site);
  if (site.get(Field::Install))
    install(site);
  if (!site.get(Field::Load))
    return;
  streams.sample(site, outbound(site), site.get(Field::LoadStream), 1);
  const std::int64_t row = site.row(Field::LoadRow, Field::LoadStep);
  if (inRange(findings, site, "activation row", row, machine.mxmActivationRows) && !rows[static_cast<std::size_t>(row)])
    rows[static_cast<std::size_t>(row)] = site.t + 1; // T5.2, whatever MxmLoad is
}

void Plane::install(const Site &site) {
  std::optional<Cycle> last;
  bool before = false; // something was loaded in an earlier cycle
  groupsBefore = groups;
  for (std::optional<Cycle> &group : groups) {
    last = std::max(last, group);
    before |= group && *group < site.t;
    group.reset();
  }
  if (!before)
    findings.add("early-install", site, "nothing was loaded into the weight buffer before");
  else if (*last + machine.latency.MxmLoadWeights > site.t + 1)
    findings.add("early-install", site,
                 "the last lw, at " + std::to_string(*last) + ", completes at " +
                     std::to_string(*last + machine.latency.MxmLoadWeights) + "; the install is for plays from " +
                     std::to_string(site.t + 1) + " on");
  lastInstall = site;
}

void Plane::play(const Site &site) {
  if (!lastInstall) // one queue: an install fed before stands in an earlier cycle
    findings.add("no-tile", site, "no tile is installed before cycle " + std::to_string(site.t));
  const std::int64_t row = site.row(Field::PlayRow, Field::PlayStep);
  if (inRange(findings, site, "activation row", row, machine.mxmActivationRows)) {
    const std::optional<Cycle> ready = rows[static_cast<std::size_t>(row)];
    if (!ready || *ready > site.t)
      findings.add("empty-operand", site,
                   "activation row " + std::to_string(row) +
                       (ready ? " can be played from " + std::to_string(*ready) : " was never loaded"));
  }
  sums.push_back({site.t + machine.latency.MxmPlay, site});
}

void Plane::lose(const Sum &sum) {
  Site arrival = sum.play;
  arrival.t = sum.arrival;
  findings.add("lost-sum", arrival,
               "its sum arrives at " + std::to_string(sum.arrival) + " (" + std::to_string(sum.play.t) + " + " +
                   std::to_string(machine.latency.MxmPlay) + ") and no acc takes it");
}

void Plane::accumulate(const Site &site) {
  while (!sums.empty() && sums.front().arrival < site.t) {
    lose(sums.front());
    sums.pop_front();
  }
  const std::int64_t row = site.row(Field::Row, Field::RowStep);
  if (!inRange(findings, site, "accumulator row", row, machine.mxmAccumulatorRows))
    return;
  const auto mode = site.get(Field::AccMode);
  const bool emit = site.get(Field::Emit) != 0;
  if (mode > 2)
    return findings.add("illegal-encoding", site, "accmode 3 stands for nothing");
  if (mode != 0) {
    if (!sums.empty() && sums.front().arrival == site.t)
      sums.pop_front();
    else
      findings.add("no-sum", site,
                   "no sum arrives in cycle " + std::to_string(site.t) +
                       (sums.empty() ? "" : "; the next one does at " + std::to_string(sums.front().arrival)));
  }
  if (mode != 0 || emit) {
    const auto r = static_cast<std::size_t>(row);
    if (mode != static_cast<int>(AccMode::Overwrite) && !accumulators[r])
      findings.add("empty-operand", site, "accumulator row " + std::to_string(row) + " was not written in this step");
    accumulators[r] = true;
  }
  if (emit)
    streams.drive(site, inbound(site), site.get(Field::Stream), 4, site.t + machine.latency.MxmEmit);
}

void Plane::finish() {
  for (const Sum &sum : sums)
    lose(sum);
}

} // namespace lpu::isa::legality
