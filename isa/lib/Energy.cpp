// Counts times a table. The outer band puts every entry at its low or high value;
// for the inner one entries are drawn independently, log-triangular around their
// typical values. Draws belong to an entry and a seed, so that what is common to
// two points of a study is drawn alike in both, and their ratio has a narrow band.
#include "lpu/isa/Energy.h"

#include "EnergyDraws.h"
#include "lpu/isa/Formula.h"
#include "lpu/isa/Program.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace lpu::isa {
namespace {

constexpr double kPico = 1e-12;

/// An entry, and how many of its unit there are.
struct Amount {
  const EnergyEntry *entry;
  double factor; ///< to joules, watts or mm²
};

/// Sums of drawn amounts.
class Band {
public:
  explicit Band(const EnergyOptions &o) : options(o), sums(static_cast<std::size_t>(std::max(o.draws, 0)), 0.0) {}

  void add(const Amount &amount) {
    const EnergyEntry &entry = *amount.entry;
    total.low += amount.factor * entry.low;
    total.typical += amount.factor * entry.typical;
    total.high += amount.factor * entry.high;
    if (sums.empty())
      return;
    const std::vector<double> &draws = drawsOf(entry, options.draws, options.seed)->values;
    for (std::size_t k = 0; k < sums.size(); ++k)
      sums[k] += amount.factor * draws[k];
  }
  void add(const std::vector<Amount> &amounts, double times = 1) {
    for (const Amount &a : amounts)
      add({a.entry, a.factor * times});
  }

  Estimate estimate(double times = 1) {
    Estimate e{total.low * times, total.typical * times, total.high * times, total.low * times, total.high * times};
    if (!sums.empty())
      e.p5 = percentile(sums, 0.05) * times, e.p95 = percentile(sums, 0.95) * times;
    return e;
  }

private:
  const EnergyOptions &options;
  Estimate total;
  std::vector<double> sums;
};

Estimate estimateOf(const Amount &amount, const EnergyOptions &options) {
  const EnergyEntry &entry = *amount.entry;
  Estimate e{amount.factor * entry.low, amount.factor * entry.typical, amount.factor * entry.high,
             amount.factor * entry.low, amount.factor * entry.high};
  if (options.draws <= 0)
    return e;
  const auto draws = drawsOf(entry, options.draws, options.seed);
  e.p5 = amount.factor * draws->p5, e.p95 = amount.factor * draws->p95;
  return e;
}

std::uint64_t countNamed(const Counts &counts, const std::string &name) {
  if (name == "words")
    return counts.allWords();
  if (name == "vectors_sent")
    return counts.allSent();
  for (const CountInfo &kind : countKinds())
    if (kind.key == name)
      return counts[kind.count];
  return 0;
}

/// A table on one machine: its formulas have become numbers.
class Costing {
public:
  static Result<Costing> of(const EnergyModel &model, const Machine &machine, const EnergyOptions &options) {
    Costing c(model, machine, options);
    if (Status s = c.scaleAll(); !s)
      return s.error();
    return c;
  }

  std::vector<Amount> dynamic(const Counts &counts) const {
    std::vector<Amount> amounts;
    for (std::size_t i = 0; i < model->dynamic.size(); ++i) {
      const EnergyEntry &entry = model->dynamic[i];
      double number = 0;
      for (const std::string &name : entry.counts)
        number += static_cast<double>(countNamed(counts, name));
      if (entry.unit == "pJ/bit")
        number *= 8.0 * machine->rowBytes();
      amounts.push_back({&entry, number * dynamicScale[i] * kPico});
    }
    return amounts;
  }

  /// Watts of so many chips and powered links.
  std::vector<Amount> statics(std::uint64_t chips, std::uint64_t links) const {
    std::vector<Amount> amounts;
    for (std::size_t i = 0; i < model->statics.size(); ++i) {
      const EnergyEntry &entry = model->statics[i];
      amounts.push_back({&entry, static_cast<double>(entry.unit == "W/link" ? links : chips) * staticScale[i]});
    }
    return amounts;
  }

  /// Square millimetres, without overhead.
  std::vector<Amount> areas() const {
    std::vector<Amount> amounts;
    for (std::size_t i = 0; i < model->areas.size(); ++i)
      amounts.push_back({&model->areas[i], areaScale[i]});
    return amounts;
  }

private:
  Costing(const EnergyModel &model, const Machine &machine, const EnergyOptions &options)
      : model(&model), machine(&machine), variables(machineVariables(machine)) {
    const double logic = options.logicVolts.value_or(model.volts.logic);
    variables["volts.logic"] = logic;
    variables["volts.sram"] = logic + (model.volts.sram - model.volts.logic);
  }

  Status scaleAll() {
    if (Status s = scale(model->areas, areaScale); !s)
      return s;
    for (std::size_t i = 0; i < model->areas.size(); ++i)
      variables["area." + model->areas[i].name] = model->areas[i].typical * areaScale[i];
    if (Status s = scale(model->dynamic, dynamicScale); !s)
      return s;
    return scale(model->statics, staticScale);
  }

  Status scale(const std::vector<EnergyEntry> &entries, std::vector<double> &to) const {
    for (const EnergyEntry &entry : entries) {
      const Result<double> value = entry.scale.empty() ? Result<double>(1.0) : evaluate(entry.scale, variables);
      if (!value)
        return Error{place(entry), fmt::format("scale of '{}': {}", entry.name, value.error().message)};
      if (*value < 0)
        return Error{place(entry), fmt::format("scale of '{}' is {} on machine '{}'; it must not be negative",
                                               entry.name, *value, machine->name)};
      to.push_back(*value);
    }
    return Ok{};
  }
  std::string place(const EnergyEntry &entry) const { return fmt::format("{}:{}", model->file, entry.line); }

