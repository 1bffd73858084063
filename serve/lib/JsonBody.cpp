// nlohmann's parser does not recurse but takes any depth; what is deeper than the limit is refused by counting
// brackets before anything is allocated.
#include "JsonBody.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace lpu::serve {
namespace {

bool isDeeper(std::string_view text, unsigned limit) {
  unsigned depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      i += c == '\\';
      quoted = c != '"';
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      if (++depth > limit)
        return true;
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return false;
}

/// Numbers and short words as they stand, others by kind: messages do not carry what users wrote.
std::string shown(const Json &value) {
  if (value.is_number() || value.is_boolean())
    return value.dump();
  return value.is_string() ? "a string" : value.is_array() ? "a list" : "an object";
}

} // namespace

OrRefusal<Json> parseObject(std::string_view body, unsigned depth) {
  if (isDeeper(body, depth))
    return Refusal{400, fmt::format("the body's JSON is nested deeper than {} levels", depth), "", "invalid_json"};
  try {
    Json json = Json::parse(body);
    if (!json.is_object())
      return Refusal{400, "the body is no JSON object", "", "invalid_json"};
    return json;
  } catch (const Json::parse_error &error) {
    return Refusal{400, fmt::format("the body is no JSON: byte {} is not expected there", error.byte), "",
                   "invalid_json"};
  } catch (const Json::exception &) {
    return Refusal{400, "the body's JSON has a number that is out of range", "", "invalid_json"};
  }
}

std::string dump(const Json &json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

const Json *FieldReader::find(const char *name) {
  known.insert(name);
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

void FieldReader::fail(const std::string &param, const std::string &message, const std::string &code) {
  if (!wrong)
    wrong = Refusal{400, message, param, code};
}

std::optional<double> FieldReader::number(const char *name, double from, double to) {
  const Json *value = find(name);
  if (!value)
    return std::nullopt;
  const double read = value->is_number() ? value->get<double>() : std::nan("");
  if (read >= from && read <= to)
    return read;
  fail(name, fmt::format("{} must be a number between {} and {}, got {}", name, from, to, shown(*value)));
  return std::nullopt;
}

std::optional<std::int64_t> FieldReader::integer(const char *name, std::int64_t from, std::int64_t to) {
  const Json *value = find(name);
  if (!value)
    return std::nullopt;
  const bool fits = value->is_number_unsigned() ? value->get<std::uint64_t>() <= INT64_MAX : value->is_number_integer();
  if (fits)
    if (const auto read = value->get<std::int64_t>(); read >= from && read <= to)
      return read;
  fail(name, fmt::format("{} must be a whole number between {} and {}, got {}", name, from, to, shown(*value)));
  return std::nullopt;
}

bool FieldReader::flag(const char *name) {
  const Json *value = find(name);
  if (!value || value->is_boolean())
    return value && value->get<bool>();
  fail(name, fmt::format("{} must be true or false, got {}", name, shown(*value)));
  return false;
}

std::optional<std::string> FieldReader::text(const char *name) {
  const Json *value = find(name);
  if (!value)
    return std::nullopt;
  if (value->is_string())
    return value->get<std::string>();
  fail(name, fmt::format("{} must be a string, got {}", name, shown(*value)));
  return std::nullopt;
}

void FieldReader::unsupported(const char *name, const std::vector<Json> &neutral) {
  const Json *value = find(name);
  const bool isNothing = !value || *value == false || (value->is_structured() && value->empty()) ||
                         (value->is_string() && value->get_ref<const std::string &>().empty());
  if (!isNothing && std::ranges::find(neutral, *value) == neutral.end())
    fail(name, fmt::format("{} is not supported by this server; leave it out", name), "unsupported_parameter");
}

std::vector<std::string> FieldReader::unknown() const {
  std::vector<std::string> names;
  for (const auto &[name, value] : object.items())
    if (!known.contains(name))
      names.push_back(name);
  return names;
}

} // namespace lpu::serve
