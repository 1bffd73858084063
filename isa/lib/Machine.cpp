// Machine descriptions: YAML text to a checked Machine and back. Parsing is
// strict (every key exactly once, nothing else) because a silently defaulted
// number would change every prediction made from it.
#include "lpu/isa/Machine.h"

#include "MachineKeys.h"
#include "lpu/isa/Unpublished.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>

namespace lpu::isa {
namespace {

struct Preset {
  std::string_view name, text;
};
constexpr Preset kPresets[] = {
#include "MachinePresets.inc"
};

/// Parses one document; the first error wins and stops everything.
class Parser {
public:
  Parser(std::string_view fileName) : file(fileName) {}

  Result<Machine> run(std::string_view yaml) {
    try {
      const YAML::Node root = YAML::Load(std::string(yaml));
      if (parseRoot(root) && checkAcross(root) && checkRanges(root))
        return machine;
    } catch (const YAML::Exception &e) {
      fail(e.mark.line, "not valid YAML: " + firstLine(e.msg));
    } catch (const std::exception &e) {
      fail(0, std::string("not valid YAML: ") + firstLine(e.what()));
    }
    return *error;
  }

  /// After run().
  std::vector<Unpublished> takeMarks() { return std::move(marks); }

private:
  std::string file;
  Machine machine;
  std::vector<Unpublished> marks;
  std::optional<Error> error;

  static std::string firstLine(const std::string &text) { return text.substr(0, text.find('\n')); }

  bool fail(int line, std::string message) {
    if (!error)
      error = Error{fmt::format("{}:{}", file, line < 0 ? 1 : line + 1), std::move(message)};
    return false;
  }
  bool fail(const YAML::Node &node, std::string message) { return fail(node.Mark().line, std::move(message)); }

  bool parseRoot(const YAML::Node &root) {
    if (!root.IsMap())
      return fail(root, "a machine description must be a map of sections");
    std::set<std::string> seen;
    for (const auto &entry : root)
      if (!parseTopLevel(entry.first, entry.second, seen))
        return false;
    if (!seen.contains("name"))
      return fail(root, "missing key 'name'");
    for (const MachineKey &key : machineKeys())
      if (!seen.contains(std::string(key.section)))
        return fail(root, fmt::format("missing section '{}'", key.section));
    return true;
  }

  bool parseTopLevel(const YAML::Node &key, const YAML::Node &value, std::set<std::string> &seen) {
    if (!key.IsScalar())
      return fail(key, "a key must be a plain word");
    const std::string name = key.Scalar();
    if (!seen.insert(name).second)
      return fail(key, fmt::format("key '{}' appears twice", name));
    if (name == "name")
      return parseName(value);
    if (name == "unpublished")
      return parseUnpublished(key, value);
    for (const MachineKey &known : machineKeys())
      if (known.section == name)
        return parseSection(name, key, value);
    return fail(key, fmt::format("unknown key '{}'", name));
  }

