#include "lpu/explore/Costs.h"

#include <algorithm>
#include <fmt/format.h>

namespace lpu::explore {
namespace {

void add(isa::Estimate &to, const isa::Estimate &more, double weight) {
  to.low += weight * more.low, to.typical += weight * more.typical, to.high += weight * more.high;
  to.p5 += weight * more.p5, to.p95 += weight * more.p95;
}

isa::Estimate scaled(const isa::Estimate &e, double by) {
  isa::Estimate out;
  add(out, e, by);
  return out;
}

isa::EnergyOptions optionsOf(const Point &point, int draws) {
  isa::EnergyOptions options;
  options.logicVolts = point.logicVolts;
  options.draws = draws;
  return options;
}

double microseconds(const Point &point, double cycles) { return cycles / (point.machine.clockGHz * 1e3); }

/// Columns that are known before anything was compiled.
bool isAreaName(const std::string &name) { return name.starts_with("area_mm2"); }
bool isMeasured(const std::string &name) {
  return std::ranges::any_of(measures(), [&](const Measure &m) { return name.starts_with(m.name); });
}

} // namespace

std::optional<double> Costs::value(const std::string &column) const {
  const auto is = [&](const char *name) { return column == name; };
  if (is("chips"))
    return static_cast<double>(chips);
  if (is("cycles"))
    return cycles;
  if (is("token_us"))
    return tokenUs;
  if (is("ttft_us"))
    return ttftUs;
  if (is("tokens_per_second"))
    return tokensPerSecond;
  for (const auto &[name, estimate] : {std::pair("j_per_token", &jPerToken),
                                       {"j_per_token_full", &jPerTokenFull},
                                       {"watts", &watts},
                                       {"area_mm2", &areaMm2}}) {
    const std::string base = name;
    if (column == base || column == base + "_typ")
      return estimate->typical;
    if (column == base + "_low")
      return estimate->low;
    if (column == base + "_high")
      return estimate->high;
  }
  return std::nullopt;
}

Result<Costs> costsOf(const Study &study, const Point &point, std::span<const Measured> jobs, int draws) {
  Costs costs;
  costs.ttftUs = 0;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const Measured &m = jobs[i];
    const double weight = study.workloads[i].weight;
    const double cycles = static_cast<double>(m.cycles) / static_cast<double>(m.userTokens());
    const Result<isa::StepEnergy> energy = isa::energyOf(study.energy, point.machine, m.use(), optionsOf(point, draws));
    if (!energy)
      return energy.error();
    costs.chips = std::max(costs.chips, m.chips);
    costs.cycles += weight * cycles;
    costs.tokenUs += weight * microseconds(point, cycles);
    if (costs.ttftUs && m.ttftUs)
      *costs.ttftUs += weight * *m.ttftUs;
    else
      costs.ttftUs.reset();
    add(costs.jPerToken, energy->alonePerToken, weight);
    add(costs.jPerTokenFull, energy->fullPipelinePerToken, weight);
    if (const isa::Estimate watts = scaled(energy->fullPipelineWatts, 1.0 / static_cast<double>(m.chips));
        watts.typical > costs.watts.typical)
      costs.watts = watts;
  }
  costs.tokensPerSecond = costs.tokenUs > 0 ? 1e6 / costs.tokenUs : 0;
  const Result<isa::Area> area = isa::areaOf(study.energy, point.machine, optionsOf(point, draws));
  if (!area)
    return area.error();
  costs.areaMm2 = area->total;
  return costs;
}

Result<Costs> lowestCosts(const Study &study, const Point &point, std::span<const Measured> jobs) {
  std::vector<Measured> bounds(jobs.begin(), jobs.end());
  for (Measured &m : bounds) {
    m.cycles = m.boundCycles, m.interval = m.intervalBound;
    m.counts = {}; // no work yet: static power alone
  }
  Result<Costs> lowest = costsOf(study, point, bounds);
  if (lowest)
    lowest->ttftUs = 0, lowest->watts = {};
  return lowest;
}

Result<isa::Estimate> areaOf(const Study &study, const Point &point) {
  const Result<isa::Area> area = isa::areaOf(study.energy, point.machine, optionsOf(point, 0));
  return area ? Result<isa::Estimate>(area->total) : area.error();
}

Result<std::vector<EnergyShare>> energyShares(const Study &study, const Point &point, std::span<const Measured> jobs) {
  std::vector<EnergyShare> shares;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const isa::StepUse use = jobs[i].use();
    const Result<isa::StepEnergy> energy = isa::energyOf(study.energy, point.machine, use, optionsOf(point, 0));
    if (!energy)
      return energy.error();
    for (const auto *terms : {&energy->dynamic, &energy->staticAlone})
      for (const isa::EnergyTerm &term : *terms) {
        auto known = std::ranges::find(shares, term.entry, &EnergyShare::entry);
        if (known == shares.end())
          known = shares.insert(known, {term.entry, term.part, 0});
        known->typical += study.workloads[i].weight * term.joules.typical / static_cast<double>(use.tokens);
      }
  }
  return shares;
}

std::vector<double> objectivesOf(const Study &study, const Costs &costs) {
  std::vector<double> values;
  for (const Objective &o : study.objectives) {
    const double value = costs.value(o.column).value_or(0);
    values.push_back(o.maximize ? -value : value);
  }
  return values;
}

Result<std::string> brokenConstraint(const Study &study, const Point &point, const Costs *costs) {
  for (const Constraint &c : study.constraints) {
    isa::Variables values = point.numbers;
    bool isKnown = true;
    for (const std::string &name : c.names) {
      if (!isMeasured(name))
        continue;
      std::optional<double> value;
      if (costs) {
        value = costs->value(name);
      } else if (isAreaName(name)) {
        const Result<isa::Estimate> area = areaOf(study, point);
        if (!area)
          return area.error();
        Costs only;
        only.areaMm2 = *area;
        value = only.value(name);
      }
      isKnown &= value.has_value();
      if (value)
        values[name] = *value;
    }
    if (!isKnown)
      continue;
    const Result<double> holds = isa::evaluate(c.expression, values);
    if (!holds)
      return Error{fmt::format("{}:{}", study.file, c.line), fmt::format("constraints: {}", holds.error().message)};
    if (*holds == 0)
      return c.expression;
  }
  return std::string();
}

} // namespace lpu::explore
