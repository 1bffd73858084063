// Studies: YAML text to a checked Study. Strict, because a misspelled key would
// silently explore something else for hours.
#include "Conditions.h"
#include "StrictYaml.h"

#include "lpu/explore/Study.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <functional>
#include <optional>
#include <regex>
#include <set>

namespace lpu::explore {
namespace {

constexpr std::size_t kMostValues = 100000; ///< of one parameter

const MappingKey *mappingKeyNamed(std::string_view name) {
  const auto known = std::ranges::find(mappingKeys(), name, &MappingKey::name);
  return known == mappingKeys().end() ? nullptr : &*known;
}

class Reader : StrictYaml {
public:
  Reader(const std::string &file, StudyFiles &files) : StrictYaml(file), files(files) { study.file = file; }

  Result<Study> run(const std::string &text) {
    study.text = text;
    if (const Status done = read(text, [this](const YAML::Node &root) { parseRoot(root); }); !done)
      return done.error();
    return std::move(study);
  }

private:
  StudyFiles &files;
  Study study;

  void parseRoot(const YAML::Node &root) {
    if (!root.IsMap() || root.size() == 0)
      fail(root, "", "a study must be a map of keys; it needs 'workloads' at least");
    // What others refer to is read first, wherever it stands.
    readMachine(root, root["base"]);
    readEnergy(root, root["energy"]);
    const Use done = [](const auto &, const auto &) {};
    parseMap(root, root, "",
             {{"name", word("name", study.name)},
              {"base", done},
              {"energy", done},
              {"workloads", [&](auto &at, auto &n) { parseWorkloads(at, n); }, true},
              {"parameters", [&](auto &at, auto &n) { parseParameters(at, n); }},
              {"derived", [&](auto &at, auto &n) { parseDerived(at, n); }},
              {"constraints", [&](auto &at, auto &n) { parseConstraints(at, n); }},
              {"objectives", [&](auto &at, auto &n) { parseObjectives(at, n); }},
              {"search", [&](auto &at, auto &n) { parseSearch(at, n); }},
              {"sensitivity", [&](auto &at, auto &n) { parseSensitivity(at, n); }}});
    if (study.name.empty())
      study.name = std::filesystem::path(study.file).stem().string();
    if (study.objectives.empty())
      study.objectives = {{"token_us"}, {"j_per_token"}, {"area_mm2"}};
    checkDerived();
    checkConstraints();
    checkSize(root);
    checkPruning(root);
  }

  void readMachine(const YAML::Node &root, const YAML::Node &node) {
    const std::string spelled = node.IsDefined() ? scalar(node) : "tsp1";
    const YAML::Node &at = node.IsDefined() ? node : root;
    const Result<std::string> text = files.machine(spelled);
    if (!text)
      fail(at, "base",
           fmt::format("'{}' is {}; give a preset or a file beside the study", spelled, text.error().message));
    const Result<isa::Machine> machine = isa::parseMachine(*text, spelled);
    if (!machine)
      throw machine.error(); // names the machine's own file and line
    study.base = *machine;
    study.baseNumbers = isa::machineVariables(study.base);
    baseText = *text;
    baseSpelled = spelled;
  }
  std::string baseText, baseSpelled;

  void readEnergy(const YAML::Node &root, const YAML::Node &node) {
    const std::string spelled = node.IsDefined() ? scalar(node) : "gf14";
    const Result<std::string> text = files.energy(spelled);
    if (!text)
      fail(node.IsDefined() ? node : root, "energy",
           fmt::format("'{}' is {}; give a preset or a file beside the study", spelled, text.error().message));
    Result<isa::EnergyModel> model = isa::parseEnergyModel(*text, spelled);
    if (!model)
      throw model.error();
    study.energy = std::move(*model);
  }

  void parseWorkloads(const YAML::Node &at, const YAML::Node &node) {
    if (!node.IsSequence() || node.size() == 0)
      fail(at, "workloads", "must be a list of models; write - {arch: FILE.yaml, context: 512, steps: [decode]}");
    for (const auto &item : node) {
      Workload own;
      parseWorkload(item, own);
      for (const Workload &other : study.workloads)
        if (other.name == own.name)
          fail(item, "workloads", fmt::format("two have the name '{}'; give one a name: of its own", own.name));
      study.workloads.push_back(std::move(own));
    }
  }

