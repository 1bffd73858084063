// Strict like all YAML here: a key or a form that is misspelt is an error with its line, for nothing else would tell.

#include "lpu/compiler/Support/MappingFile.h"

#include "StrictYaml.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <sstream>

namespace lpu::compiler {
namespace {

constexpr std::array<std::string_view, 6> kRoles = {"qkv", "attention-output", "gate-up", "down", "lm-head", "other"};
constexpr std::array<std::string_view, 5> kForms = {"pinned", "dealt", "swept", "grouped", "half"};

/// Those that a file can name: "other" is what the compiler has no word for.
constexpr std::size_t kNamedRoles = 5;

class Parser : StrictYaml {
public:
  explicit Parser(MappingFile &mapping) : StrictYaml(mapping.name, "choose-a-mapping.md"), mapping(mapping) {}

  Status run(std::string_view yaml) {
    return load(yaml, [&](const YAML::Node &root) { return readRoot(root); });
  }

private:
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
