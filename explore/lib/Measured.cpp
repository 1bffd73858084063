// The part of a compile report that costs follow from: a few kilobytes of a file that has
// megabytes for hundreds of chips.
#include "lpu/explore/Measured.h"

#include "lpu/isa/CountsJson.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace lpu::explore {
namespace {

using Json = nlohmann::ordered_json;

/// The step that costs are of.
const Json &chosenStep(const Json &steps) {
  const auto rank = [](const Json &step) {
    const std::string kind = step.at("kind");
    return std::pair(kind == "decode" ? 2 : kind == "encode" ? 1 : 0, step.at("context").get<std::uint64_t>());
  };
  if (steps.empty())
    throw std::runtime_error("steps");
  return *std::max_element(steps.begin(), steps.end(), [&](const Json &a, const Json &b) { return rank(a) < rank(b); });
}

/// Stages follow each other and chips of a stage work side by side: bounds add up over stages.
void addPrograms(Measured &m, const Json &programs) {
  for (const Json &program : programs) {
    if (program.at("name") != m.step)
      continue;
    m.interval = std::max(m.interval, program.value("predicted_cycles", isa::Cycle{0}));
    m.intervalBound = std::max(m.intervalBound, program.at("lower_bound_cycles").get<isa::Cycle>());
    const auto stages =
        static_cast<isa::Cycle>(program.at("chips").get<std::uint64_t>() / std::max<std::uint64_t>(m.tp, 1));
    m.weightStream += stages * program.at("weight_stream_bound_cycles").get<isa::Cycle>();
    m.resources += stages * program.at("resource_bound_cycles").get<isa::Cycle>();
    m.criticalPath += stages * program.at("critical_path_cycles").get<isa::Cycle>();
    for (const Json &phase : program.at("phases"))
      if (phase.contains("cycles"))
        m.cyclesByBound[phase.at("bound")] += stages * phase.at("cycles").get<isa::Cycle>();
  }
}

Measured fromReport(const Json &report) {
  Measured m;
  const Json &system = report.at("system"), &step = chosenStep(system.at("steps"));
  m.chips = system.at("chips"), m.tp = system.at("tp"), m.pp = system.at("pp"), m.links = system.at("powered_links");
  m.step = step.at("name"), m.kind = step.at("kind");
  m.context = step.at("context"), m.tokens = step.at("tokens"), m.users = step.at("users");
  m.cycles = step.value("predicted_cycles", isa::Cycle{0});
  m.boundCycles = step.at("lower_bound_cycles");
  addPrograms(m, report.at("programs"));
  if (const double ttft = system.value("ttft_us", 0.0); ttft > 0)
    m.ttftUs = ttft;
  const Json &memory = report.at("memory_worst_chip");
  for (const char *kind : {"weights", "kv", "activation", "code", "capacity"})
    m.memory[kind] = memory.at(std::string(kind) + "_bytes");
  if (step.contains("counts")) {
    const Result<isa::Counts> counts = isa::countsFromJson(step.at("counts"));
    if (!counts)
      throw std::runtime_error("counts");
    m.counts = *counts;
  }
  return m;
}

Measured fromStore(const Json &json) {
  Measured m;
  m.chips = json.at("chips"), m.tp = json.at("tp"), m.pp = json.at("pp"), m.links = json.at("links");
  m.step = json.at("step"), m.kind = json.at("kind");
  m.context = json.at("context"), m.tokens = json.at("tokens"), m.users = json.at("users");
  m.cycles = json.at("cycles"), m.interval = json.at("interval");
  m.boundCycles = json.at("bound_cycles"), m.intervalBound = json.at("interval_bound");
  m.weightStream = json.at("weight_stream"), m.resources = json.at("resources");
  m.criticalPath = json.at("critical_path");
  m.cyclesByBound = json.at("cycles_by_bound").get<std::map<std::string, isa::Cycle>>();
  m.memory = json.at("memory").get<std::map<std::string, std::uint64_t>>();
  if (json.contains("ttft_us"))
    m.ttftUs = json.at("ttft_us").get<double>();
  const Result<isa::Counts> counts = isa::countsFromJson(json.at("counts"));
  if (!counts)
    throw std::runtime_error("counts");
  m.counts = *counts;
  return m;
}

Result<Measured> guarded(const std::string &json, Measured (*read)(const Json &)) {
  try {
    return read(Json::parse(json));
  } catch (const std::exception &e) {
    return Error{"", std::string("a report is not as expected: ") + e.what()};
  }
}

} // namespace

isa::StepUse Measured::use() const {
  isa::StepUse use;
  use.counts = counts;
  use.latencyCycles = cycles, use.intervalCycles = interval;
  use.chips = chips, use.links = links;
  use.tokens = tokens * users;
  return use;
}

Result<Measured> measuredFromReport(const std::string &json) { return guarded(json, fromReport); }

std::string writeMeasured(const Measured &m) {
  Json json = {{"chips", m.chips},
               {"tp", m.tp},
               {"pp", m.pp},
               {"links", m.links},
               {"step", m.step},
               {"kind", m.kind},
               {"context", m.context},
               {"tokens", m.tokens},
               {"users", m.users},
               {"cycles", m.cycles},
               {"interval", m.interval},
               {"bound_cycles", m.boundCycles},
               {"interval_bound", m.intervalBound},
               {"weight_stream", m.weightStream},
               {"resources", m.resources},
               {"critical_path", m.criticalPath},
               {"cycles_by_bound", m.cyclesByBound},
               {"memory", m.memory},
               {"counts", isa::countsJson<Json>(m.counts)}};
  if (m.ttftUs)
    json["ttft_us"] = *m.ttftUs;
  return json.dump();
}

Result<Measured> readMeasured(const std::string &json) { return guarded(json, fromStore); }

} // namespace lpu::explore
