// Counts of short intervals over what fits into them.
#include "Activity.h"

#include <algorithm>

namespace lpu::sim {

namespace {

using isa::Count;
using isa::Counts;
using isa::Cycle;

constexpr Cycle kMostBins = 512, kShortestBin = 32;

/// Shares of the most that can happen in a cycle.
struct Capacity {
  double products, laneOperations, memoryBytes, byteHops, vectors;

  explicit Capacity(const isa::Machine &m)
      : products(2.0 * m.mxmPlanesPerSide * m.lanes() * m.lanes()),
        laneOperations(static_cast<double>(m.vxmAlus) * m.lanes()),
        memoryBytes(2.0 * m.memSlicesPerSide * 2 * m.lanes()), // a read and a write in each slice
        byteHops(2.0 * m.streamsPerDirection * 2 * m.maxPosition() * m.lanes()),
        vectors(static_cast<double>(m.c2cLinks) / m.c2cVectorInterval) {}
};

double percent(double part, double whole) { return whole > 0 ? 100 * part / whole : 0; }

} // namespace

std::vector<std::string> curveNames() {
  return {"power, W", "MXM in use, %", "VXM in use, %", "MEM in use, %", "streams in use, %", "links in use, %"};
}

Result<Activity> activityOf(const isa::Machine &machine, const isa::StepProgram &step, const isa::EnergyModel &model,
                            std::uint64_t links) {
  const auto watts = isa::typicalStaticWatts(model, machine);
  if (!watts)
    return watts.error();
  Activity activity;
  activity.total = isa::countProgram(machine, step).total;
  const auto length = static_cast<Cycle>(activity.total[Count::SuperlaneCycles]) / machine.superlanes;
  activity.bin = std::max(kShortestBin, (length + kMostBins - 1) / kMostBins);
  activity.idle[0] = watts->chip + static_cast<double>(links) * watts->link;
  const isa::CountedProgram counted = isa::countProgram(machine, step, activity.bin);
  const Capacity most(machine);
  const double cycles = static_cast<double>(activity.bin), seconds = cycles / (machine.clockGHz * 1e9);
  const auto number = [](const Counts &counts, auto... kinds) { return (static_cast<double>(counts[kinds]) + ...); };
  const auto joules = isa::typicalDynamicJoules(model, machine, counted.byTime);
  if (!joules)
    return joules.error();
  for (std::size_t i = 0; i < joules->size(); ++i) {
    const Counts &counts = counted.byTime[i];
    activity.values.push_back(
        {activity.idle[0] + (*joules)[i] / seconds,
         // Of fp16 values a pair of planes multiplies half of its superlanes.
         percent(number(counts, Count::ProductsInt8) + 4 * number(counts, Count::ProductsFp16), most.products * cycles),
         percent(number(counts, Count::VxmSimple, Count::VxmSpecial), most.laneOperations * cycles),
         percent(
             number(counts, Count::SramReadBytes, Count::SramWrittenBytes, Count::GatheredBytes, Count::ScatteredBytes),
             most.memoryBytes * cycles),
         percent(number(counts, Count::StreamByteHops), most.byteHops * cycles),
         percent(static_cast<double>(counts.allSent()), most.vectors * cycles)});
  }
  return activity;
}

} // namespace lpu::sim
