// Fields of the OpenAI API, each with its range. A parameter that exists and is not built is refused by name, since an
// answer that silently lacks what was asked for is worse than none.
#include "lpu/serve/OpenAi.h"

#include "JsonBody.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace lpu::serve::openai {
namespace {

constexpr unsigned kTopLogprobs = 20, kCompletionLogprobs = 5;
constexpr std::uint64_t kCompletionTokens = 16; ///< max_tokens of /v1/completions unless given

/// Of vLLM's, llama.cpp's and other servers of this dialect. Each would change the answer, so none is passed over.
const char *const kNotBuilt[] = {"min_tokens",
                                 "stop_token_ids",
                                 "bad_words",
                                 "allowed_token_ids",
                                 "use_beam_search",
                                 "prompt_logprobs",
                                 "truncate_prompt_tokens",
                                 "include_stop_str_in_output",
                                 "response_schema",
                                 "json_schema",
                                 "grammar",
                                 "guided_json",
                                 "guided_regex",
                                 "guided_choice",
                                 "guided_grammar",
                                 "structured_outputs",
                                 "mirostat",
                                 "samplers",
                                 "lora",
                                 "logits_processors",
                                 "continue_final_message"};

const char *const kRoles[] = {"system", "developer", "user", "assistant", "tool", "function"};

class Parser {
public:
  Parser(const Json &body, const RequestLimits &limits) : fields(body), limits(limits) {}

  OrRefusal<Request> read(Task task) {
    request.task = task;
    request.model = fields.text("model").value_or("");
    if (task == Task::Embedding)
      readEmbedding();
    else
      readGeneration();
    if (fields.refusal())
      return *fields.refusal();
    request.ignored = fields.unknown();
    request.ignored.insert(request.ignored.end(), ignored.begin(), ignored.end());
    return std::move(request);
  }

private:
  void readGeneration() {
    if (request.task == Task::Chat)
      readChat();
    else
      readCompletion();
    request.choices = static_cast<unsigned>(fields.integer("n", 1, limits.choices).value_or(1));
    if (request.choices * std::max<std::size_t>(1, request.prompts.size()) > limits.prompts)
      fields.fail("n", fmt::format("n times the number of prompts must not be above {}", limits.prompts));
    readSampling();
    if (auto seed = fields.integer("seed", INT64_MIN, INT64_MAX))
      request.seed = static_cast<std::uint64_t>(*seed);
    request.stop = fields.stops("stop", limits.stops, limits);
    readStream();
    for (const char *penalty : {"frequency_penalty", "presence_penalty"})
      if (fields.number(penalty, -2, 2).value_or(0) != 0)
        fields.unsupported(penalty, {});
    fields.unsupported("logit_bias");
    for (const char *name : kNotBuilt)
      fields.unsupported(name);
    request.ignoreEos = fields.flag("ignore_eos");
    static_cast<void>(fields.text("user"));
    request.tier = fields.tier("service_tier");
  }

  void readSampling() {
    rt::SamplerOptions &to = request.sampling;
    to.temperature = static_cast<float>(fields.number("temperature", 0, 2).value_or(1));
    to.topP = static_cast<float>(fields.number("top_p", 0, 1).value_or(1));
    if (to.topP <= 0)
      fields.fail("top_p", "top_p must be above 0 and at most 1");
    to.topK = static_cast<std::uint32_t>(std::max<std::int64_t>(0, fields.integer("top_k", -1, kMany).value_or(0)));
    to.minP = static_cast<float>(fields.number("min_p", 0, 1).value_or(0));
    // vLLM's and Hugging Face's name, which looks at all tokens; and llama.cpp's, which looks at the last ones.
    if (auto penalty = readPenalty("repetition_penalty"))
      to.repeatPenalty = *penalty, to.repeatLastN = static_cast<std::uint32_t>(kMany);
    if (auto penalty = readPenalty("repeat_penalty"))
      to.repeatPenalty = *penalty, to.repeatLastN = rt::SamplerOptions().repeatLastN;
    if (auto last = fields.integer("repeat_last_n", -1, kMany))
      to.repeatLastN = static_cast<std::uint32_t>(*last < 0 ? kMany : *last);
    for (const char *name : {"typical_p", "tfs_z", "length_penalty"})
      fields.unsupported(name, {1});
    for (const char *name : {"top_a", "xtc_probability", "dry_multiplier", "dynatemp_range"})
      fields.unsupported(name, {0});
  }