  /// A longer prompt would be timed as one that fills the context.
  void checkPrompt(const YAML::Node &at, const Values &mapping) const {
    const auto prompt = mapping.find("prompt_tokens"), context = mapping.find("context");
    if (prompt != mapping.end() && context != mapping.end() && numberIn(prompt->second) > numberIn(context->second))
      fail(at, "prompt_tokens",
           fmt::format("{} are more than the context of {} holds; raise context or ask for fewer", prompt->second,
                       context->second));
  }

  void parseWorkload(const YAML::Node &node, Workload &own) {
    own.line = node.Mark().line + 1;
    std::string arch, model;
    std::vector<Key> keys = {{"name", word("name", own.name)},
                             {"arch", word("arch", arch)},
                             {"model", word("model", model)},
                             {"weight", number("weight", own.weight, 1e-9, 1e9)},
                             {"steps", [&](auto &at, auto &n) { own.steps = stepWords(at, n); }}};
    for (const MappingKey &key : mappingKeys())
      keys.push_back({std::string(key.name), [&](auto &at, auto &n) {
                        own.mapping[std::string(key.name)] = mappingValue(at, key, std::string(key.name), scalar(n));
                      }});
    parseMap(node, node, "workloads", keys);
    if (arch.empty() == model.empty())
      fail(node, "arch", "one of arch (a shape) and model (a file with weights) must say what to compile");
    own.isShape = model.empty();
    own.model = own.isShape ? arch : model;
    if (own.name.empty())
      own.name = std::filesystem::path(own.model).stem().string();
    if (own.mapping.contains("partition") && own.mapping["partition"] == "fastest" && !own.mapping.contains("chips"))
      fail(node, "partition", "fastest needs the number of chips at most; add chips:");
    checkPrompt(node, own.mapping);
    const Result<std::string> digest = files.digest(own.model);
    if (!digest)
      fail(node, own.isShape ? "arch" : "model", fmt::format("'{}' {}", own.model, digest.error().message));
    own.digest = *digest;
    own.path = files.path(own.model);
  }

  std::vector<std::string> words(const YAML::Node &at, const YAML::Node &node, const std::string &key) const {
    std::vector<std::string> list;
    if (node.IsScalar())
      list.push_back(node.Scalar());
    else if (node.IsSequence())
      for (const auto &item : node)
        list.push_back(scalar(item));
    if (list.empty() || std::ranges::find(list, "") != list.end())
      fail(at, key, "must be a word or a list of words");
    return list;
  }

  std::vector<std::string> stepWords(const YAML::Node &at, const YAML::Node &node) const {
    static const std::regex known("(decode|prefill|encode)(_[0-9x]+)?");
    std::vector<std::string> list = words(at, node, "steps");
    for (const std::string &word : list)
      if (!std::regex_match(word, known))
        fail(at, "steps",
             fmt::format("'{}' is no step; write decode, prefill, encode, or a name such as decode_512", word));
    return list;
  }

  /// A file is named by where the compiler finds it.
  std::string topology(const YAML::Node &at, const std::string &name, const std::string &text) {
    if (text == "node" || text == "rail" || text == "dragonfly")
      return text;
    const Result<std::string> digest = files.digest(text);
    if (!digest)
      fail(at, name,
           fmt::format("'{}' is none of node, rail, dragonfly, and as a file it {}", text, digest.error().message));
    study.topologies[files.path(text)] = *digest;
    return files.path(text);
  }

  std::string mappingValue(const YAML::Node &at, const MappingKey &key, const std::string &name,
                           const std::string &text) {
    if (key.isNumber) {
      const std::optional<double> value = numberIn(text);
      if (!value || *value < 1 || *value != std::floor(*value))
        fail(at, name, fmt::format("'{}' is no whole number from 1 on; write one", text));
      return fmt::format("{}", *value);
    }
    if (text.empty())
      fail(at, name, "must be a word");
    if (key.name == "topology")
      return topology(at, name, text);
    if (!key.words.empty() && std::ranges::find(key.words, text) == key.words.end())
      fail(at, name, fmt::format("'{}' is none of {}; write one of them", text, fmt::join(key.words, ", ")));
    return text;
  }

