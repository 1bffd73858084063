// Content is text, or blocks of text. Blocks of any other type, tools and extended thinking are refused by name.
#include "lpu/serve/Anthropic.h"

#include "JsonBody.h"

#include <fmt/format.h>

#include <limits>

namespace lpu::serve::anthropic {
namespace {

constexpr std::int64_t kMany = std::numeric_limits<std::int32_t>::max();
constexpr std::size_t kMostStops = 16;

class Parser {
public:
  Parser(const Json &body, const RequestLimits &limits) : fields(body), limits(limits) {}

  OrRefusal<Request> read(bool counts) {
    request.task = Task::Chat;
    request.model = fields.text("model").value_or("");
    if (fields.find("system"))
      if (std::string text = fields.content("system"); !text.empty())
        request.messages.push_back({"system", std::move(text)});
    readMessages();
    refuseUnsupported();
    if (!counts)
      readGeneration();
    if (fields.refusal())
      return *fields.refusal();
    request.ignored = fields.unknown();
    return std::move(request);
  }

private:
  void readMessages() {
    const Json *list = fields.find("messages");
    if (!list || !list->is_array() || list->empty())
      return fields.fail("messages", "messages must be a list of at least one message");
    if (list->size() > limits.messages)
      return fields.fail("messages", fmt::format("messages must not be more than {}", limits.messages));
    for (std::size_t i = 0; i < list->size() && !fields.refusal(); ++i) {
      const std::string place = fmt::format("messages.{}", i);
      if (!(*list)[i].is_object())
        return fields.fail(place, place + " must be an object with role and content");
      FieldReader message((*list)[i], place + ".");
      const std::string role = message.text("role").value_or("");
      if (role != "user" && role != "assistant")
        message.fail("role", "role must be user or assistant; a system prompt goes into system");
      request.messages.push_back({role, message.content("content")});
      fields.take(message);
    }
  }

  void refuseUnsupported() {
    fields.unsupported("tools");
    fields.unsupported("tool_choice", {Json{{"type", "auto"}}, Json{{"type", "none"}}});
    fields.unsupported("thinking", {Json{{"type", "disabled"}}});
    fields.unsupported("mcp_servers");
    fields.unsupported("container");
    fields.unsupported("output_config");
    fields.unsupported("output_format");
  }

  void readGeneration() {
    const auto most = fields.integer("max_tokens", 1, kMany);
    if (!most)
      return fields.fail("max_tokens", "max_tokens is required: a whole number from 1 on");
    request.maxTokens = static_cast<std::uint64_t>(*most);
    request.clip = true;
    request.sampling.temperature = static_cast<float>(fields.number("temperature", 0, 1).value_or(1));
    request.sampling.topP = static_cast<float>(fields.number("top_p", 0, 1).value_or(1));
    if (request.sampling.topP <= 0)
      fields.fail("top_p", "top_p must be above 0 and at most 1");
    request.sampling.topK = static_cast<std::uint32_t>(fields.integer("top_k", 0, kMany).value_or(0));
    request.stop = fields.stops("stop_sequences", kMostStops, limits);
    request.stream = fields.flag("stream");
    request.tier = fields.tier("service_tier");
  }

  FieldReader fields;
  const RequestLimits &limits;
  Request request;
};

OrRefusal<Request> read(std::string_view body, const RequestLimits &limits, bool counts) {
  auto json = parseObject(body, limits.depth);
  if (!json)
    return json.refusal();
  return Parser(*json, limits).read(counts);
}

} // namespace

OrRefusal<Request> parse(std::string_view body, const RequestLimits &limits) { return read(body, limits, false); }

OrRefusal<Request> parseCount(std::string_view body, const RequestLimits &limits) { return read(body, limits, true); }

} // namespace lpu::serve::anthropic
