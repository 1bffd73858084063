// YAML read strictly: every key is known and stands once, and an error says where, which key, what and how to mend it.
#pragma once

#include "lpu/isa/Result.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>
#include <yaml-cpp/yaml.h>

namespace lpu::explore {

inline std::optional<double> numberIn(const std::string &text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
    return std::nullopt;
  return value;
}

inline std::string join(const std::vector<std::string> &words) { return fmt::format("{}", fmt::join(words, ", ")); }

/// What a reader of one file derives from. The first error wins and stops everything: it is thrown inside of read().
class StrictYaml {
protected:
  using Use = std::function<void(const YAML::Node &at, const YAML::Node &value)>;
  struct Key {
    std::string name;
    Use use;
    bool required = false;
  };

  explicit StrictYaml(std::string file) : file(std::move(file)) {}

  /// Error: of `parse`, or the text is no YAML.
  Status read(const std::string &text, const std::function<void(const YAML::Node &root)> &parse) const {
    try {
      parse(YAML::Load(text));
      return Ok{};
    } catch (const Error &e) {
      return e;
    } catch (const YAML::Exception &e) {
      return Error{place(e.mark.line), "not valid YAML: " + e.msg.substr(0, e.msg.find('\n'))};
    } catch (const std::exception &e) { // what yaml-cpp throws on hostile input
      return Error{place(0), std::string("not valid YAML: ") + e.what()};
    }
  }

  std::string place(int line) const { return fmt::format("{}:{}", file, std::max(line, 0) + 1); }
  [[noreturn]] void fail(const YAML::Node &at, const std::string &key, const std::string &message) const {
    throw Error{place(at.Mark().line), key.empty() ? message : fmt::format("{}: {}", key, message)};
  }

  static std::string scalar(const YAML::Node &node) { return node.IsScalar() ? node.Scalar() : ""; }

  void parseMap(const YAML::Node &at, const YAML::Node &node, const std::string &name,
                const std::vector<Key> &keys) const {
    if (!node.IsMap())
      fail(at, name, "must be a map of keys; write KEY: VALUE");
    std::vector<std::string> names;
    for (const Key &key : keys)
      names.push_back(key.name);
    std::set<std::string> seen;
    for (const auto &entry : node) {
      const std::string own = scalar(entry.first);
      const auto known = std::ranges::find(keys, own, &Key::name);
      if (known == keys.end())
        fail(entry.first, own,
             fmt::format("is unknown{}; keys are {}", name.empty() ? "" : " in " + name, join(names)));
      if (!seen.insert(own).second)
        fail(entry.first, own, "appears twice; remove one");
      known->use(entry.first, entry.second);
    }
    for (const Key &key : keys)
      if (key.required && !seen.contains(key.name))
        fail(at, key.name, fmt::format("is missing{}; add it", name.empty() ? "" : " in " + name));
  }

  Use word(const std::string &key, std::string &to) const {
    return [this, key, &to](const YAML::Node &at, const YAML::Node &node) {
      if (scalar(node).empty())
        fail(at, key, "must be a word or a text in quotes");
      to = node.Scalar();
    };
  }
  Use number(const std::string &key, double &to, double low, double high) const {
    return [this, key, &to, low, high](const YAML::Node &at, const YAML::Node &node) {
      const std::optional<double> value = numberIn(scalar(node));
      if (!value || *value < low || *value > high)
        fail(at, key, fmt::format("'{}' is no number from {} to {}; write one", scalar(node), low, high));
      to = *value;
    };
  }
  Use count(const std::string &key, std::uint64_t &to, std::uint64_t low) const {
    return [this, key, &to, low](const YAML::Node &at, const YAML::Node &node) {
      const std::optional<double> value = numberIn(scalar(node));
      if (!value || *value < static_cast<double>(low) || *value > 1e15 || *value != std::floor(*value))
        fail(at, key, fmt::format("'{}' is no whole number from {} on; write one", scalar(node), low));
      to = static_cast<std::uint64_t>(*value);
    };
  }

private:
  std::string file;
};

} // namespace lpu::explore