  /// Machine key or mapping key; anything else is an error that names the nearest.
  void checkKey(const YAML::Node &at, const std::string &key) const {
    if (study.baseNumbers.contains(key) || (key.starts_with("mapping.") && mappingKeyNamed(key.substr(8))))
      return;
    std::vector<std::string> near;
    const std::string section = key.substr(0, key.find('.'));
    for (const auto &[name, value] : study.baseNumbers)
      if (name.starts_with(section + "."))
        near.push_back(name);
    for (const MappingKey &m : mappingKeys())
      if (section == "mapping" || near.empty())
        near.push_back(fmt::format("mapping.{}", m.name));
    fail(at, key, fmt::format("is no key of a machine or mapping; there are {}", join(near)));
  }

  void parseParameters(const YAML::Node &at, const YAML::Node &node) {
    if (!node.IsMap())
      fail(at, "parameters", "must be a map; write lanes.superlanes: [16, 20]");
    for (const auto &entry : node) {
      Parameter own{scalar(entry.first), {}, entry.first.Mark().line + 1};
      checkKey(entry.first, own.key);
      if (std::ranges::find(study.parameters, own.key, &Parameter::key) != study.parameters.end())
        fail(entry.first, own.key, "appears twice; remove one");
      parseValues(entry.first, entry.second, own);
      std::set<std::string> distinct(own.values.begin(), own.values.end());
      if (distinct.size() != own.values.size())
        fail(entry.first, own.key, "has a value twice; remove one");
      study.parameters.push_back(std::move(own));
    }
  }

  void parseValues(const YAML::Node &at, const YAML::Node &node, Parameter &own) {
    const bool isListed = node.IsMap() && node["values"].IsDefined();
    const YAML::Node list = isListed ? node["values"] : node;
    if (isListed) {
      parseMap(at, node, own.key, {{"values", [](auto &, auto &) {}}, {"voltage", [&](auto &k, auto &n) {
                                                                         parseVoltage(k, n, own.key);
                                                                       }}});
    } else if (node.IsMap()) {
      parseRange(at, node, own);
      return;
    }
    if (list.IsScalar())
      own.values.push_back(valueText(at, own.key, list.Scalar()));
    else if (list.IsSequence())
      for (const auto &item : list)
        own.values.push_back(valueText(item, own.key, scalar(item)));
    if (own.values.empty())
      fail(at, own.key, "has no values; write a list, or {from: A, to: B, step: S}");
    if (own.values.size() > kMostValues)
      fail(at, own.key, fmt::format("has more than {} values; take fewer", kMostValues));
  }

  void parseVoltage(const YAML::Node &at, const YAML::Node &node, const std::string &key) {
    if (key != "clock.ghz" || scalar(node) != "from-clock")
      fail(at, "voltage", "only 'from-clock' is known, and only beside clock.ghz");
    study.voltageFromClock = true;
  }

  void parseRange(const YAML::Node &at, const YAML::Node &node, Parameter &own) {
    double from = 0, to = 0, step = 0, factor = 0;
    parseMap(at, node, own.key,
             {{"from", number("from", from, -1e12, 1e12), true},
              {"to", number("to", to, -1e12, 1e12), true},
              {"step", number("step", step, 1e-9, 1e12)},
              {"factor", number("factor", factor, 1 + 1e-6, 1e6)},
              {"voltage", [&](auto &k, auto &n) { parseVoltage(k, n, own.key); }}});
    if ((step > 0) == (factor > 0))
      fail(at, own.key, "needs either step or factor beside from and to; add one");
    if (to < from || (factor > 0 && from <= 0))
      fail(at, own.key, fmt::format("{} to {} is no range; from must not be above to, nor 0 with factor", from, to));
    // Each value from its index, so that no error of rounding adds up.
    for (std::size_t k = 0;; ++k) {
      const double n = static_cast<double>(k), value = step > 0 ? from + n * step : from * std::pow(factor, n);
      if (value > to * (1 + 1e-12) + 1e-12)
        break;
      if (k == kMostValues)
        fail(at, own.key, fmt::format("has more than {} values; take a larger step", kMostValues));
      own.values.push_back(valueText(at, own.key, fmt::format("{:.12g}", value)));
    }
  }

