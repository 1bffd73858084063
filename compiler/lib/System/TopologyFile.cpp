// Topologies described in YAML: as strict as machine descriptions, because a
// forgotten cable would change routes without a word.

#include "lpu/compiler/System/Topology.h"

#include <yaml-cpp/yaml.h>

#include <fmt/format.h>

#include <optional>
#include <set>

namespace lpu::compiler {

namespace {

constexpr int kMostPlaces = 65535; // chips are numbered in 16 bits

/// Parses one document; the first error wins and stops everything.
class Parser {
public:
  Parser(const std::string &file, const isa::Machine &machine) : file(file), machine(machine) {}

  Result<Topology> run(std::string_view yaml) {
    try {
      if (parseRoot(YAML::Load(std::string(yaml))))
        return topology;
    } catch (const YAML::Exception &e) {
      fail(e.mark.line, "not valid YAML: " + e.msg.substr(0, e.msg.find('\n')));
    }
    return *error;
  }

private:
  bool fail(int line, std::string message) {
    if (!error)
      error = Error{fmt::format("{}:{}", file, line < 0 ? 1 : line + 1), std::move(message)};
    return false;
  }
  bool fail(const YAML::Node &node, std::string message) { return fail(node.Mark().line, std::move(message)); }

  bool parseRoot(const YAML::Node &root) {
    if (!root.IsMap())
      return fail(root, "a topology must be a map with the keys name, chips, node_chips and wires");
    std::set<std::string> seen;
    for (const auto &entry : root)
      if (!parseEntry(entry.first, entry.second, seen))
        return false;
    for (const char *key : {"name", "chips", "wires"})
      if (!seen.contains(key))
        return fail(root, fmt::format("missing key '{}'", key));
    return parseWires(root["wires"]);
  }

  bool parseEntry(const YAML::Node &key, const YAML::Node &value, std::set<std::string> &seen) {
    std::string name = key.IsScalar() ? key.Scalar() : "";
    if (!seen.insert(name).second)
      return fail(key, fmt::format("key '{}' appears twice", name));
    if (name == "name")
      return value.IsScalar() && !value.Scalar().empty() ? (topology.name = value.Scalar(), true)
                                                         : fail(value, "'name' must be a word");
    if (name == "chips")
      return parseNumber(value, "chips", 1, kMostPlaces, topology.places);
    if (name == "node_chips")
      return parseNumber(value, "node_chips", 1, kMostPlaces, topology.nodePlaces);
    return name == "wires" ||
           fail(key, fmt::format("unknown key '{}'; there are name, chips, node_chips and wires", name));
  }

  bool parseNumber(const YAML::Node &value, std::string_view what, int low, int high, int &number) {
    if (!value.IsScalar() || !YAML::convert<int>::decode(value, number))
      return fail(value, fmt::format("'{}' must be a whole number", what));
    return (number >= low && number <= high) ||
           fail(value, fmt::format("'{}' is {}, outside of {} to {}", what, number, low, high));
  }

  bool parseWires(const YAML::Node &wires) {
    if (!wires.IsSequence())
      return fail(wires, "'wires' must be a list of pairs of chips: [[0, 1], [1, 2]]");
    std::vector<int> used(static_cast<std::size_t>(topology.places), 0);
    for (const YAML::Node &wire : wires) {
      int ends[2] = {0, 0};
      if (!wire.IsSequence() || wire.size() != 2)
        return fail(wire, "a wire is a pair of chips: [0, 1]");
      for (int end : {0, 1}) {
        if (!parseNumber(wire[end], "chip of a wire", 0, topology.places - 1, ends[end]))
          return false;
        if (++used[static_cast<std::size_t>(ends[end])] > machine.c2cLinks)
          return fail(wire, fmt::format("chip {} has more wires than the {} links of machine '{}'", ends[end],
                                        machine.c2cLinks, machine.name));
      }
      if (ends[0] == ends[1])
        return fail(wire, fmt::format("a wire joins chip {} to itself", ends[0]));
      topology.cables.emplace_back(ends[0], ends[1]);
    }
    return true;
  }

  const std::string &file;
  const isa::Machine &machine;
  Topology topology;
  std::optional<Error> error;
};

} // namespace

Result<Topology> parseTopology(std::string_view yaml, const std::string &fileName, const isa::Machine &machine) {
  return Parser(fileName, machine).run(yaml);
}

} // namespace lpu::compiler