  std::optional<float> readPenalty(const char *name) {
    auto value = fields.number(name, 0, 100);
    if (value && *value <= 0)
      fields.fail(name, fmt::format("{} must be above 0", name));
    return value ? std::optional(static_cast<float>(*value)) : std::nullopt;
  }

  void readChat() {
    readMessages();
    readMaxTokens({"max_completion_tokens", "max_tokens"});
    request.logprobs = fields.flag("logprobs");
    if (auto top = fields.integer("top_logprobs", 0, kTopLogprobs)) {
      request.topLogprobs = static_cast<unsigned>(*top);
      if (!request.logprobs && *top > 0)
        fields.fail("top_logprobs", "top_logprobs needs logprobs to be true");
    }
    fields.unsupported("tools");
    fields.unsupported("functions");
    fields.unsupported("tool_choice", {"none", "auto"});
    fields.unsupported("function_call", {"none", "auto"});
    fields.unsupported("response_format", {Json{{"type", "text"}}});
    fields.unsupported("audio");
    fields.unsupported("modalities", {Json::array({"text"})});
    fields.unsupported("prediction");
    fields.unsupported("echo");
    fields.unsupported("web_search_options");
  }

  void readCompletion() {
    readPrompts("prompt", limits.prompts);
    readMaxTokens({"max_tokens", "max_completion_tokens"});
    if (!request.maxTokens)
      request.maxTokens = kCompletionTokens;
    if (auto top = fields.integer("logprobs", 0, kCompletionLogprobs)) {
      request.logprobs = true;
      request.topLogprobs = static_cast<unsigned>(*top);
    }
    request.echo = fields.flag("echo");
    if (request.echo && request.logprobs)
      fields.fail("echo", "echo together with logprobs is not supported by this server; leave one out",
                  "unsupported_parameter");
    fields.unsupported("suffix");
    fields.unsupported("best_of", {1});
  }

  void readEmbedding() {
    readPrompts("input", limits.inputs);
    if (auto format = fields.text("encoding_format")) {
      request.base64 = *format == "base64";
      if (*format != "base64" && *format != "float")
        fields.fail("encoding_format", "encoding_format must be float or base64");
    }
    fields.unsupported("dimensions");
    static_cast<void>(fields.text("user"));
  }

  /// The first is the name of today; given several, the smallest holds.
  void readMaxTokens(std::initializer_list<const char *> names) {
    for (const char *name : names)
      if (auto value = fields.integer(name, 1, kMany)) {
        const auto read = static_cast<std::uint64_t>(*value);
        request.maxTokens = std::min(request.maxTokens.value_or(read), read);
      }
  }

  void readMessages() {
    const Json *list = fields.find("messages");
    if (!list || !list->is_array() || list->empty())
      return fields.fail("messages", "messages must be a list of at least one message");
    if (list->size() > limits.messages)
      return fields.fail("messages", fmt::format("messages must not be more than {}", limits.messages));
    for (std::size_t i = 0; i < list->size() && !fields.refusal(); ++i)
      readMessage((*list)[i], fmt::format("messages[{}]", i));
  }

  void readMessage(const Json &message, const std::string &place) {
    if (!message.is_object())
      return fields.fail(place, place + " must be an object with role and content");
    const auto role = message.find("role");
    if (role == message.end() || !role->is_string() ||
        std::ranges::find(kRoles, role->get<std::string>()) == std::end(kRoles))
      return fields.fail(place + ".role", place + ".role must be system, developer, user, assistant or tool");
    noteOthers(message, "messages[]", {"role", "content", "refusal", "tool_calls", "function_call", "audio"});
    for (const char *call : {"tool_calls", "function_call", "audio"})
      if (const auto found = message.find(call); found != message.end() && !found->empty())
        return fields.fail(place + "." + call, fmt::format("{}.{} is not supported by this server", place, call),
                           "unsupported_parameter");
    const auto content = message.find("content");
    Message &made = request.messages.emplace_back(Message{role->get<std::string>(), ""});
    if (content != message.end() && content->is_string())
      made.content = content->get<std::string>();
    else if (content != message.end() && content->is_array())
      readParts(*content, place + ".content", made.content);
    else if ((content != message.end() && !content->is_null()) || made.role != "assistant")
      fields.fail(place + ".content", place + ".content must be a string or a list of text parts");
  }