  std::string valueText(const YAML::Node &at, const std::string &key, const std::string &text) {
    if (key.starts_with("mapping."))
      return mappingValue(at, *mappingKeyNamed(key.substr(8)), key, text);
    const std::optional<double> value = numberIn(text);
    if (!value)
      fail(at, key, fmt::format("'{}' is no number; write one", text));
    return fmt::format("{}", *value);
  }

  void parseDerived(const YAML::Node &at, const YAML::Node &node) {
    if (!node.IsMap())
      fail(at, "derived", "must be a map; write KEY: \"EXPRESSION\"");
    for (const auto &entry : node) {
      Derived own{scalar(entry.first), scalar(entry.second), entry.first.Mark().line + 1};
      checkKey(entry.first, own.key);
      if (own.key.starts_with("mapping.") && !mappingKeyNamed(own.key.substr(8))->isNumber)
        fail(entry.first, own.key, "is a word, which no expression yields; make it a parameter");
      if (std::ranges::find(study.derived, own.key, &Derived::key) != study.derived.end())
        fail(entry.first, own.key, "appears twice; remove one");
      study.derived.push_back(std::move(own));
    }
  }

  Error at(int line, const std::string &key, const std::string &message) const {
    return {place(line - 1), fmt::format("{}: {}", key, message)};
  }

  /// Numbers that expressions may name: machine keys, and the mapping keys that this study sets.
  bool isNumberKey(const std::string &key) const {
    if (study.baseNumbers.contains(key))
      return true;
    const MappingKey *mapping = key.starts_with("mapping.") ? mappingKeyNamed(key.substr(8)) : nullptr;
    if (!mapping || !mapping->isNumber)
      return false;
    const auto own = [&](const auto &p) { return p.key == key; };
    return std::ranges::any_of(study.parameters, own) || std::ranges::any_of(study.derived, own);
  }

  /// Expressions are known and evaluate, each after those it names.
  void checkDerived() {
    for (const Derived &d : study.derived)
      if (std::ranges::find(study.parameters, d.key, &Parameter::key) != study.parameters.end())
        throw at(d.line, d.key, "is a parameter as well; remove one of the two");
    std::vector<Derived> ordered, open = study.derived;
    while (!open.empty()) {
      const auto ready = std::ranges::find_if(open, [&](const Derived &d) { return !waitsFor(d, open); });
      if (ready == open.end())
        throw at(open.front().line, open.front().key,
                 fmt::format("depends on itself through '{}'; break the cycle", *waitsFor(open.front(), open)));
      ordered.push_back(*ready);
      open.erase(ready);
    }
    study.derived = std::move(ordered);
    checkUnits();
  }

  std::vector<std::string> namesOf(int line, const std::string &key, const std::string &expression,
                                   const char *remedy) const {
    const Result<std::vector<std::string>> names = isa::namesIn(expression);
    if (!names)
      throw at(line, key, fmt::format("{}; {}", names.error().message, remedy));
    return *names;
  }

  std::optional<std::string> waitsFor(const Derived &d, const std::vector<Derived> &open) const {
    for (const std::string &name : namesOf(d.line, d.key, d.expression, "write arithmetic over keys")) {
      if (!isNumberKey(name))
        throw at(
            d.line, d.key,
            fmt::format("'{}' is not known in '{}'; name keys of the machine, or mapping keys that this study sets",
                        name, d.expression));
      if (std::ranges::find(open, name, &Derived::key) != open.end())
        return name;
    }
    return std::nullopt;
  }

  /// Of the base, with the first value of each parameter.
  isa::Variables firstNumbers() const {
    isa::Variables values = study.baseNumbers;
    for (const Parameter &p : study.parameters)
      if (const std::optional<double> first = numberIn(p.values.front()))
        values[p.key] = *first;
    return values;
  }

