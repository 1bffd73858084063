// One MXM plane (T5): the tile being loaded, the tile in use, activation rows,
// sums on their way to the accumulators. Its three queues may be fed in any
// order within a cycle.
#include "LegalityCheck.h"

#include <algorithm>
#include <bit>

namespace lpu::isa::legality {

Plane::Plane(const Machine &m, Streams &s, Findings &f)
    : machine(m), streams(s), findings(f), groups(static_cast<std::size_t>(m.superlanes)),
      rows(static_cast<std::size_t>(m.mxmActivationRows)),
      accumulators(static_cast<std::size_t>(m.mxmAccumulatorRows), Format::Empty) {}

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
  if (site.get(Field::Packed) && !machine.mxmInt4Expand)
    return findings.add("illegal-encoding", site, "this machine's lw does not expand packed int4 (mxm.int4_expand)");
  streams.sample(site, outbound(site), site.get(Field::Stream), 16);
  const std::int64_t n = machine.superlanes;
  if (!inRange(findings, site, "row group", site.get(Field::RowGroup), machine.superlanes))
    return;
  // An install in this cycle takes the row with it, also when it was fed first; when it takes effect too early for
  // that, it is to blame.
  const bool sameCycle = lastInstall && lastInstall->t == site.t;
  if (sameCycle && machine.latency.MxmLoadWeights > machine.latency.MxmInstall)
    findings.add("early-install", *lastInstall,
                 "an lw of this plane stands in the same cycle and is not complete when the plays may begin");
  for (std::int64_t i = 0; i <= site.get(Field::Packed); ++i) {
    const std::int64_t group = ((site.row(Field::RowGroup, Field::RowStep) + i) % n + n) % n;
    std::optional<Cycle> &loaded = (sameCycle ? groupsBefore : groups)[static_cast<std::size_t>(group)];
    if (loaded)
      findings.add("early-lw", site,
                   "row group " + std::to_string(group) + " was loaded at " + std::to_string(*loaded) +
                       " and not installed since");
    loaded = site.t;
  }
}

void Plane::activate(const Site &site) {
  if (site.get(Field::Fp16) && !site.get(Field::Play))
    findings.add("illegal-encoding", site, "fp16 without a play stands for nothing");
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
    rows[static_cast<std::size_t>(row)] = site.t + machine.latency.MxmLoad;
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
  else if (*last + machine.latency.MxmLoadWeights > site.t + machine.latency.MxmInstall)
    findings.add("early-install", site,
                 "the last lw, at " + std::to_string(*last) + ", completes at " +
                     std::to_string(*last + machine.latency.MxmLoadWeights) + "; the install is for plays from " +
                     std::to_string(site.t + machine.latency.MxmInstall) + " on");
  lastInstall = site;
  if (!firstInstalled)
    firstInstalled = site.t + machine.latency.MxmInstall;
}

void Plane::play(const Site &site) {
  if (!firstInstalled || *firstInstalled > site.t)
    findings.add("no-tile", site,
                 "no tile is in place in cycle " + std::to_string(site.t) +
                     (firstInstalled ? ", the first one is from " + std::to_string(*firstInstalled) + " on" : ""));
  const std::int64_t row = site.row(Field::PlayRow, Field::PlayStep);
  if (inRange(findings, site, "activation row", row, machine.mxmActivationRows)) {
    const std::optional<Cycle> ready = rows[static_cast<std::size_t>(row)];
    if (!ready || *ready > site.t)
      findings.add("empty-operand", site,
                   "activation row " + std::to_string(row) +
                       (ready ? " can be played from " + std::to_string(*ready) : " was never loaded"));
  }
  if (site.get(Field::Fp16))
    checkHalf(site);
  sums.push_back({site.t + machine.latency.MxmPlay, site});
}

void Plane::report(const char *category, const Sum &sum, const std::string &detail) {
  Site arrival = sum.play;
  arrival.t = sum.arrival;
  findings.add(category, arrival,
               "its sum arrives at " + std::to_string(sum.arrival) + " (" + std::to_string(sum.play.t) + " + " +
                   std::to_string(machine.latency.MxmPlay) + ") and " + detail);
}

