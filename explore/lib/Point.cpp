// Points and their keys. A key says what was computed, by content: the machine after all
// values, the model's bytes, the mapping, the steps, the compiler. Energy tables are not
// in it, because counts do not depend on them.
#include "lpu/explore/Point.h"

#include "lpu/isa/Sha256.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace lpu::explore {
namespace {

/// Grows when the same compiler's report is used in another way.
constexpr int kEvaluator = 1;

constexpr std::string_view kMapping = "mapping.";

double toNumber(const std::string &text) { return std::stod(text); }

bool isNumberKey(const std::string &key) {
  if (!key.starts_with(kMapping))
    return true;
  return std::ranges::any_of(mappingKeys(),
                             [&](const MappingKey &m) { return m.isNumber && key.substr(kMapping.size()) == m.name; });
}

/// Sets what the values and the derived expressions say; `impossible` if something does not go.
void setNumbers(const Study &study, Point &point, isa::Variables &changes) {
  point.numbers = study.baseNumbers;
  const auto set = [&](const std::string &key, double value) {
    point.numbers[key] = value;
    if (!key.starts_with(kMapping))
      changes[key] = value;
  };
  for (const auto &[key, value] : point.values)
    if (isNumberKey(key))
      set(key, toNumber(value));
  for (const Derived &d : study.derived) {
    if (point.values.contains(d.key)) // sensitivity moves a derived key by itself
      continue;
    const Result<double> value = isa::evaluate(d.expression, point.numbers);
    if (!value) {
      point.impossible = value.error().message;
      return;
    }
    set(d.key, *value);
  }
}

/// The workload's own mapping under that of the point.
Values mappingOf(const Study &study, const Workload &workload, const Point &point) {
  Values mapping = workload.mapping;
  for (const auto &[key, value] : point.values)
    if (key.starts_with(kMapping))
      mapping[key.substr(kMapping.size())] = value;
  for (const Derived &d : study.derived)
    if (const auto value = point.numbers.find(d.key); d.key.starts_with(kMapping) && value != point.numbers.end())
      mapping[d.key.substr(kMapping.size())] = fmt::format("{}", value->second);
  return mapping;
}

std::vector<std::string> argumentsOf(const Workload &workload, const Values &mapping) {
  std::vector<std::string> words;
  if (!workload.steps.empty())
    words.push_back(fmt::format("--steps={}", fmt::join(workload.steps, ",")));
  for (const auto &[name, value] : mapping) {
    const auto key = std::ranges::find(mappingKeys(), name, &MappingKey::name);
    if (!key->option.empty())
      words.push_back(fmt::format("{}={}", key->option, value));
    else if (value == "fastest")
      words.push_back("--fastest");
    else
      words.push_back("--fit");
  }
  return words;
}

/// The law of the table is one of a supply near its own; no transistor of the process bears a far higher one.
void setVoltage(const Study &study, Point &point) {
  constexpr double kMostTimes = 2;
  const auto &own = study.energy.volts;
  const double volts = isa::voltageForClock(study.energy, point.machine.clockGHz);
  if (volts <= kMostTimes * own.logic)
    point.logicVolts = volts;
  else
    point.impossible = fmt::format("'clock.ghz' is {}, which needs more than {} V, {} times the {} V of {} GHz",
                                   point.machine.clockGHz, kMostTimes * own.logic, kMostTimes, own.logic, own.atGHz);
}

std::string machineKeyText(const isa::Machine &machine) {
  isa::Machine unnamed = machine; // a name is no property of the hardware
  unnamed.name = "machine";
  return isa::writeMachine(unnamed);
}

void setKeys(const Study &study, const std::string &build, const isa::Variables &changes, Point &point) {
  // An impossible machine has a key as well: of what was asked for.
  std::string machine = point.impossible.empty() ? machineKeyText(point.machine) : machineKeyText(study.base);
  if (!point.impossible.empty())
    for (const auto &[key, value] : changes)
      machine += fmt::format("{}={}\n", key, value);
  std::string keys;
  for (std::size_t i = 0; i < study.workloads.size(); ++i) {
    const Workload &workload = study.workloads[i];
    const Values mapping = mappingOf(study, workload, point);
    Job job{i, "", argumentsOf(workload, mapping)};
    const auto named = mapping.find("topology");
    const auto topology = study.topologies.find(named == mapping.end() ? "" : named->second);
    job.key =
        hex(sha256(fmt::format("evaluator {}\ncompiler {}\nmodel {} {}\n{}\n{}", kEvaluator, build,
                               workload.isShape ? "shape" : "file", workload.digest, fmt::join(job.arguments, " "),
                               topology == study.topologies.end() ? machine : machine + topology->second)));
    keys += job.key + fmt::format(" {}\n", workload.weight);
    point.jobs.push_back(std::move(job));
  }
  point.key = point.jobs.size() == 1 ? point.jobs.front().key : hex(sha256(keys));
}

} // namespace

Point makePoint(const Study &study, const Values &values, const std::string &build) {
  Point point;
  point.values = values;
  isa::Variables changes;
  setNumbers(study, point, changes);
  point.machine = study.base;
  if (point.impossible.empty()) {
    if (Result<isa::Machine> machine = isa::machineWith(study.base, changes))
      point.machine = std::move(*machine);
    else
      point.impossible = machine.error().message;
  }
  if (study.voltageFromClock && point.impossible.empty())
    setVoltage(study, point);
  if (!build.empty())
    setKeys(study, build, changes, point);
  return point;
}

std::vector<std::string> shownKeys(const Study &study) {
  std::vector<std::string> keys;
  const auto add = [&](const std::string &key) {
    if (std::ranges::find(keys, key) == keys.end())
      keys.push_back(key);
  };
  for (const Parameter &p : study.parameters)
    add(p.key);
  for (const Derived &d : study.derived)
    add(d.key);
  for (const isa::Unpublished &u : study.sensitivity.keys)
    add(u.key);
  return keys;
}

std::string shownValue(const Study &study, const Point &point, const std::string &key) {
  if (const auto chosen = point.values.find(key); chosen != point.values.end())
    return chosen->second;
  if (const auto number = point.numbers.find(key); number != point.numbers.end())
    return fmt::format("{}", number->second);
  if (key.starts_with(kMapping)) {
    const std::string name = key.substr(kMapping.size());
    const auto given = study.workloads.front().mapping.find(name);
    if (given != study.workloads.front().mapping.end())
      return given->second;
  }
  return "";
}

} // namespace lpu::explore
