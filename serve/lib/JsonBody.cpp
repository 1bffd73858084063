// nlohmann's parser does not recurse but takes any depth; what is deeper than the limit is refused by counting
// brackets before anything is allocated.
#include "JsonBody.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

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
    wrong = Refusal{400, place + message, place + param, code};
}

void FieldReader::take(const FieldReader &inner) {
  if (!wrong)
    wrong = inner.wrong;
  const std::vector<std::string> names = inner.unknown();
  innerUnknown.insert(innerUnknown.end(), names.begin(), names.end());
}

std::vector<Message> FieldReader::turns(std::size_t most, std::string_view place, std::string_view advice) {
  std::vector<Message> out;
  const Json *list = find("messages");
  if (!list || !list->is_array() || list->empty())
    return fail("messages", "messages must be a list of at least one message"), out;
  if (list->size() > most)
    return fail("messages", fmt::format("messages must not be more than {}", most)), out;
  for (std::size_t i = 0; i < list->size() && !refusal(); ++i) {
    const std::string name = fmt::format(fmt::runtime(place), i);
    if (!(*list)[i].is_object())
      return fail(name, name + " must be an object with role and content"), out;
    FieldReader message((*list)[i], name + ".");
    const std::string role = message.text("role").value_or("");
    if (role != "user" && role != "assistant")
      message.fail("role", fmt::format("role must be user or assistant{}", advice));
    out.push_back({role, message.content("content")});
    take(message);
  }
  return out;
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

std::vector<std::string> FieldReader::stops(const char *name, std::size_t most, const RequestLimits &limits) {
  std::vector<std::string> read;
  const Json *value = find(name);
  if (!value)
    return read;
  const Json list = value->is_array() ? *value : Json::array({*value});
  if (list.size() > most)
    fail(name, fmt::format("{} must have at most {} entries, got {}", name, most, list.size()));
  for (const Json &item : list) {
    if (!item.is_string() || item.get_ref<const std::string &>().empty() ||
        item.get_ref<const std::string &>().size() > limits.stopBytes)
      fail(name, fmt::format("{} must be a string or up to {} strings of 1 to {} bytes", name, most, limits.stopBytes));
    if (wrong)
      return {};
    read.push_back(item.get<std::string>());
  }
  return read;
}

std::string FieldReader::content(const char *name) {
  const Json *value = find(name);
  if (value && value->is_string())
    return value->get<std::string>();
  std::string read;
  if (!value || !value->is_array()) {
    fail(name, fmt::format("{} must be a string or a list of text parts", name));
    return read;
  }
  for (std::size_t i = 0; i < value->size(); ++i) {
    const Json &part = (*value)[i];
    const auto text = part.is_object() ? part.find("text") : part.end();
    const bool isText =
        part.is_object() && text != part.end() && text->is_string() && part.value("type", Json("text")) == "text";
    if (!isText) {
      fail(fmt::format("{}[{}]", name, i),
           fmt::format("{}[{}] must be a part of text; this server reads text alone", name, i),
           "unsupported_parameter");
      return read;
    }
    read += text->get<std::string>();
  }
  return read;
}

std::optional<Tier> FieldReader::tier(const char *name) {
  static const std::map<std::string, Tier> kTiers = {{"auto", Tier::Shared},          {"default", Tier::Shared},
                                                     {"standard", Tier::Shared},      {"on_demand", Tier::Shared},
                                                     {"standard_only", Tier::Shared}, {"flex", Tier::Leftover},
                                                     {"priority", Tier::Reserved},    {"performance", Tier::Reserved},
                                                     {"scale", Tier::Reserved},       {"reserved", Tier::Reserved}};
  const auto word = text(name);
  if (!word)
    return std::nullopt;
  const auto found = kTiers.find(*word);
  if (found != kTiers.end())
    return found->second;
  fail(name,
       fmt::format("{} must be auto, default, flex or priority (or on_demand, performance, scale, standard)", name));
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
      names.push_back(place + name);
  names.insert(names.end(), innerUnknown.begin(), innerUnknown.end());
  return names;
}

} // namespace lpu::serve