  /// At the base a derived number must be one that its key can have: cycles are whole.
  void checkUnits() {
    isa::Variables values = firstNumbers();
    for (const Derived &d : study.derived) {
      const Result<double> value = isa::evaluate(d.expression, values);
      if (!value)
        throw at(d.line, d.key, value.error().message + "; change the expression");
      values[d.key] = *value;
      if (d.key.starts_with("mapping."))
        continue;
      if (const Result<isa::Machine> machine = isa::machineWith(study.base, {{d.key, *value}});
          !machine && *value != std::floor(*value))
        throw at(d.line, d.key, machine.error().message);
    }
    checkedNumbers = std::move(values);
  }
  isa::Variables checkedNumbers; ///< at the base, with derived ones

  void parseConstraints(const YAML::Node &at, const YAML::Node &node) {
    for (const std::string &text : words(at, node, "constraints"))
      study.constraints.push_back({text, {}, at.Mark().line + 1});
    if (node.IsSequence())
      for (std::size_t i = 0; i < node.size(); ++i)
        study.constraints[i].line = node[i].Mark().line + 1;
  }

  void checkConstraints() {
    for (Constraint &c : study.constraints) {
      c.names = namesOf(c.line, "constraints", c.expression, "write a comparison, with == for equality");
      for (const std::string &name : c.names)
        if (!isNumberKey(name) && !isMeasured(name))
          throw at(c.line, "constraints",
                   fmt::format("'{}' in '{}' is neither a key nor a column; columns are {}", name, c.expression,
                               join(measuredNames())));
      checkCompared(c);
    }
  }

  /// What is no comparison would hold, or not, without a look at any point; so would a side without a finite value.
  void checkCompared(const Constraint &c) const {
    const auto sides = comparedIn(c.expression);
    if (!sides)
      throw at(c.line, "constraints",
               fmt::format("'{}' is no comparison; write two sides with <, <=, >, >=, == or != between them, and join "
                           "comparisons by && or ||",
                           c.expression));
    for (const std::string_view side : *sides) {
      const std::string text(side);
      if (std::ranges::any_of(namesOf(c.line, "constraints", text, "write arithmetic on each side"), isMeasured))
        continue;
      if (const Result<double> value = isa::evaluate(text, checkedNumbers); !value)
        throw at(c.line, "constraints", value.error().message + "; change the expression");
    }
  }

  static std::vector<std::string> measuredNames() {
    std::vector<std::string> names;
    for (const Measure &m : measures())
      names.emplace_back(m.name);
    return names;
  }
  static bool isMeasured(const std::string &name) {
    return std::ranges::any_of(measures(), [&](const Measure &m) {
      return name == m.name ||
             (m.hasBand && (name == fmt::format("{}_low", m.name) || name == fmt::format("{}_typ", m.name) ||
                            name == fmt::format("{}_high", m.name)));
    });
  }

  void parseObjectives(const YAML::Node &at, const YAML::Node &node) {
    if (!node.IsSequence() && !node.IsMap())
      fail(at, "objectives", "must be a list; write [token_us: min, j_per_token: min]");
    const auto one = [&](const YAML::Node &key, const YAML::Node &value) {
      const std::string name = scalar(key), direction = scalar(value);
      if (!isMeasured(name))
        fail(key, "objectives", fmt::format("'{}' is no column; columns are {}", name, join(measuredNames())));
      if (direction != "min" && direction != "max")
        fail(key, "objectives", fmt::format("'{}: {}' must end in min or max", name, direction));
      if (std::ranges::find(study.objectives, name, &Objective::column) != study.objectives.end())
        fail(key, "objectives", fmt::format("'{}' appears twice; remove one", name));
      study.objectives.push_back({name, direction == "max"});
    };
    for (const auto &item : node) {
      if (!node.IsSequence())
        one(item.first, item.second);
      else if (item.IsMap())
        for (const auto &entry : item)
          one(entry.first, entry.second);
      else
        fail(item, "objectives", fmt::format("'{}' needs a direction; write {}: min", scalar(item), scalar(item)));
    }
    if (study.objectives.empty())
      fail(at, "objectives", "is empty; write [token_us: min, j_per_token: min]");
  }

