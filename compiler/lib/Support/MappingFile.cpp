// Strict like all YAML here: a key or a form that is misspelt is an error with its line, for nothing else would tell.

#include "lpu/compiler/Support/MappingFile.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <set>
#include <sstream>

namespace lpu::compiler {
namespace {

constexpr std::array<std::string_view, 6> kRoles = {"qkv", "attention-output", "gate-up", "down", "lm-head", "other"};
constexpr std::array<std::string_view, 5> kForms = {"pinned", "dealt", "swept", "grouped", "half"};

/// Those that a file can name: "other" is what the compiler has no word for.
constexpr std::size_t kNamedRoles = 5;

/// Parses one document; the first error wins.
class Parser {
public:
  explicit Parser(MappingFile &mapping) : mapping(mapping) {}

  Status run(std::string_view yaml) {
    try {
      if (readRoot(YAML::Load(std::string(yaml))))
        return Ok{};
    } catch (const YAML::Exception &e) {
      fail(e.mark.line, "not valid YAML: " + e.msg.substr(0, e.msg.find('\n')));
    }
    return *error;
  }

private:
  bool fail(int line, const std::string &message) {
    if (!error)
      error = mapping.error(line < 0 ? 1 : line + 1, message);
    return false;
  }
  bool fail(const YAML::Node &node, const std::string &message) { return fail(node.Mark().line, message); }

  /// Calls read(key, key node, value node) for every key of a map, each once.
  template <typename Read> bool readMap(const YAML::Node &map, const std::string &what, Read read) {
    if (!map.IsMap())
      return fail(map, what + " must be a map of keys; docs/howto/choose-a-mapping.md shows one");
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

  bool readRoot(const YAML::Node &root) {
    return readMap(root, "the file", [&](const std::string &key, const YAML::Node &at, const YAML::Node &value) {
      if (key == "linears")
        return readLinears(value);
      if (key == "prefill")
        return readPrefill(value);
      return fail(at, "unknown key '" + key + "'; linears and prefill are known");
    });
  }

  bool readLinears(const YAML::Node &map) {
    return readMap(map, "key 'linears'", [&](const std::string &key, const YAML::Node &at, const YAML::Node &value) {
      auto *known = std::find(kRoles.begin(), kRoles.begin() + kNamedRoles, key);
      if (known == kRoles.begin() + kNamedRoles)
        return fail(at, "unknown key '" + key + "' of linears; " + listOf(kRoles.begin(), kNamedRoles) + " are known");
      return readForm(value, key, mapping.linears[static_cast<LinearRole>(known - kRoles.begin())]);
    });
  }

  bool readForm(const YAML::Node &map, const std::string &role, MappingFile::Choice &choice) {
    bool isThere = false;
    bool isRead =
        readMap(map, "key '" + role + "'", [&](const std::string &key, const YAML::Node &at, const YAML::Node &value) {
          if (key != "form")
            return fail(at, "unknown key '" + key + "' of '" + role + "'; form is known");
          std::string name = value.IsScalar() ? value.Scalar() : "";
          choice.line = at.Mark().line + 1;
          isThere = true;
          if (name != nameOf(LinearForm::Pinned) && name != nameOf(LinearForm::Dealt))
            return fail(at, "key 'form' is '" + name + "'; choose pinned or dealt, other forms follow from the model");
          choice.form = *formNamed(name);
          return true;
        });
    return isRead && (isThere || fail(map, "'" + role + "' must say its form; add form: pinned or form: dealt"));
  }

  bool readPrefill(const YAML::Node &map) {
    return readMap(map, "key 'prefill'", [&](const std::string &key, const YAML::Node &at, const YAML::Node &value) {
      if (key != "tokens")
        return fail(at, "unknown key '" + key + "' of prefill; tokens is known");
      std::string text = value.IsScalar() ? value.Scalar() : "";
      std::int64_t tokens = 0;
      auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), tokens);
      if (failed != std::errc() || end != text.data() + text.size() || tokens < 2)
        return fail(at, "key 'tokens' is '" + text + "'; give the tokens of a prefill step, 2 or more");
      mapping.prefillTokens = tokens, mapping.prefillLine = at.Mark().line + 1;
      return true;
    });
  }

  static std::string listOf(const std::string_view *names, std::size_t count) {
    std::string list;
    for (std::size_t i = 0; i < count; ++i)
      list += (i == 0 ? "" : i + 1 < count ? ", " : " and ") + std::string(names[i]);
    return list;
  }

  MappingFile &mapping;
  std::optional<Error> error;
};

} // namespace

std::string_view nameOf(LinearRole role) { return kRoles[static_cast<std::size_t>(role)]; }
std::string_view nameOf(LinearForm form) { return kForms[static_cast<std::size_t>(form)]; }

std::optional<LinearForm> formNamed(std::string_view name) {
  auto *known = std::find(kForms.begin(), kForms.end(), name);
  return known == kForms.end() ? std::nullopt : std::optional(static_cast<LinearForm>(known - kForms.begin()));
}

Result<MappingFile> MappingFile::read(const std::string &name) {
  if (name.empty())
    return MappingFile();
  std::ifstream in(name, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  if (!in)
    return Error{name, "cannot be read; check the path given with --mapping"};
  return parse(text.str(), name);
}

Result<MappingFile> MappingFile::parse(std::string_view yaml, const std::string &name) {
  MappingFile mapping;
  mapping.name = name;
  if (Status done = Parser(mapping).run(yaml); !done)
    return done.error();
  return mapping;
}

} // namespace lpu::compiler
