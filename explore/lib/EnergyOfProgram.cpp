// Energy and area of a compiled program: its words are counted, by operation and over time, and priced.
#include "lpu/explore/Session.h"
#include "lpu/isa/Program.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <fmt/format.h>
#include <map>

namespace lpu::explore {
namespace {

using Json = nlohmann::ordered_json;
constexpr isa::Cycle kBins = 64, kShortestBin = 32;

struct LabelJoules {
  std::string label;
  double joules = 0;
};

struct PricedStep {
  const isa::SystemStep *step = nullptr;
  isa::StepUse use;
  isa::StepEnergy energy;
  std::vector<LabelJoules> labels; ///< typical dynamic joules of all chips, most first
  std::vector<double> watts;       ///< of the system, typical, static power included, by bin
  isa::Cycle binCycles = 0;
};

class Pricer {
public:
  Pricer(const isa::Program &program, const isa::EnergyModel &model) : program(program), model(model) {}

  Result<PricedStep> price(std::size_t number) const {
    PricedStep p;
    p.step = &program.steps[number];
    p.use = isa::stepUse(program, number);
    Result<isa::StepEnergy> energy = isa::energyOf(model, program.machine, p.use);
    if (!energy)
      return energy.error();
    p.energy = std::move(*energy);
    p.binCycles = std::max(kShortestBin, (p.use.latencyCycles + kBins - 1) / kBins);
    p.watts.assign(static_cast<std::size_t>((p.use.latencyCycles + p.binCycles - 1) / p.binCycles), 0);
    for (std::size_t c = 0; c < program.classes.size(); ++c)
      if (Status added = addClass(number, c, p); !added)
        return added.error();
    const double binSeconds = static_cast<double>(p.binCycles) / (program.machine.clockGHz * 1e9);
    for (double &watts : p.watts)
      watts = watts / binSeconds + p.energy.staticWatts.typical;
    std::ranges::stable_sort(p.labels, std::greater<>(), &LabelJoules::joules);
    return p;
  }

private:
  const isa::Program &program;
  const isa::EnergyModel &model;

