// Tables of energy and area: YAML text to a checked model. Strict for the reason
// that machine descriptions are: a number that is silently missing would be a wrong
// answer with three digits.
#include "lpu/isa/Energy.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <fstream>
#include <functional>
#include <set>
#include <sstream>

namespace lpu::isa {
namespace {

struct Preset {
  std::string_view name, text;
};
constexpr Preset kPresets[] = {
#include "EnergyPresets.inc"
};

const std::set<std::string> kParts = {"MXM", "VXM", "MEM", "SXM", "C2C", "ICU", "streams", "chip"};
constexpr std::string_view kWords = "words", kSent = "vectors_sent", kReceived = "vectors_received";

/// The unit that a value for one of `count` has; empty: no such count.
std::string unitFor(const std::string &count) {
  if (count == kWords)
    return "pJ/word";
  if (count == kSent || count == kReceived)
    return "pJ/bit";
  for (const CountInfo &kind : countKinds())
    if (kind.key == count)
      return kind.unit == "B"         ? "pJ/B"
             : kind.unit == "B*hop"   ? "pJ/B/hop"
             : kind.unit == "product" ? "pJ/product"
             : kind.unit == "lane"    ? "pJ/lane"
                                      : "pJ/cycle";
  return "";
}

std::vector<std::string> allCounts() {
  std::vector<std::string> counts = {std::string(kWords), std::string(kSent), std::string(kReceived)};
  for (const CountInfo &kind : countKinds())
    counts.emplace_back(kind.key);
  return counts;
}

/// The first error wins and stops everything: it is thrown inside of this file.
class Parser {
public:
  explicit Parser(const std::string &fileName) { model.file = fileName; }

  Result<EnergyModel> run(std::string_view yaml) {
    try {
      parseRoot(YAML::Load(std::string(yaml)));
      checkAnswers();
      checkFormulas();
      return std::move(model);
    } catch (const Error &e) {
      return e;
    } catch (const YAML::Exception &e) {
      return Error{place(e.mark.line), "not valid YAML: " + e.msg.substr(0, e.msg.find('\n'))};
    } catch (const std::exception &e) { // what yaml-cpp throws on hostile input
      return Error{place(0), std::string("not valid YAML: ") + e.what()};
    }
  }

private:
  using Use = std::function<void(const YAML::Node &)>;
  using Keys = std::vector<std::pair<std::string, Use>>;

  EnergyModel model;

  std::string place(int line) const { return fmt::format("{}:{}", model.file, std::max(line, 0) + 1); }
  [[noreturn]] void fail(const YAML::Node &node, std::string message) const {
    throw Error{place(node.Mark().line), std::move(message)};
  }

  /// Every key once, none that is not in `keys`; those in `optional` may be missing.
  void parseMap(const YAML::Node &at, const YAML::Node &node, const std::string &name, const Keys &keys,
                const std::set<std::string> &optional = {}) const {
    if (!node.IsMap())
      fail(at, fmt::format("'{}' must be a map of keys", name));
    std::set<std::string> seen;
    for (const auto &entry : node) {
      const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "";
      const auto known = std::ranges::find(keys, key, [](const auto &k) { return k.first; });
      if (known == keys.end())
        fail(entry.first, fmt::format("'{}' has an unknown key '{}'", name, key));
      if (!seen.insert(key).second)
        fail(entry.first, fmt::format("key '{}' of '{}' appears twice", key, name));
      known->second(entry.second);
    }
    for (const auto &[key, use] : keys)
      if (!seen.contains(key) && !optional.contains(key))
        fail(at, fmt::format("'{}' has no '{}'; add it", name, key));
  }