  void parseSearch(const YAML::Node &at, const YAML::Node &node) {
    static const std::vector<std::pair<std::string, Method>> methods = {
        {"grid", Method::Grid},     {"random", Method::Random},   {"sobol", Method::Sobol}, {"oat", Method::Oat},
        {"morris", Method::Morris}, {"halving", Method::Halving}, {"nsga2", Method::Nsga2}};
    SearchPlan &plan = study.search;
    const auto method = [&](const YAML::Node &key, const YAML::Node &value) {
      std::vector<std::string> names;
      for (const auto &[name, known] : methods) {
        names.push_back(name);
        if (scalar(value) == name) {
          plan.method = known;
          return;
        }
      }
      fail(key, "method", fmt::format("'{}' is unknown; methods are {}", scalar(value), join(names)));
    };
    if (node.IsScalar()) {
      method(at, node);
      return;
    }
    parseMap(at, node, "search",
             {{"method", method, true},
              {"seed", count("seed", plan.seed, 0)},
              {"budget", count("budget", plan.budget, 1)},
              {"population", count("population", plan.population, 4)},
              {"prune", [&](auto &key, auto &value) {
                 if (scalar(value) != "true" && scalar(value) != "false")
                   fail(key, "prune", "is true or false");
                 plan.prune = scalar(value) == "true";
               }}});
  }

  /// All points are held in memory together.
  void checkSize(const YAML::Node &root) const {
    const bool isWhole = study.search.method == Method::Grid && study.search.budget == 0;
    const std::uint64_t size = study.gridSize(), points = isWhole ? size : std::min(size, study.search.budget);
    if (points > kMostPoints)
      fail(root["search"].IsDefined() ? root["search"] : root["parameters"], "search",
           fmt::format("asks for {}{} points, and {} are the most; take {}", points,
                       size == kMostGridSize ? " or more" : "", kMostPoints,
                       isWhole ? "fewer values, or another search with a budget such as {method: sobol, budget: 1000}"
                               : "a smaller budget"));
  }

  /// A bound proves something only of the partition that it was computed for.
  void checkPruning(const YAML::Node &root) const {
    if (!study.search.prune)
      return;
    const auto given = [&](const Workload &w, const char *key) {
      return w.mapping.contains(key) || isNumberKey(fmt::format("mapping.{}", key));
    };
    for (const Workload &w : study.workloads)
      if (!(given(w, "tp") && given(w, "pp")))
        fail(root["search"], "prune",
             fmt::format("bounds hold for a partition that is known before; add tp: and pp: to workload '{}'", w.name));
  }

  void parseSensitivity(const YAML::Node &at, const YAML::Node &node) {
    std::vector<std::string> keys;
    study.sensitivity.factors = {0.5, 2};
    parseMap(at, node, "sensitivity",
             {{"keys", [&](auto &key, auto &value) { keys = words(key, value, "keys"); }, true},
              {"factors", [&](auto &key, auto &value) { parseFactors(key, value); }}});
    const Result<std::vector<isa::Unpublished>> marks = isa::parseUnpublished(baseText, baseSpelled);
    if (!marks)
      throw marks.error();
    if (keys == std::vector<std::string>{"not-published"}) {
      study.sensitivity.keys = *marks;
      if (marks->empty())
        fail(at, "keys", fmt::format("machine '{}' marks nothing as not published; name keys", baseSpelled));
      return;
    }
    for (const std::string &key : keys) {
      if (!study.baseNumbers.contains(key))
        fail(at, "keys",
             fmt::format("'{}' is no key of a machine; write not-published, or keys such as "
                         "latency.mxm_play",
                         key));
      const auto marked = std::ranges::find(*marks, key, &isa::Unpublished::key);
      study.sensitivity.keys.push_back(marked == marks->end() ? isa::Unpublished{key, {}, {}} : *marked);
    }
  }

  void parseFactors(const YAML::Node &at, const YAML::Node &node) {
    study.sensitivity.factors.clear();
    for (const std::string &text : words(at, node, "factors")) {
      const std::optional<double> factor = numberIn(text);
      if (!factor || *factor <= 0 || *factor == 1)
        fail(at, "factors", fmt::format("'{}' is no positive number other than 1; write such as [0.5, 2]", text));
      study.sensitivity.factors.push_back(*factor);
    }
  }
};

} // namespace

Result<Study> parseStudy(const std::string &file, const std::string &text, StudyFiles &files) {
  return Reader(file, files).run(text);
}

} // namespace lpu::explore