  /// Fields of an inner object that have no effect.
  void noteOthers(const Json &object, const char *place, std::initializer_list<std::string_view> known) {
    for (const auto &[name, value] : object.items())
      if (!value.is_null() && std::ranges::find(known, name) == known.end())
        ignored.insert(fmt::format("{}.{}", place, name));
  }

  void readParts(const Json &parts, const std::string &place, std::string &to) {
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const Json &part = parts[i];
      const bool isText =
          part.is_object() && part.value("type", Json()) == "text" && part.contains("text") && part["text"].is_string();
      if (!isText)
        return fields.fail(fmt::format("{}[{}]", place, i),
                           fmt::format("{}[{}] must be a part of type text; this server reads text alone", place, i),
                           "unsupported_parameter");
      to += part["text"].get<std::string>();
    }
  }

  /// A string, strings, token ids, or lists of token ids.
  void readPrompts(const char *name, std::size_t most) {
    const Json *value = fields.find(name);
    if (value && value->is_string())
      return request.prompts.push_back(value->get<std::string>()), checkPrompts(name, most);
    if (!value || !value->is_array() || value->empty())
      return fields.fail(name, fmt::format("{} must be a string, a list of strings, token ids, or lists of token ids; "
                                           "none of them empty",
                                           name));
    if (value->front().is_number())
      readIds(*value, name);
    else if (value->size() > most)
      return fields.fail(name, fmt::format("{} must not have more than {} entries, got {}", name, most, value->size()));
    else
      for (const Json &item : *value)
        if (item.is_string())
          request.prompts.push_back(item.get<std::string>());
        else
          readIds(item, name);
    checkPrompts(name, most);
  }

  void checkPrompts(const char *name, std::size_t most) {
    if (request.prompts.size() > most)
      fields.fail(name, fmt::format("{} must not have more than {} entries", name, most));
    for (const Prompt &prompt : request.prompts)
      if (std::visit([](const auto &content) { return content.empty(); }, prompt))
        fields.fail(name, fmt::format("{} must not be empty", name));
  }

  void readIds(const Json &list, const char *name) {
    std::vector<TokenId> ids;
    bool isIds = list.is_array();
    for (std::size_t i = 0; isIds && i < list.size(); ++i) {
      isIds = list[i].is_number_unsigned() && list[i].get<std::uint64_t>() <= static_cast<std::uint64_t>(kMany);
      if (isIds)
        ids.push_back(list[i].get<TokenId>());
    }
    if (!isIds)
      return fields.fail(name, fmt::format("{} must hold strings, or token ids from 0 on", name));
    request.prompts.push_back(std::move(ids));
  }

  void readStream() {
    request.stream = fields.flag("stream");
    const Json *options = fields.find("stream_options");
    if (!options)
      return;
    if (!request.stream)
      return fields.fail("stream_options", "stream_options needs stream to be true");
    if (!options->is_object())
      return fields.fail("stream_options", "stream_options must be an object");
    noteOthers(*options, "stream_options", {"include_usage"});
    const Json usage = options->value("include_usage", Json(false));
    if (!usage.is_boolean())
      return fields.fail("stream_options.include_usage", "stream_options.include_usage must be true or false");
    request.includeUsage = usage.get<bool>();
  }

  FieldReader fields;
  const RequestLimits &limits;
  Request request;
  std::set<std::string> ignored; ///< fields of inner objects that have no effect, as "stream_options.x"
};

} // namespace

OrRefusal<Request> parse(Task task, std::string_view body, const RequestLimits &limits) {
  auto json = parseObject(body, limits.depth);
  if (!json)
    return json.refusal();
  return Parser(*json, limits).read(task);
}

OrRefusal<Request> parseAny(std::string_view body, const RequestLimits &limits) {
  auto json = parseObject(body, limits.depth);
  if (!json)
    return json.refusal();
  const Task task = json->contains("messages") ? Task::Chat
                    : json->contains("input")  ? Task::Embedding
                                               : Task::Completion;
  return Parser(*json, limits).read(task);
}

} // namespace lpu::serve::openai