  const EnergyModel *model;
  const Machine *machine;
  Variables variables;
  std::vector<double> dynamicScale, staticScale, areaScale;
};

std::vector<EnergyTerm> terms(const std::vector<Amount> &amounts, double times, const EnergyOptions &options) {
  std::vector<EnergyTerm> list;
  for (const Amount &a : amounts)
    list.push_back({a.entry->name, a.entry->part, estimateOf({a.entry, a.factor * times}, options)});
  return list;
}

Estimate scaled(const Estimate &e, double by) {
  return {e.low * by, e.typical * by, e.high * by, e.p5 * by, e.p95 * by};
}

} // namespace

double voltageForClock(const EnergyModel &model, double clockGHz) {
  const auto &v = model.volts;
  const auto speed = [&](double volts) { return std::pow(volts - v.threshold, v.alpha) / volts; };
  const double wanted = speed(v.logic) * clockGHz / v.atGHz;
  double low = v.threshold, high = 10;
  for (double middle = (low + high) / 2; low < middle && middle < high; middle = (low + high) / 2)
    (speed(middle) < wanted ? low : high) = middle; // speed grows with the voltage
  return high;
}

StepUse stepUse(const Program &program, std::size_t step) {
  StepUse use;
  use.counts = countStep(program, step);
  use.latencyCycles = program.steps[step].predictedCycles;
  for (const Chip &chip : program.chips)
    use.intervalCycles = std::max(use.intervalCycles, program.classes[chip.chipClass].programs[step].predictedCycles);
  use.chips = program.chips.size();
  use.links = poweredLinks(program);
  use.tokens = std::uint64_t{program.steps[step].tokens} * program.steps[step].users;
  return use;
}

Result<StepEnergy> energyOf(const EnergyModel &model, const Machine &machine, const StepUse &use,
                            const EnergyOptions &options) {
  const Result<Costing> costing = Costing::of(model, machine, options);
  if (!costing)
    return costing.error();
  const double hertz = machine.clockGHz * 1e9;
  const double alone = static_cast<double>(use.latencyCycles) / hertz,
               interval = static_cast<double>(use.intervalCycles) / hertz;
  const std::vector<Amount> dynamic = costing->dynamic(use.counts), watts = costing->statics(use.chips, use.links);
  StepEnergy energy;
  energy.dynamic = terms(dynamic, 1, options);
  energy.staticAlone = terms(watts, alone, options);
  energy.staticFullPipeline = terms(watts, interval, options);
  Band dynamicBand(options), staticBand(options);
  dynamicBand.add(dynamic);
  staticBand.add(watts);
  energy.dynamicJoules = dynamicBand.estimate();
  energy.staticWatts = staticBand.estimate();
  Band aloneBand = dynamicBand, fullBand = dynamicBand;
  aloneBand.add(watts, alone);
  fullBand.add(watts, interval);
  energy.aloneJoules = aloneBand.estimate();
  energy.fullPipelineJoules = fullBand.estimate();
  const double tokens = static_cast<double>(std::max<std::uint64_t>(use.tokens, 1));
  energy.alonePerToken = scaled(energy.aloneJoules, 1 / tokens);
  energy.fullPipelinePerToken = scaled(energy.fullPipelineJoules, 1 / tokens);
  if (alone > 0)
    energy.aloneWatts = scaled(energy.aloneJoules, 1 / alone);
  if (interval > 0)
    energy.fullPipelineWatts = scaled(energy.fullPipelineJoules, 1 / interval);
  return energy;
}

Result<Area> areaOf(const EnergyModel &model, const Machine &machine, const EnergyOptions &options) {
  const Result<Costing> costing = Costing::of(model, machine, options);
  if (!costing)
    return costing.error();
  Area area;
  Band band(options);
  for (const Amount &part : costing->areas()) {
    area.parts.push_back({part.entry->name, estimateOf(part, options)});
    band.add(part);
  }
  area.total = band.estimate(model.floorplanFactor);
  return area;
}

Result<std::vector<double>> typicalDynamicJoules(const EnergyModel &model, const Machine &machine,
                                                 std::span<const Counts> counts, const EnergyOptions &options) {
  const Result<Costing> costing = Costing::of(model, machine, options);
  if (!costing)
    return costing.error();
  std::vector<double> joules;
  for (const Counts &own : counts) {
    double sum = 0;
    for (const Amount &a : costing->dynamic(own))
      sum += a.factor * a.entry->typical;
    joules.push_back(sum);
  }
  return joules;
}

Result<std::vector<std::pair<std::string, double>>> typicalDynamicJoulesByPart(const EnergyModel &model,
                                                                               const Machine &machine,
                                                                               const Counts &counts,
                                                                               const EnergyOptions &options) {
  const Result<Costing> costing = Costing::of(model, machine, options);
  if (!costing)
    return costing.error();
  std::vector<std::pair<std::string, double>> parts;
  for (const Amount &a : costing->dynamic(counts)) {
    auto known = std::ranges::find(parts, a.entry->part, [](const auto &p) { return p.first; });
    if (known == parts.end())
      known = parts.insert(known, {a.entry->part, 0.0});
    known->second += a.factor * a.entry->typical;
  }
  return parts;
}

Result<StaticWatts> typicalStaticWatts(const EnergyModel &model, const Machine &machine, const EnergyOptions &options) {
  const Result<Costing> costing = Costing::of(model, machine, options);
  if (!costing)
    return costing.error();
  StaticWatts watts;
  for (const Amount &a : costing->statics(1, 1))
    (a.entry->unit == "W/link" ? watts.link : watts.chip) += a.factor * a.entry->typical;
  return watts;
}

} // namespace lpu::isa