  /// Chips of a class do the same, each from its own start on.
  Status addClass(std::size_t number, std::size_t chipClass, PricedStep &p) const {
    const isa::StepProgram &code = program.classes[chipClass].programs[number];
    if (code.queues.empty() || p.watts.empty())
      return Ok{};
    const isa::CountedProgram counted = isa::countProgram(program.machine, code, p.binCycles);
    const Result<std::vector<double>> byTime = isa::typicalDynamicJoules(model, program.machine, counted.byTime),
                                      byLabel = isa::typicalDynamicJoules(model, program.machine, counted.byLabel);
    if (!byTime)
      return byTime.error();
    if (!byLabel)
      return byLabel.error();
    double chips = 0;
    for (const isa::Chip &chip : program.chips) {
      if (chip.chipClass != chipClass)
        continue;
      ++chips;
      const isa::Cycle start = number < chip.start.size() ? chip.start[number] : 0;
      for (std::size_t b = 0; b < byTime->size(); ++b) {
        const auto bin = static_cast<std::size_t>(start / p.binCycles) + b;
        p.watts[std::min(bin, p.watts.size() - 1)] += (*byTime)[b];
      }
    }
    for (std::size_t l = 0; l < byLabel->size(); ++l) {
      auto known = std::ranges::find(p.labels, code.labels[l], &LabelJoules::label);
      if (known == p.labels.end())
        known = p.labels.insert(known, {code.labels[l], 0});
      known->joules += chips * (*byLabel)[l];
    }
    return Ok{};
  }
};

Json bandJson(const isa::Estimate &e) {
  return {{"low", e.low}, {"typical", e.typical}, {"high", e.high}, {"p5", e.p5}, {"p95", e.p95}};
}

Json termsJson(const std::vector<isa::EnergyTerm> &terms) {
  Json list = Json::array();
  for (const isa::EnergyTerm &t : terms)
    list.push_back({{"entry", t.entry}, {"part", t.part}, {"joules", bandJson(t.joules)}});
  return list;
}

Json stepJson(const PricedStep &p) {
  Json labels = Json::array();
  for (const LabelJoules &l : p.labels)
    labels.push_back({{"label", l.label}, {"joules", l.joules}});
  return {{"name", p.step->name},
          {"kind", isa::stepKindName(p.step->kind)},
          {"context", p.step->context},
          {"tokens", p.use.tokens},
          {"latency_cycles", p.use.latencyCycles},
          {"interval_cycles", p.use.intervalCycles},
          {"j_per_token", bandJson(p.energy.alonePerToken)},
          {"j_per_token_full", bandJson(p.energy.fullPipelinePerToken)},
          {"watts", bandJson(p.energy.aloneWatts)},
          {"watts_full", bandJson(p.energy.fullPipelineWatts)},
          {"static_watts", bandJson(p.energy.staticWatts)},
          {"dynamic_joules", bandJson(p.energy.dynamicJoules)},
          {"dynamic", termsJson(p.energy.dynamic)},
          {"static_alone", termsJson(p.energy.staticAlone)},
          {"static_full", termsJson(p.energy.staticFullPipeline)},
          {"operations", labels},
          {"bin_cycles", p.binCycles},
          {"watts_by_bin", p.watts}};
}

std::string bandText(const isa::Estimate &e, const char *unit) {
  return fmt::format("{:>10.4g} {:<3} low {:<10.4g} high {:<10.4g} 5-95 % {:.4g} to {:.4g}", e.typical, unit, e.low,
                     e.high, e.p5, e.p95);
}

std::string stepText(const PricedStep &p) {
  std::string text = fmt::format("\n{}: {} cycles, {} tokens\n", p.step->name, p.use.latencyCycles, p.use.tokens);
  text += fmt::format("  token, one user alone {}\n", bandText(p.energy.alonePerToken, "J"));
  text += fmt::format("  token, pipeline full  {}\n", bandText(p.energy.fullPipelinePerToken, "J"));
  text += fmt::format("  power, one user alone {}\n", bandText(p.energy.aloneWatts, "W"));
  text += fmt::format("  power, pipeline full  {}\n", bandText(p.energy.fullPipelineWatts, "W"));
  const double all = p.energy.aloneJoules.typical;
  text += "  of a step, one user alone, typical\n";
  for (const auto *terms : {&p.energy.dynamic, &p.energy.staticAlone})
    for (const isa::EnergyTerm &t : *terms)
      if (t.joules.typical > 0)
        text += fmt::format("    {:<16}{:<9}{:>12.4g} J {:5.1f} %\n", t.entry, t.part, t.joules.typical,
                            100 * t.joules.typical / all);
  text += "  operations that take most, without static power\n";
  for (std::size_t i = 0; i < std::min<std::size_t>(5, p.labels.size()); ++i)
    text += fmt::format("    {:<25}{:>12.4g} J\n", p.labels[i].label, p.labels[i].joules);
  if (!p.watts.empty()) {
    const auto [least, most] = std::ranges::minmax_element(p.watts);
    text += fmt::format("  over time, in {} cycles each: {:.4g} to {:.4g} W\n", p.binCycles, *least, *most);
  }
  return text;
}

std::string programText(const isa::Program &program, const isa::EnergyModel &model, const isa::Area &area,
                        const std::vector<PricedStep> &steps) {
  std::string text = fmt::format("{} on {} chips of {}, table {}{}; raw, without its calibration factor of {}\n",
                                 program.model.name, program.chips.size(), program.machine.name, model.name,
                                 model.guess ? " (a guess)" : "", model.calibration.factor);
  for (const PricedStep &p : steps)
    text += stepText(p);
  text += fmt::format("\narea of a chip          {}\n", bandText(area.total, "mm2"));
  for (const isa::AreaPart &part : area.parts)
    text += fmt::format("    {:<20}{}\n", part.name, bandText(part.mm2, "mm2"));
  return text + fmt::format("    everything between them: parts times {}\n", model.floorplanFactor);
}

std::string programJson(const isa::Program &program, const isa::EnergyModel &model, const isa::Area &area,
                        const std::vector<PricedStep> &steps) {
  Json json;
  json["schema"] = "lpu-explore-energy"; // docs/spec/reports.md
  json["schema_version"] = 1;
  json["model"] = program.model.name;
  json["machine"] = program.machine.name;
  json["chips"] = program.chips.size();
  json["powered_links"] = isa::poweredLinks(program);
  json["table"] = model.name;
  json["guess"] = model.guess;
  json["calibration_factor"] = model.calibration.factor;
  Json &list = json["steps"] = Json::array();
  for (const PricedStep &p : steps)
    list.push_back(stepJson(p));
  json["area_mm2"] = bandJson(area.total);
  Json &parts = json["area_parts"] = Json::array();
  for (const isa::AreaPart &part : area.parts)
    parts.push_back({{"part", part.name}, {"mm2", bandJson(part.mm2)}});
  json["floorplan_factor"] = model.floorplanFactor;
  return json.dump(2) + "\n";
}

} // namespace

Result<std::string> energyText(const std::string &path, const std::string &modelName, bool asJson) {
  const Result<isa::Program> program = isa::readProgram(path);
  if (!program)
    return program.error();
  const Result<isa::EnergyModel> model = isa::loadEnergyModel(modelName);
  if (!model)
    return model.error();
  std::vector<PricedStep> steps;
  for (std::size_t i = 0; i < program->steps.size(); ++i) {
    Result<PricedStep> step = Pricer(*program, *model).price(i);
    if (!step)
      return step.error();
    steps.push_back(std::move(*step));
  }
  const Result<isa::Area> area = isa::areaOf(*model, program->machine);
  if (!area)
    return area.error();
  return asJson ? programJson(*program, *model, *area, steps) : programText(*program, *model, *area, steps);
}

} // namespace lpu::explore
