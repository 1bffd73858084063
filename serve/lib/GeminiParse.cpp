// Google's JSON takes names in camelCase, and in snake_case too; clients send both at the top.
#include "lpu/serve/Gemini.h"

#include "JsonBody.h"

#include <fmt/format.h>

namespace lpu::serve::gemini {
namespace {

class Parser {
public:
  Parser(const Json &body, const RequestLimits &limits) : fields(body), limits(limits) {}

  OrRefusal<Request> read() {
    request.task = Task::Chat;
    request.clip = true;
    readSystem();
    readContents();
    static_cast<void>(fields.text("model")); // the path names it
    request.tier = fields.tier("serviceTier");
    for (const char *name : {"tools", "toolConfig", "tool_config", "cachedContent", "cached_content"})
      fields.unsupported(name);
    const char *name = fields.find("generationConfig") ? "generationConfig" : "generation_config";
    if (const Json *config = fields.find(name)) {
      if (!config->is_object())
        fields.fail(name, fmt::format("{} must be an object", name));
      else
        readConfig(*config, name);
    }
    if (fields.refusal())
      return *fields.refusal();
    request.ignored = fields.unknown();
    return std::move(request);
  }

private:
  /// {"role","parts":[{"text"}]}, as one message.
  void readContent(const Json &content, const std::string &place, bool isSystem) {
    if (!content.is_object())
      return fields.fail(place, place + " must be an object with role and parts");
    FieldReader reader(content, place + ".");
    const std::string role = reader.text("role").value_or("user");
    if (!isSystem && role != "user" && role != "model")
      reader.fail("role", "role must be user or model");
    request.messages.push_back({isSystem ? "system" : role == "model" ? "assistant" : "user", reader.content("parts")});
    fields.take(reader);
  }

  void readSystem() {
    const char *name = fields.find("systemInstruction") ? "systemInstruction" : "system_instruction";
    const Json *system = fields.find(name);
    if (system && system->is_string())
      request.messages.push_back({"system", system->get<std::string>()});
    else if (system)
      readContent(*system, name, true);
  }

  void readContents() {
    const Json *value = fields.find("contents");
    if (!value || (!value->is_array() && !value->is_object()) || value->empty())
      return fields.fail("contents", "contents must be a list of at least one content with role and parts");
    if (value->is_object())
      return readContent(*value, "contents", false);
    if (value->size() > limits.messages)
      return fields.fail("contents", fmt::format("contents must not be more than {}", limits.messages));
    for (std::size_t i = 0; i < value->size() && !fields.refusal(); ++i)
      readContent((*value)[i], fmt::format("contents[{}]", i), false);
  }

  void readConfig(const Json &json, const char *name) {
    FieldReader config(json, name + std::string("."));
    request.sampling.temperature = static_cast<float>(config.number("temperature", 0, 2).value_or(1));
    request.sampling.topP = static_cast<float>(config.number("topP", 0, 1).value_or(1));
    if (request.sampling.topP <= 0)
      config.fail("topP", "topP must be above 0 and at most 1");
    const double topK = config.number("topK", 0, kMany).value_or(0); // clients write 40 and 40.0
    request.sampling.topK = static_cast<std::uint32_t>(topK);
    if (const auto most = config.integer("maxOutputTokens", 1, kMany))
      request.maxTokens = static_cast<std::uint64_t>(*most);
    request.choices = static_cast<unsigned>(config.integer("candidateCount", 1, limits.choices).value_or(1));
    if (const auto seed = config.integer("seed", INT64_MIN, INT64_MAX))
      request.seed = static_cast<std::uint64_t>(*seed);
    request.stop = config.stops("stopSequences", kMostStops, limits);
    for (const char *penalty : {"presencePenalty", "frequencyPenalty"})
      config.unsupported(penalty, {0, 0.0});
    config.unsupported("responseMimeType", {"text/plain"});
    config.unsupported("responseModalities", {Json::array({"TEXT"})});
    for (const char *unbuilt : {"responseSchema", "responseJsonSchema", "responseLogprobs", "logprobs", "speechConfig"})
      config.unsupported(unbuilt);
    fields.take(config);
  }

  FieldReader fields;
  const RequestLimits &limits;
  Request request;
};

} // namespace

Target targetOf(std::string_view path) {
  constexpr std::string_view kModels = "models/";
  if (const std::size_t at = path.rfind(kModels); at != std::string_view::npos)
    path.remove_prefix(at + kModels.size());
  const std::size_t colon = path.rfind(':');
  if (colon == std::string_view::npos)
    return {std::string(path), ""};
  return {std::string(path.substr(0, colon)), std::string(path.substr(colon + 1))};
}

OrRefusal<Request> parse(std::string_view body, const std::string &model, bool stream, const RequestLimits &limits) {
  auto json = parseObject(body, limits.depth);
  if (!json)
    return json.refusal();
  auto request = Parser(*json, limits).read();
  if (request)
    request->model = model, request->stream = stream;
  return request;
}

OrRefusal<Request> parseCount(std::string_view body, const std::string &model, const RequestLimits &limits) {
  auto json = parseObject(body, limits.depth);
  if (!json)
    return json.refusal();
  const auto whole = json->find("generateContentRequest");
  if (whole != json->end() && !whole->is_object())
    return Refusal{400, "generateContentRequest must be an object", "generateContentRequest", ""};
  auto request = Parser(whole == json->end() ? *json : *whole, limits).read();
  if (request)
    request->model = model;
  return request;
}

} // namespace lpu::serve::gemini