  void parseRoot(const YAML::Node &root) {
    if (!root.IsMap())
      fail(root, "a table of energy and area must be a map of sections");
    const YAML::Node &top = root;
    parseMap(root, root, "table",
             {{"name", text(model.name)},
              {"process", text(model.process)},
              {"guess", [&](const YAML::Node &n) { model.guess = boolean(n); }},
              {"volts", [&](const YAML::Node &n) { parseVolts(n); }},
              {"calibration", [&](const YAML::Node &n) { parseCalibration(n); }},
              {"floorplan", [&](const YAML::Node &n) { parseFloorplan(n); }},
              {"dynamic", [&](const YAML::Node &n) { parseEntries(top, n, "dynamic", model.dynamic); }},
              {"static", [&](const YAML::Node &n) { parseEntries(top, n, "static", model.statics); }},
              {"area", [&](const YAML::Node &n) { parseEntries(top, n, "area", model.areas); }}});
  }

  Use text(std::string &to) const {
    return [this, &to](const YAML::Node &node) {
      if (!node.IsScalar() || node.Scalar().empty())
        fail(node, "a word or a text in quotes must stand here");
      to = node.Scalar();
    };
  }
  Use number(double &to, double low, double high) const {
    return [=, this, &to](const YAML::Node &node) {
      const std::string s = node.IsScalar() ? node.Scalar() : "";
      const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), to);
      if (s.empty() || error != std::errc() || end != s.data() + s.size() || !(to >= low && to <= high))
        fail(node, fmt::format("'{}' is not a number from {} to {}", s, low, high));
    };
  }
  bool boolean(const YAML::Node &node) const {
    if (!node.IsScalar() || (node.Scalar() != "true" && node.Scalar() != "false"))
      fail(node, "'guess' is true or false");
    return node.Scalar() == "true";
  }
  /// One count or a list of them.
  Use countList(std::vector<std::string> &to) const {
    return [this, &to](const YAML::Node &node) {
      if (node.IsSequence()) {
        for (const auto &item : node)
          to.push_back(item.IsScalar() ? item.Scalar() : "");
      } else {
        to.push_back(node.IsScalar() ? node.Scalar() : "");
      }
      for (const std::string &count : to)
        if (unitFor(count).empty())
          fail(node, fmt::format("'{}' is no count; counts are {}", count, fmt::join(allCounts(), ", ")));
    };
  }

  void parseVolts(const YAML::Node &node) {
    auto &v = model.volts;
    parseMap(node, node, "volts",
             {{"logic", number(v.logic, 0.1, 5)},
              {"sram", number(v.sram, 0.1, 5)},
              {"at_ghz", number(v.atGHz, 0.001, 100)},
              {"threshold", number(v.threshold, 0.01, 2)},
              {"alpha", number(v.alpha, 1, 2)},
              {"source", text(v.source)}});
    if (v.threshold >= v.logic)
      fail(node, "'volts.threshold' is not below 'volts.logic'");
  }
  void parseCalibration(const YAML::Node &node) {
    parseMap(node, node, "calibration",
             {{"all_units_w", number(model.calibration.allUnitsWatts, 0, 1e6)},
              {"factor", number(model.calibration.factor, 0.001, 1000)},
              {"source", text(model.calibration.source)}});
  }
  void parseFloorplan(const YAML::Node &node) {
    parseMap(node, node, "floorplan",
             {{"factor", number(model.floorplanFactor, 0.001, 1000)}, {"source", text(model.floorplanSource)}});
  }

  void parseEntries(const YAML::Node &top, const YAML::Node &node, const std::string &section,
                    std::vector<EnergyEntry> &to) {
    if (!node.IsMap() || node.size() == 0)
      fail(node.IsDefined() ? node : top, fmt::format("'{}' must be a map of entries", section));
    for (const auto &item : node) {
      EnergyEntry entry;
      entry.name = item.first.IsScalar() ? item.first.Scalar() : "";
      entry.line = item.first.Mark().line + 1;
      if (std::ranges::find(to, entry.name, &EnergyEntry::name) != to.end())
        fail(item.first, fmt::format("entry '{}' appears twice", entry.name));
      parseEntry(item.first, item.second, section, entry);
      to.push_back(std::move(entry));
    }
  }