  bool parseName(const YAML::Node &value) {
    if (!value.IsScalar() || value.Scalar().empty())
      return fail(value, "'name' must be a word");
    machine.name = value.Scalar();
    const auto legal = [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_' || c == '.'; };
    for (char c : machine.name)
      if (!legal(static_cast<unsigned char>(c)))
        return fail(value, "'name' may hold letters, digits, '-', '_' and '.' only");
    return true;
  }

  /// "section.key:" with nothing behind it, or with {low: …, high: …}, perhaps with a source.
  bool parseUnpublished(const YAML::Node &at, const YAML::Node &node) {
    if (!node.IsMap())
      return fail(at,
                  "'unpublished' must be a map of keys, each with nothing or {low: …, high: …, source: …} behind it");
    for (const auto &entry : node) {
      Unpublished mark{entry.first.IsScalar() ? entry.first.Scalar() : "", {}, {}, {}};
      const auto same = [&](const Unpublished &other) { return other.key == mark.key; };
      if (!keyNamed(mark.key))
        return fail(entry.first, fmt::format("'{}' under 'unpublished' is no key of a machine", mark.key));
      if (std::ranges::any_of(marks, same))
        return fail(entry.first, fmt::format("'{}' under 'unpublished' appears twice", mark.key));
      if (!entry.second.IsNull() && !parseRange(entry.first, entry.second, mark))
        return false;
      marks.push_back(std::move(mark));
    }
    return true;
  }

  static const MachineKey *keyNamed(const std::string &name) {
    for (const MachineKey &key : machineKeys())
      if (fmt::format("{}.{}", key.section, key.key) == name)
        return &key;
    return nullptr;
  }

  bool parseRange(const YAML::Node &at, const YAML::Node &node, Unpublished &mark) {
    double low = 0, high = 0;
    const auto number = [&](const char *key, double &to) {
      return node.IsMap() && node[key] && node[key].IsScalar() && parseNumber<double>(node[key].Scalar(), to);
    };
    const bool hasSource = node.IsMap() && node["source"];
    if (!number("low", low) || !number("high", high) || node.size() != (hasSource ? 3 : 2) || !(low <= high))
      return fail(
          at, fmt::format("the range of '{}' must be {{low: NUMBER, high: NUMBER}}, and may have a source", mark.key));
    if (hasSource) {
      mark.source = node["source"].IsScalar() ? node["source"].Scalar() : "";
      if (!mark.source.starts_with("published: ") && !mark.source.starts_with("derived: ") &&
          !mark.source.starts_with("guess: "))
        return fail(
            at, fmt::format("the source of '{}' must begin with 'published: ', 'derived: ' or 'guess: '", mark.key));
    }
    mark.low = low, mark.high = high;
    return true;
  }

  /// A range that does not hold the value itself is a mistake in one of the two.
  bool checkRanges(const YAML::Node &root) {
    for (const Unpublished &mark : marks) {
      const double value = valueOf(machine, *keyNamed(mark.key));
      if (mark.low && (value < *mark.low || value > *mark.high))
        return fail(root["unpublished"][mark.key], fmt::format("'{}' is {}, outside of its own range of {} to {}",
                                                               mark.key, value, *mark.low, *mark.high));
    }
    return true;
  }

  static double valueOf(const Machine &machine, const MachineKey &key) {
    if (auto *integer = std::get_if<int Machine::*>(&key.member))
      return machine.**integer;
    if (auto *real = std::get_if<double Machine::*>(&key.member))
      return machine.**real;
    return static_cast<double>(machine.latency.*std::get<Cycle Latencies::*>(key.member));
  }

  bool parseSection(const std::string &section, const YAML::Node &at, const YAML::Node &node) {
    if (!node.IsMap())
      return fail(at, fmt::format("'{}' must be a map of keys", section));
    std::set<std::string> seen;
    for (const auto &entry : node)
      if (!parseEntry(section, entry.first, entry.second, seen))
        return false;
    for (const MachineKey &key : machineKeys())
      if (key.section == section && !key.optional && !seen.contains(std::string(key.key)))
        return fail(at, fmt::format("missing key '{}.{}'", section, key.key));
    return true;
  }

  bool parseEntry(const std::string &section, const YAML::Node &key, const YAML::Node &value,
                  std::set<std::string> &seen) {
    if (!key.IsScalar())
      return fail(key, fmt::format("a key of '{}' must be a plain word", section));
    const std::string name = key.Scalar();
    if (!seen.insert(name).second)
      return fail(key, fmt::format("key '{}.{}' appears twice", section, name));
    for (const MachineKey &known : machineKeys())
      if (known.section == section && known.key == name)
        return parseValue(known, key, value);
    return fail(key, fmt::format("unknown key '{}.{}'", section, name));
  }

  bool parseValue(const MachineKey &key, const YAML::Node &at, const YAML::Node &value) {
    const bool real = std::holds_alternative<double Machine::*>(key.member);
    const std::string text = value.IsScalar() ? value.Scalar() : "";
    const std::string name = fmt::format("{}.{}", key.section, key.key);
    double number = 0;
    if (real ? !parseNumber<double>(text, number) : !parseNumber<std::int64_t>(text, number))
      return fail(at, fmt::format("'{}' must be {}", name, real ? "a number" : "an integer"));
    if (!(number >= key.low && number <= key.high))
      return fail(at, key.low == key.high
                          ? fmt::format("'{}' is {}, but this project fixes it at {}", name, text, key.low)
                          : fmt::format("'{}' is {}, outside of {} to {}", name, text, key.low, key.high));
    store(key, number);
    return true;
  }

  template <typename T> static bool parseNumber(const std::string &text, double &number) {
    T value{};
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    number = static_cast<double>(value);
    return error == std::errc() && end == text.data() + text.size() && !text.empty();
  }

  void store(const MachineKey &key, double number) {
    if (auto *integer = std::get_if<int Machine::*>(&key.member))
      machine.**integer = static_cast<int>(number);
    else if (auto *real = std::get_if<double Machine::*>(&key.member))
      machine.**real = number;
    else
      machine.latency.*std::get<Cycle Latencies::*>(key.member) = static_cast<Cycle>(number);
  }

  /// Conditions between keys, reported at the key that is too large.
  bool checkAcross(const YAML::Node &root) {
    if (const std::optional<KeyConflict> conflict = conflictOf(machine))
      return fail(root[conflict->section][conflict->key], conflict->message);
    return true;
  }
};

std::string valueText(const Machine &machine, const MachineKey &key) {
  if (auto *integer = std::get_if<int Machine::*>(&key.member))
    return fmt::format("{}", machine.**integer);
  if (auto *real = std::get_if<double Machine::*>(&key.member))
    return fmt::format("{}", machine.**real);
  return fmt::format("{}", machine.latency.*std::get<Cycle Latencies::*>(key.member));
}

} // namespace

Result<Machine> parseMachine(std::string_view yaml, std::string_view fileName) { return Parser(fileName).run(yaml); }

Result<std::vector<Unpublished>> parseUnpublished(std::string_view yaml, std::string_view fileName) {
  Parser parser(fileName);
  const Result<Machine> machine = parser.run(yaml);
  return machine ? Result<std::vector<Unpublished>>(parser.takeMarks()) : machine.error();
}

Result<std::string> machineText(const std::string &nameOrPath) {
  for (const Preset &preset : kPresets)
    if (preset.name == nameOrPath)
      return std::string(preset.text);
  std::ifstream file(nameOrPath, std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf()))
    return Error{nameOrPath,
                 fmt::format("neither a machine preset ({}) nor a readable file", fmt::join(presetNames(), ", "))};
  return text.str();
}

Result<Machine> loadMachine(const std::string &nameOrPath) {
  const Result<std::string> text = machineText(nameOrPath);
  return text ? parseMachine(*text, nameOrPath) : text.error();
}

Result<std::vector<Unpublished>> loadUnpublished(const std::string &nameOrPath) {
  const Result<std::string> text = machineText(nameOrPath);
  return text ? parseUnpublished(*text, nameOrPath) : text.error();
}

std::string writeMachine(const Machine &machine) {
  std::string text = fmt::format("name: {}\n", machine.name);
  std::string_view section;
  for (const MachineKey &key : machineKeys()) {
    if (key.section != section)
      text += fmt::format("{}:\n", section = key.section);
    const std::string value = valueText(machine, key);
    if (!key.optional || value != "0")
      text += fmt::format("  {}: {}\n", key.key, value);
  }
  return text;
}

std::vector<std::string> presetNames() {
  std::vector<std::string> names;
  for (const Preset &preset : kPresets)
    names.emplace_back(preset.name);
  return names;
}

} // namespace lpu::isa
