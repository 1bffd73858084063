// Fields of a step, each checked for its kind.
#include "Steps.h"

#include <fmt/format.h>

namespace lpu::text {

const Json &member(const Json &at, std::string_view key) {
  static const Json kNothing;
  auto found = at.is_object() ? at.find(key) : at.end();
  return at.is_object() && found != at.end() ? *found : kNothing;
}

Fields::Fields(const Json &at, std::string_view stage) : at(at), stage(stage) {
  if (const Json &name = member(at, "type"); name.is_string())
    type = name.get<std::string>();
}

void Fields::fail(std::string_view message) {
  if (!error)
    error = Error{"", fmt::format("the {}'s step \"{}\" {}", stage, type, message)};
}

std::string Fields::text(const char *key, std::optional<std::string> usual) {
  const Json &value = (*this)[key];
  if (value.is_string())
    return value.get<std::string>();
  if (!value.is_null() || !usual)
    fail(fmt::format("needs a text as '{}'", key));
  return usual.value_or("");
}

bool Fields::flag(const char *key, bool usual) {
  const Json &value = (*this)[key];
  if (!value.is_boolean() && !value.is_null())
    fail(fmt::format("needs true or false as '{}'", key));
  return value.is_boolean() ? value.get<bool>() : usual;
}

std::int64_t Fields::number(const char *key, std::int64_t usual) {
  const Json &value = (*this)[key];
  if (!value.is_number_integer() && !value.is_null())
    fail(fmt::format("needs a whole number as '{}'", key));
  return value.is_number_integer() ? value.get<std::int64_t>() : usual;
}

Pattern Fields::pattern(const char *key) {
  const Json &value = (*this)[key], &literal = member(value, "String"), &regex = member(value, "Regex");
  if (literal.is_string() && !literal.get_ref<const std::string &>().empty())
    return literalPattern(toText(literal.get_ref<const std::string &>()));
  if (!regex.is_string()) {
    fail(fmt::format("needs a String or a Regex as '{}'", key));
    return {};
  }
  auto pattern = regexPattern(regex.get_ref<const std::string &>());
  if (!pattern) {
    fail("has a pattern that cannot be used: " + pattern.error().message);
    return {};
  }
  return *pattern;
}

} // namespace lpu::text
