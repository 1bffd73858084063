// Content is text, or blocks of text. Blocks of any other type, tools and extended thinking are refused by name.
#include "lpu/serve/Anthropic.h"

#include "JsonBody.h"

#include <algorithm>
#include <iterator>

namespace lpu::serve::anthropic {
namespace {

class Parser {
public:
  Parser(const Json &body, const RequestLimits &limits) : fields(body), limits(limits) {}

  OrRefusal<Request> read(bool counts) {
    request.task = Task::Chat;
    request.model = fields.text("model").value_or("");
    if (fields.find("system"))
      if (std::string text = fields.content("system"); !text.empty())
        request.messages.push_back({"system", std::move(text)});
    std::ranges::move(fields.turns(limits.messages, "messages.{}", "; a system prompt goes into system"),
                      std::back_inserter(request.messages));
    refuseUnsupported();
    if (!counts)
      readGeneration();
    if (fields.refusal())
      return *fields.refusal();
    request.ignored = fields.unknown();
    return std::move(request);
  }

private:
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