void Plane::lose(const Sum &sum) {
  if (sum.isHalf() && isUpper)
    report("unpaired-play", sum, "the lower plane of the side has no half of it that is taken");
  else
    report("lost-sum", sum, "no acc takes it");
}

void Plane::loseBefore(Cycle t) {
  for (; !sums.empty() && sums.front().arrival < t; sums.pop_front())
    lose(sums.front());
}

/// T5.6: what can be told from the word alone.
void Plane::checkHalf(const Site &site) {
  if (!partner)
    return findings.add("illegal-encoding", site, "this plane has no other to sum fp16 values with");
  const int played =
      std::popcount(static_cast<std::uint64_t>(site.get(Field::Mask)) & ((std::uint64_t{1} << machine.superlanes) - 1));
  if (played > machine.superlanes / 2)
    findings.add("illegal-encoding", site,
                 "a pass of fp16 values takes " + std::to_string(machine.superlanes / 2) +
                     " superlanes at most, the mask has " + std::to_string(played));
}

bool Plane::takesPartner(const Sum &half) {
  if (!partner)
    return false;
  partner->loseBefore(half.arrival);
  std::deque<Sum> &others = partner->sums;
  if (others.empty() || others.front().arrival != half.arrival || !others.front().isHalf() ||
      others.front().play.get(Field::Mask) != half.play.get(Field::Mask))
    return false;
  others.pop_front();
  return true;
}

Plane::Format Plane::take(const Site &site) {
  if (sums.empty() || sums.front().arrival != site.t || (isUpper && sums.front().isHalf())) {
    findings.add("no-sum", site,
                 "no sum arrives in cycle " + std::to_string(site.t) +
                     (sums.empty() ? "" : "; the next one does at " + std::to_string(sums.front().arrival)));
    return Format::Empty;
  }
  const Sum sum = sums.front();
  sums.pop_front();
  if (!sum.isHalf())
    return Format::Int32;
  if (!takesPartner(sum))
    report("unpaired-play", sum, "the upper plane of the side plays no half with the same mask then");
  return Format::Fp32;
}

void Plane::accumulate(const Site &site) {
  loseBefore(site.t);
  const std::int64_t row = site.row(Field::Row, Field::RowStep);
  if (!inRange(findings, site, "accumulator row", row, machine.mxmAccumulatorRows))
    return;
  const auto mode = static_cast<AccMode>(site.get(Field::AccMode));
  const bool emit = site.get(Field::Emit) != 0;
  const Format sum = mode != AccMode::None ? take(site) : Format::Empty;
  if (Format &held = accumulators[static_cast<std::size_t>(row)]; mode != AccMode::None || emit) {
    const Format adds = mode == AccMode::Add ? Format::Int32 : mode == AccMode::AddF ? Format::Fp32 : Format::Empty;
    if (mode != AccMode::Overwrite && held == Format::Empty)
      findings.add("empty-operand", site, "accumulator row " + std::to_string(row) + " was not written in this step");
    else if (adds != Format::Empty && sum != Format::Empty && (sum != adds || held != adds))
      findings.add("sum-format", site,
                   std::string("adds ") + (adds == Format::Fp32 ? "fp32" : "int32") + ", the sum is " +
                       (sum == Format::Fp32 ? "fp32" : "int32") + " and accumulator row " + std::to_string(row) +
                       " holds " + (held == Format::Fp32 ? "fp32" : "int32"));
    if (sum != Format::Empty || held == Format::Empty)
      held = sum != Format::Empty ? sum : Format::Int32;
  }
  if (emit)
    streams.drive(site, inbound(site), site.get(Field::Stream), 4, site.t + machine.latency.MxmEmit);
}

void Plane::finish() {
  for (const Sum &sum : sums)
    lose(sum);
}

} // namespace lpu::isa::legality
