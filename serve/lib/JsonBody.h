// Reading the JSON bodies of requests: limits first, every mistake with the field's name and its range.
#pragma once

#include "lpu/serve/Request.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace lpu::serve {

using Json = nlohmann::ordered_json;

/// Counts of tokens go so far; a larger one is a mistake.
inline constexpr std::int64_t kMany = std::numeric_limits<std::int32_t>::max();
/// Stop texts of a request, in dialects whose services name no number.
inline constexpr std::size_t kMostStops = 16;

/// An object of text. Refused: no JSON, no object, deeper than `depth`.
OrRefusal<Json> parseObject(std::string_view body, unsigned depth);

/// JSON text of what a server says; bytes that are no UTF-8 become U+FFFD.
std::string dump(const Json &json);

/// The fields of one object. What is wrong first is kept; readers after that return defaults.
class FieldReader {
public:
  /// `place`: what the object is called, with a dot behind it ("options."); empty: it is the body.
  explicit FieldReader(const Json &object, std::string place = "") : object(object), place(std::move(place)) {}

  /// The value; null if it is absent or null. The field counts as known.
  const Json *find(const char *name);

  std::optional<double> number(const char *name, double from, double to);
  std::optional<std::int64_t> integer(const char *name, std::int64_t from, std::int64_t to);
  bool flag(const char *name);
  std::optional<std::string> text(const char *name);
  /// A string, or a list of at most `most` strings, none of them empty or longer than limits.stopBytes.
  std::vector<std::string> stops(const char *name, std::size_t most, const RequestLimits &limits);
  /// The text of a string, or of a list of text parts as most dialects have them: `{"type":"text","text":…}`, where
  /// the type may be missing. Any other part is refused. `name` is required.
  std::string content(const char *name);

  /// The turns of "messages", a required list of at most `most` whose roles are user and assistant. `place` names one
  /// by its number, as "messages[{}]"; `advice` ends the error about a role.
  std::vector<Message> turns(std::size_t most, std::string_view place, std::string_view advice = "");

  /// A service tier, by the words of OpenAI, Groq, Anthropic, Google or Amazon.
  std::optional<Tier> tier(const char *name);

  /// Refuses a field unless it asks for nothing: absent, null, false, empty, or what `neutral` lists.
  void unsupported(const char *name, const std::vector<Json> &neutral = {});
  /// `param` and the field that begins the message are those of this object.
  void fail(const std::string &param, const std::string &message, const std::string &code = "");
  /// What went wrong in an object of this one, if something did.
  void take(const FieldReader &inner);

  const std::optional<Refusal> &refusal() const { return wrong; }
  /// Fields that nobody asked for, with their place; those of `take`n objects too.
  std::vector<std::string> unknown() const;

private:
  const Json &object;
  std::string place;
  std::set<std::string> known;
  std::vector<std::string> innerUnknown;
  std::optional<Refusal> wrong;
};

} // namespace lpu::serve
