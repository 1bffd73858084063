// What a point costs: sums over its workloads, with bands from the table of energy.
#pragma once

#include "lpu/explore/Measured.h"
#include "lpu/explore/Point.h"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace lpu::explore {

struct Costs {
  std::uint64_t chips = 0;
  double cycles = 0, tokenUs = 0, tokensPerSecond = 0;
  std::optional<double> ttftUs;
  isa::Estimate jPerToken, jPerTokenFull, watts, areaMm2;

  /// By the name of a measure, with _low, _typ or _high or without (typical). Empty: not known.
  std::optional<double> value(const std::string &column) const;
};

/// `draws` of the inner band; 0: none, its limits are the outer ones then. Inner bands of several workloads are added
/// up as if they moved together, which they nearly do: the entries are the same. Error: a formula without a value.
Result<Costs> costsOf(const Study &study, const Point &point, std::span<const Measured> jobs, int draws = 0);
/// Costs that no schedule can be below, from jobs that have bounds alone.
Result<Costs> lowestCosts(const Study &study, const Point &point, std::span<const Measured> jobs);
/// Area alone, which needs no compiler.
Result<isa::Estimate> areaOf(const Study &study, const Point &point);

/// Of one workload with its weight: joules per token by entry of the table, static entries for one user alone.
struct EnergyShare {
  std::string entry, part;
  double typical = 0;
};
Result<std::vector<EnergyShare>> energyShares(const Study &study, const Point &point, std::span<const Measured> jobs);

/// Smaller is better: maximized objectives are negated.
std::vector<double> objectivesOf(const Study &study, const Costs &costs);

/// The first constraint that does not hold, as "watts <= 300"; empty: none. Those that name what is not known yet
/// (`costs` is null: everything but the area) are not judged.
Result<std::string> brokenConstraint(const Study &study, const Point &point, const Costs *costs);

} // namespace lpu::explore