  void parseEntry(const YAML::Node &at, const YAML::Node &node, const std::string &section, EnergyEntry &entry) const {
    const std::string name = fmt::format("{}.{}", section, entry.name);
    Keys keys = {{"unit", text(entry.unit)},           {"source", text(entry.source)},
                 {"low", number(entry.low, 0, 1e9)},   {"typical", number(entry.typical, 0, 1e9)},
                 {"high", number(entry.high, 0, 1e9)}, {"scale", text(entry.scale)}};
    if (section != "area")
      keys.push_back({"part", text(entry.part)}), keys.push_back({"covers", countList(entry.covers)});
    if (section == "dynamic")
      keys.push_back({"count", countList(entry.counts)});
    parseMap(at, node, name, keys, {"scale", "covers"});
    if (!(entry.low <= entry.typical && entry.typical <= entry.high))
      fail(at, fmt::format("'{}' has low {}, typical {}, high {}; they must not fall", name, entry.low, entry.typical,
                           entry.high));
    if (section != "area" && !kParts.contains(entry.part))
      fail(at, fmt::format("'{}' has part '{}'; parts are {}", name, entry.part, fmt::join(kParts, ", ")));
    checkUnit(at, section, name, entry);
  }

  void checkUnit(const YAML::Node &at, const std::string &section, const std::string &name,
                 const EnergyEntry &entry) const {
    std::set<std::string> wanted;
    if (section == "area")
      wanted = {"mm2"};
    else if (section == "static")
      wanted = {"W/chip", "W/link"};
    else
      for (const std::string &count : entry.counts)
        wanted.insert(unitFor(count));
    const bool fits = section == "static" ? wanted.contains(entry.unit) : wanted == std::set<std::string>{entry.unit};
    if (!fits)
      fail(at, fmt::format("'{}' has unit '{}', which does not fit; it must be {}", name, entry.unit,
                           fmt::join(wanted, " or ")));
  }

  /// No count may be worth nothing because nobody thought of it.
  void checkAnswers() const {
    std::set<std::string> answered;
    for (const auto *entries : {&model.dynamic, &model.statics})
      for (const EnergyEntry &entry : *entries) {
        answered.insert(entry.counts.begin(), entry.counts.end());
        answered.insert(entry.covers.begin(), entry.covers.end());
      }
    for (const std::string &count : allCounts())
      if (!answered.contains(count))
        throw Error{place(0),
                    fmt::format("no entry answers the count '{0}'; add one with 'count: {0}', or name it under "
                                "'covers' of the entry that its energy is in",
                                count)};
  }

  /// Formulas must have a value on the machine that the table is of.
  void checkFormulas() const {
    const Machine machine;
    const Result<Area> area = areaOf(model, machine, {{}, 0, 1});
    if (!area)
      throw area.error();
    StepUse use;
    use.latencyCycles = use.intervalCycles = 1;
    if (const Result<StepEnergy> energy = energyOf(model, machine, use, {{}, 0, 1}); !energy)
      throw energy.error();
  }
};

} // namespace

Result<EnergyModel> parseEnergyModel(std::string_view yaml, const std::string &fileName) {
  return Parser(fileName).run(yaml);
}

Result<EnergyModel> loadEnergyModel(const std::string &nameOrPath) {
  const Result<std::string> text = energyModelText(nameOrPath);
  return text ? parseEnergyModel(*text, nameOrPath) : text.error();
}

Result<std::string> energyModelText(const std::string &nameOrPath) {
  for (const Preset &preset : kPresets)
    if (preset.name == nameOrPath)
      return std::string(preset.text);
  std::ifstream file(nameOrPath, std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf()))
    return Error{nameOrPath, fmt::format("neither a table of energy ({}) nor a readable file",
                                         fmt::join(energyModelNames(), ", "))};
  return text.str();
}

std::vector<std::string> energyModelNames() {
  std::vector<std::string> names;
  for (const Preset &preset : kPresets)
    names.emplace_back(preset.name);
  return names;
}

} // namespace lpu::isa
