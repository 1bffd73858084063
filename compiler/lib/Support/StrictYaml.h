// A document that people write: unknown and repeated keys are errors with their line, for nothing else would tell.
#pragma once

#include "lpu/isa/Result.h"

#include <yaml-cpp/yaml.h>

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace lpu::compiler {

/// Base of readers of one document; the first error wins.
class StrictYaml {
protected:
  /// `file` is named by errors; `page` of docs/howto shows what the document looks like.
  StrictYaml(std::string file, std::string page) : file(std::move(file)), page(std::move(page)) {}

  /// readRoot(root) returns false after `fail`.
  template <typename ReadRoot> Status load(std::string_view yaml, ReadRoot readRoot) {
    try {
      if (readRoot(YAML::Load(std::string(yaml))))
        return Ok{};
    } catch (const YAML::Exception &e) {
      fail(e.mark.line, "not valid YAML: " + e.msg.substr(0, e.msg.find('\n')));
    }
    return *error;
  }

  /// `line` counts from 0; below: the document as a whole.
  bool fail(int line, std::string message) {
    if (!error)
      error = Error{file + ":" + std::to_string(line < 0 ? 1 : line + 1), std::move(message)};
    return false;
  }
  bool fail(const YAML::Node &node, std::string message) { return fail(node.Mark().line, std::move(message)); }

  /// Calls read(key, key node, value node) for every key of a map, each once.
  template <typename Read> bool readMap(const YAML::Node &map, const std::string &what, Read read) {
    if (!map.IsMap())
      return fail(map, what + " must be a map of keys; docs/howto/" + page + " shows one");
    std::set<std::string> seen;
    for (const auto &entry : map) {
      std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "";
      if (!seen.insert(key).second)
        return fail(entry.first, "key '" + key + "' appears twice; remove one");
      if (!read(key, entry.first, entry.second))
        return false;
    }
    return true;
  }

private:
  std::string file, page;
  std::optional<Error> error;
};

} // namespace lpu::compiler
