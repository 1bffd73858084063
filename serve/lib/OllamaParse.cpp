// Ollama's own server takes any value of an option; here each has the range that the sampler can keep to. What the
// placing of a model on graphics cards is about has no effect and is named as such.
#include "lpu/serve/Ollama.h"

#include "JsonBody.h"

#include <fmt/format.h>

#include <limits>

namespace lpu::serve::ollama {
namespace {

class Parser {
public:
  Parser(const Json &body, const RequestLimits &limits) : fields(body), limits(limits) {}

  OrRefusal<Request> read(Form form) {
    request.model = modelName(fields.text("model").value_or(""));
    request.task = form == Form::Chat || form == Form::Generate ? Task::Chat : Task::Embedding;
    if (form == Form::Chat)
      readMessages();
    else if (form == Form::Generate)
      readPrompt();
    else
      readInputs(form == Form::Embed ? "input" : "prompt");
    if (form == Form::Chat || form == Form::Generate)
      readGeneration();
    if (fields.refusal())
      return *fields.refusal();
    request.ignored = fields.unknown();
    return std::move(request);
  }

private:
  void readMessages() {
    const Json *list = fields.find("messages");
    if (!list)
      return;
    if (!list->is_array() || list->size() > limits.messages)
      return fields.fail("messages", fmt::format("messages must be a list of at most {}", limits.messages));
    for (std::size_t i = 0; i < list->size() && !fields.refusal(); ++i) {
      const std::string place = fmt::format("messages[{}]", i);
      if (!(*list)[i].is_object())
        return fields.fail(place, place + " must be an object with role and content");
      FieldReader message((*list)[i], place + ".");
      const std::string role = message.text("role").value_or("");
      if (role != "system" && role != "user" && role != "assistant" && role != "tool")
        message.fail("role", "role must be system, user, assistant or tool");
      message.unsupported("images");
      message.unsupported("tool_calls");
      request.messages.push_back({role, message.text("content").value_or("")});
      fields.take(message);
    }
  }

  /// A prompt is a message of the user, or with `raw` what the model is fed.
  void readPrompt() {
    const std::string prompt = fields.text("prompt").value_or(""), system = fields.text("system").value_or("");
    fields.unsupported("suffix");
    fields.unsupported("template");
    fields.unsupported("context");
    fields.unsupported("images");
    const bool raw = fields.flag("raw");
    if (prompt.empty())
      return;
    if (raw) {
      request.task = Task::Completion;
      request.prompts.emplace_back(prompt);
      return;
    }
    if (!system.empty())
      request.messages.push_back({"system", system});
    request.messages.push_back({"user", prompt});
  }

  void readInputs(const char *name) {
    const Json *value = fields.find(name);
    const Json list = !value ? Json::array() : value->is_array() ? *value : Json::array({*value});
    if (list.size() > limits.inputs)
      return fields.fail(name, fmt::format("{} must not have more than {} entries", name, limits.inputs));
    for (const Json &item : list) {
      if (!item.is_string())
        return fields.fail(name, fmt::format("{} must be a string or a list of strings", name));
      if (!item.get_ref<const std::string &>().empty())
        request.prompts.emplace_back(item.get<std::string>());
      else if (list.size() > 1)
        return fields.fail(name, fmt::format("{} must not hold empty strings", name));
    }
    const Json *truncate = fields.find("truncate");
    request.truncate = !truncate || fields.flag("truncate");
    fields.unsupported("dimensions");
  }

  void readGeneration() {
    request.stream = !fields.find("stream") || fields.flag("stream");
    fields.unsupported("format");
    fields.unsupported("tools");
    fields.unsupported("think");
    fields.unsupported("logprobs");
    request.clip = true;
    static const Json kNone = Json::object();
    const Json *given = fields.find("options");
    if (given && !given->is_object())
      return fields.fail("options", "options must be an object");
    FieldReader options(given ? *given : kNone, "options.");
    readSampling(options);
    readLength(options);
    fields.take(options);
  }

  void readSampling(FieldReader &options) {
    rt::SamplerOptions &sampling = request.sampling;
    sampling.temperature = static_cast<float>(options.number("temperature", 0, 100).value_or(0.8));
    sampling.topK =
        static_cast<std::uint32_t>(std::max<std::int64_t>(0, options.integer("top_k", -1, kMany).value_or(40)));
    sampling.topP = static_cast<float>(options.number("top_p", 0, 1).value_or(0.9));
    if (sampling.topP <= 0)
      sampling.topP = std::numeric_limits<float>::min(); // the likeliest token alone
    sampling.minP = static_cast<float>(options.number("min_p", 0, 1).value_or(0));
    sampling.repeatPenalty = static_cast<float>(options.number("repeat_penalty", 0.01, 100).value_or(1.1));
    const std::int64_t last = options.integer("repeat_last_n", -1, kMany).value_or(64);
    sampling.repeatLastN = static_cast<std::uint32_t>(last < 0 ? kMany : last);
    if (const auto seed = options.integer("seed", INT64_MIN, INT64_MAX); seed && *seed != -1)
      request.seed = static_cast<std::uint64_t>(*seed);
    for (const char *name : {"presence_penalty", "frequency_penalty", "mirostat"})
      options.unsupported(name, {0, 0.0});
    for (const char *name : {"typical_p", "tfs_z"})
      options.unsupported(name, {1, 1.0});
  }

  void readLength(FieldReader &options) {
    request.stop = options.stops("stop", kMostStops, limits);
    const auto most = options.integer("num_predict", -2, kMany);
    if (most == 0)
      options.fail("num_predict", "num_predict must be above 0, or -1 or -2 for as many as the context leaves");
    else if (most && *most > 0)
      request.maxTokens = static_cast<std::uint64_t>(*most);
  }

  FieldReader fields;
  const RequestLimits &limits;
  Request request;
};

} // namespace

std::string modelName(const std::string &name) {
  constexpr std::string_view kLatest = ":latest";
  return name.ends_with(kLatest) ? name.substr(0, name.size() - kLatest.size()) : name;
}

OrRefusal<Request> parse(Form form, std::string_view body, const RequestLimits &limits) {
  auto json = parseObject(body, limits.depth);
  if (!json)
    return json.refusal();
  return Parser(*json, limits).read(form);
}

} // namespace lpu::serve::ollama
