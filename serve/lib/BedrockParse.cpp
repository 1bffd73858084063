// Names are camelCase in Converse, snake_case in the bodies of models.
#include "lpu/serve/Bedrock.h"

#include "JsonBody.h"
#include "lpu/isa/Base64.h"
#include "lpu/serve/Anthropic.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace lpu::serve::bedrock {
namespace {

/// Temperature, top-p and a bound on tokens, whatever they are called.
struct SamplingNames {
  const char *most, *temperature, *topP;
};

void readSampling(FieldReader &fields, const SamplingNames &names, Request &to) {
  if (const auto most = fields.integer(names.most, 1, kMany))
    to.maxTokens = static_cast<std::uint64_t>(*most);
  to.clip = true;
  to.sampling.temperature =
      static_cast<float>(fields.number(names.temperature, 0, 1).value_or(to.sampling.temperature));
  to.sampling.topP = static_cast<float>(fields.number(names.topP, 0, 1).value_or(to.sampling.topP));
  if (to.sampling.topP <= 0)
    fields.fail(names.topP, fmt::format("{} must be above 0 and at most 1", names.topP));
}

class ConverseParser {
public:
  ConverseParser(const Json &body, const RequestLimits &limits) : fields(body), limits(limits) {}

  OrRefusal<Request> read() {
    request.task = Task::Chat;
    if (fields.find("system"))
      if (std::string text = fields.content("system"); !text.empty())
        request.messages.push_back({"system", std::move(text)});
    std::ranges::move(fields.turns(limits.messages, "messages[{}]"), std::back_inserter(request.messages));
    for (const char *name : {"toolConfig", "guardrailConfig", "promptVariables", "outputConfig"})
      fields.unsupported(name);
    readObject("inferenceConfig", [&](FieldReader &config) {
      readSampling(config, {"maxTokens", "temperature", "topP"}, request);
      request.stop = config.stops("stopSequences", kMostStops, limits);
    });
    readObject("additionalModelRequestFields", [&](FieldReader &more) {
      request.sampling.topK = static_cast<std::uint32_t>(more.integer("top_k", 0, kMany).value_or(0));
      if (const auto seed = more.integer("seed", INT64_MIN, INT64_MAX))
        request.seed = static_cast<std::uint64_t>(*seed);
    });
    readObject("serviceTier", [&](FieldReader &tier) { request.tier = tier.tier("type"); });
    request.clip = true;
    if (fields.refusal())
      return *fields.refusal();
    request.ignored = fields.unknown();
    return std::move(request);
  }

private:
  template <typename Read> void readObject(const char *name, Read read) {
    const Json *value = fields.find(name);
    if (!value)
      return;
    if (!value->is_object())
      return fields.fail(name, fmt::format("{} must be an object", name));
    FieldReader inner(*value, name + std::string("."));
    read(inner);
    fields.take(inner);
  }

  FieldReader fields;
  const RequestLimits &limits;
  Request request;
};

/// Meta's body, with its defaults.
OrRefusal<Request> parseCompletion(const Json &body) {
  FieldReader fields(body);
  Request request;
  request.task = Task::Completion;
  request.maxTokens = 512;
  request.sampling.temperature = 0.5F;
  request.sampling.topP = 0.9F;
  const std::string prompt = fields.text("prompt").value_or("");
  if (prompt.empty())
    fields.fail("prompt", "prompt must be a text that is not empty");
  request.prompts.emplace_back(prompt);
  readSampling(fields, {"max_gen_len", "temperature", "top_p"}, request);
  fields.unsupported("images");
  if (fields.refusal())
    return *fields.refusal();
  request.ignored = fields.unknown();
  return request;
}

bool streams(const Target &target) { return target.action.ends_with("stream"); }

OrRefusal<Request> named(OrRefusal<Request> request, const Target &target) {
  if (request)
    request->model = target.model, request->stream = streams(target);
  return request;
}

} // namespace

Target targetOf(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos)
    return {std::string(path), ""};
  std::string_view model = path.substr(0, slash);
  if (model.starts_with("arn:"))
    model.remove_prefix(model.find_last_of(":/") + 1);
  return {std::string(model), std::string(path.substr(slash + 1))};
}

OrRefusal<Request> parseConverse(std::string_view body, const Target &target, const RequestLimits &limits) {
  auto json = parseObject(body, limits.depth);
  if (!json)
    return json.refusal();
  return named(ConverseParser(*json, limits).read(), target);
}

OrRefusal<Request> parseInvoke(std::string_view body, const Target &target, const RequestLimits &limits) {
  auto json = parseObject(body, limits.depth);
  if (!json)
    return json.refusal();
  if (!json->contains("messages"))
    return named(parseCompletion(*json), target);
  json->erase("anthropic_version"); // which says that it is Anthropic's
  return named(anthropic::parse(dump(*json), limits), target);
}

OrRefusal<Request> parseCount(std::string_view body, const Target &target, const RequestLimits &limits) {
  auto json = parseObject(body, limits.depth);
  if (!json)
    return json.refusal();
  const Json input = json->value("input", Json());
  if (input.is_object() && input.contains("converse") && input["converse"].is_object())
    return named(ConverseParser(input["converse"], limits).read(), target);
  const Json invoke = input.is_object() ? input.value("invokeModel", Json()) : Json();
  const Json encoded = invoke.is_object() ? invoke.value("body", Json()) : Json();
  if (!encoded.is_string())
    return Refusal{400, "input must have converse, or invokeModel with a body", "input", ""};
  const auto decoded = fromBase64(encoded.get_ref<const std::string &>());
  if (!decoded)
    return Refusal{400, "input.invokeModel.body must be base64", "input.invokeModel.body", ""};
  return parseInvoke(*decoded, target, limits);
}

} // namespace lpu::serve::bedrock
