// Steps of single users belong to one sequence each. In frames several share a step, so there the frames of each system
// are counted in which somebody takes part.
#include "LoadEnergy.h"

#include <algorithm>

namespace lpu::serve {
namespace {

/// Time in which at least one of the sequences runs.
Cycle busyCycles(std::vector<std::pair<Cycle, Cycle>> intervals) {
  std::ranges::sort(intervals);
  Cycle busy = 0, until = 0;
  for (const auto &[start, end] : intervals) {
    busy += std::max<Cycle>(0, end - std::max(start, until));
    until = std::max(until, end);
  }
  return busy;
}

} // namespace

Result<LoadEnergy> LoadEnergy::create(const isa::Program &program, const Timing &timing, const std::string &table) {
  auto model = isa::loadEnergyModel(table);
  if (!model)
    return model.error();
  LoadEnergy made(timing);
  for (std::size_t step = 0; step < program.steps.size(); ++step) {
    auto energy = isa::energyOf(*model, program.machine, isa::stepUse(program, step));
    if (!energy)
      return energy.error();
    made.dynamic.push_back(energy->dynamicJoules);
    made.staticWatts = energy->staticWatts;
  }
  return made;
}

std::vector<std::uint64_t> LoadEnergy::stepsOf(const std::vector<Served> &served, unsigned systems) const {
  std::vector<std::uint64_t> counts(dynamic.size());
  std::vector<std::vector<std::pair<Cycle, Cycle>>> intervals(systems);
  for (const Served &one : served) {
    if (one.refused)
      continue;
    if (timing.users() > 1)
      intervals[one.system].emplace_back(one.start, one.end);
    else
      timing.countPrograms(one.prompt, one.tokens, counts);
  }
  for (auto &system : intervals)
    if (timing.users() > 1)
      counts[timing.frameProgram()] += static_cast<std::uint64_t>(busyCycles(std::move(system)) / timing.frame());
  return counts;
}

std::optional<JoulesPerToken> LoadEnergy::perToken(const std::vector<Served> &served, unsigned systems) const {
  std::uint64_t tokens = 0;
  Cycle first = 0, last = 0;
  for (const Served &one : served)
    if (!one.refused) {
      first = tokens == 0 ? one.arrival : first;
      tokens += one.tokens;
      last = std::max(last, one.end);
    }
  if (tokens == 0)
    return std::nullopt;
  constexpr double kNsPerSecond = 1e9;
  const double seconds = static_cast<double>(timing.clock().nanoseconds(last - first)) / kNsPerSecond;
  const std::vector<std::uint64_t> counts = stepsOf(served, systems);
  const auto sum = [&](double isa::Estimate::*value) {
    double joules = staticWatts.*value * systems * seconds;
    for (std::size_t step = 0; step < counts.size(); ++step)
      joules += dynamic[step].*value * static_cast<double>(counts[step]);
    return joules / static_cast<double>(tokens);
  };
  return JoulesPerToken{sum(&isa::Estimate::low), sum(&isa::Estimate::typical), sum(&isa::Estimate::high)};
}

} // namespace lpu::serve
