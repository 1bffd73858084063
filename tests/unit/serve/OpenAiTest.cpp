#include "lpu/serve/OpenAi.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <functional>

namespace lpu::serve::openai {
namespace {

using Json = nlohmann::ordered_json;

Request chat(const std::string &more = "") {
  auto request = parse(Task::Chat, R"({"model":"tiny","messages":[{"role":"user","content":"Hi"}])" + more + "}");
  EXPECT_TRUE(request) << request.refusal().message;
  return *request;
}

std::string refused(const std::string &more) {
  auto request = parse(Task::Chat, R"({"messages":[{"role":"user","content":"Hi"}])" + more + "}");
  return request ? "" : request.refusal().param;
}

TEST(OpenAiRequest, DefaultsAreOpenAis) {
  const Request request = chat();
  EXPECT_EQ(request.model, "tiny");
  EXPECT_EQ(request.sampling.temperature, 1);
  EXPECT_EQ(request.sampling.topP, 1);
  EXPECT_EQ(request.choices, 1u);
  EXPECT_FALSE(request.maxTokens);
  EXPECT_FALSE(request.seed);
  EXPECT_FALSE(request.stream);
  auto completion = parse(Task::Completion, R"({"prompt":"a"})");
  EXPECT_EQ(completion->maxTokens, 16u);
}

TEST(OpenAiRequest, TheSmallerLimitHoldsAndNullIsAbsent) {
  EXPECT_EQ(chat(R"(,"max_tokens":9,"max_completion_tokens":4)").maxTokens, 4u);
  EXPECT_EQ(chat(R"(,"max_tokens":3,"max_completion_tokens":4)").maxTokens, 3u);
  EXPECT_FALSE(chat(R"(,"max_tokens":null,"stop":null,"n":null,"tools":null)").maxTokens);
}

TEST(OpenAiRequest, RangesHoldAtTheirEnds) {
  for (const char *good : {R"(,"temperature":0)", R"(,"temperature":2)", R"(,"top_p":1)", R"(,"n":8)",
                           R"(,"logprobs":true,"top_logprobs":20)", R"(,"stop":["a","b","c","d"])",
                           R"(,"presence_penalty":0.0)", R"(,"seed":-9223372036854775808)"})
    EXPECT_EQ(refused(good), "") << good;
  for (auto [bad, param] : std::initializer_list<std::pair<const char *, const char *>>{
           {R"(,"temperature":2.001)", "temperature"},
           {R"(,"temperature":-0.001)", "temperature"},
           {R"(,"top_p":0)", "top_p"},
           {R"(,"n":9)", "n"},
           {R"(,"n":0)", "n"},
           {R"(,"logprobs":true,"top_logprobs":21)", "top_logprobs"},
           {R"(,"top_logprobs":1)", "top_logprobs"},
           {R"(,"stop":["a","b","c","d","e"])", "stop"},
           {R"(,"presence_penalty":0.5)", "presence_penalty"},
           {R"(,"seed":9223372036854775808)", "seed"},
           {R"(,"max_tokens":0)", "max_tokens"},
           {R"(,"stream_options":{"include_usage":true})", "stream_options"},
           {R"(,"tools":[{}])", "tools"}})
    EXPECT_EQ(refused(bad), param) << bad;
}

TEST(OpenAiRequest, DepthIsLimitedAndStringsDoNotCount) {
  const std::string deep = std::string(31, '[') + std::string(31, ']');
  EXPECT_EQ(refused(R"(,"x":)" + deep), "");
  EXPECT_FALSE(parse(Task::Chat, R"({"messages":[],"x":[)" + deep + "]}"));
  EXPECT_EQ(refused(R"(,"x":"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"[[")"), "");
}

TEST(OpenAiRequest, MessagesSayNothingOfWhatUsersWrote) {
  auto request = parse(Task::Chat, R"({"messages":[{"role":"user","content":"Hi"}],"temperature":"my secret"})");
  EXPECT_EQ(request.refusal().message, "temperature must be a number between 0 and 2, got a string");
}

// Golden sequences: what unmodified clients were seen to need (each rule of `flaws` breaks one of them).

using Events = std::vector<Json>;

Events events(const std::string &text) {
  Events out;
  constexpr std::string_view kData = "data: ";
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find("\n\n", at);
    EXPECT_EQ(text.compare(at, kData.size(), kData), 0);
    const std::string data = text.substr(at + kData.size(), end - at - kData.size());
    out.push_back(data == "[DONE]" ? Json(data) : Json::parse(data));
    at = end + 2;
  }
  return out;
}

/// What a stream of one choice does that some client would not take.
std::vector<std::string> flaws(const Events &stream, bool usageAsked) {
  std::vector<std::string> found;
  auto demand = [&](bool good, const char *what) {
    if (!good)
      found.emplace_back(what);
  };
  demand(!stream.empty() && stream.back() == "[DONE]", "no [DONE] at the end");
  unsigned finishes = 0, usages = 0;
  for (std::size_t i = 0; i + 1 < stream.size(); ++i) {
    const Json &event = stream[i];
    for (const char *key : {"id", "object", "created", "model", "choices"})
      demand(event.contains(key), "a chunk without id, object, created, model or choices");
    demand(event.value("id", "") == stream[0].value("id", ""), "ids differ");
    demand(event.value("object", "") == "chat.completion.chunk", "another object");
    const Json choices = event.value("choices", Json());
    demand(choices.is_array(), "choices is no list");
    if (choices.empty()) {
      ++usages;
      demand(event.contains("usage") && event["usage"].is_object(), "an empty chunk without usage");
      demand(finishes == 1, "usage before the finish");
      continue;
    }
    const Json &choice = choices[0];
    demand(choice.contains("index") && choice.contains("delta") && choice.contains("finish_reason"),
           "a choice without index, delta or finish_reason");
    const Json delta = choice.value("delta", Json::object()), reason = choice.value("finish_reason", Json());
    demand((i == 0) == delta.contains("role"), "the role is not in the first chunk alone");
    demand(reason.is_null() || reason == "stop" || reason == "length", "an unknown finish_reason");
    demand(reason.is_null() || delta.empty(), "the finish chunk has content");
    demand(finishes == 0, "chunks behind the finish");
    finishes += !reason.is_null();
  }
  demand(finishes == 1, "not exactly one finish_reason");
  demand(usages == (usageAsked ? 1u : 0u), "usage that was not asked for, or none");
  return found;
}

Events sample(bool usage) {
  const Request request =
      chat(usage ? R"(,"stream":true,"stream_options":{"include_usage":true})" : R"(,"stream":true)");
  Writer writer(request, {"req_7", 1764374400, "tiny", "lpu_9f"});
  Usage used;
  used.promptTokens = 3, used.completionTokens = 2, used.promptNs = 9550, used.completionNs = 11300;
  return events(writer.begin() + writer.token({0, "Once", {}, 0, 9550, ""}) + writer.token({0, "", {}, 4, 12000, ""}) +
                writer.finish(0, FinishReason::Length, "") + writer.end(used));
}

TEST(OpenAiStream, IsTheCanonicalSequence) {
  const Events stream = sample(true);
  EXPECT_EQ(flaws(stream, true), std::vector<std::string>());
  EXPECT_EQ(flaws(sample(false), false), std::vector<std::string>());
  EXPECT_EQ(
      stream[0].dump(),
      R"({"id":"chatcmpl-req_7","object":"chat.completion.chunk","created":1764374400,"model":"tiny",)"
      R"("system_fingerprint":"lpu_9f","service_tier":"default","choices":[{"index":0,"delta":{"role":"assistant",)"
      R"("content":""},"logprobs":null,"finish_reason":null}],"usage":null,"x_groq":{"id":"req_7"}})");
  EXPECT_EQ(stream[1]["choices"].dump(),
            R"([{"index":0,"delta":{"content":"Once"},"logprobs":null,"finish_reason":null}])");
  EXPECT_EQ(stream[3]["choices"].dump(), R"([{"index":0,"delta":{},"logprobs":null,"finish_reason":"length"}])");
  EXPECT_EQ(stream[4]["usage"].dump(),
            R"({"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,"queue_time":0.0,"prompt_time":9.55e-06,)"
            R"("completion_time":1.13e-05,"total_time":2.085e-05})");
}

TEST(OpenAiStream, MutatedSequencesAreFound) {
  const std::vector<std::function<void(Events &)>> mutations = {
      [](Events &e) { e.pop_back(); },
      [](Events &e) { e[0]["choices"][0]["delta"].erase("role"); },
      [](Events &e) { e[1]["choices"][0].erase("index"); },
      [](Events &e) { e[1]["choices"][0].erase("delta"); },
      [](Events &e) { e[1].erase("id"); },
      [](Events &e) { e[1]["id"] = "other"; },
      [](Events &e) { e[1]["choices"] = nullptr; },
      [](Events &e) { e[1]["choices"][0]["finish_reason"] = ""; },
      [](Events &e) { e[1]["choices"][0]["finish_reason"] = "length"; },
      [](Events &e) { e[3]["choices"][0]["finish_reason"] = nullptr; },
      [](Events &e) { e[3]["choices"][0]["delta"]["content"] = "x"; },
      [](Events &e) { e[4].erase("usage"); },
      [](Events &e) { e[4].erase("choices"); },
      [](Events &e) { std::swap(e[3], e[4]); },
      [](Events &e) { std::swap(e[2], e[3]); },
      [](Events &e) { e.erase(e.begin() + 4); },
      [](Events &e) { e[2]["object"] = "chat.completion"; },
  };
  for (std::size_t i = 0; i < mutations.size(); ++i) {
    Events mutated = sample(true);
    mutations[i](mutated);
    EXPECT_FALSE(flaws(mutated, true).empty()) << "mutation " << i;
  }
}

TEST(OpenAiStream, PartsOfCharactersAreSpelledAsBytes) {
  Writer writer(chat(R"(,"logprobs":true,"stream":true)"), {});
  Piece piece{};
  piece.logprob.emplace().chosen = {5, "\xF0\x9F", -0.5};
  piece.logprob->top = {{6, "a", -1}};
  const Json entry = events(writer.token(piece))[0]["choices"][0]["logprobs"]["content"][0];
  EXPECT_EQ(entry["token"], "bytes:\\xf0\\x9f");
  EXPECT_EQ(entry["bytes"], Json::array({0xF0, 0x9F}));
  EXPECT_EQ(entry["top_logprobs"][0].dump(), R"({"token":"a","logprob":-1.0,"bytes":[97]})");
}

TEST(OpenAiErrors, HaveFourKeys) {
  EXPECT_EQ(errorBody({400, "temperature must be between 0 and 2, got 3", "temperature", ""}),
            R"({"error":{"message":"temperature must be between 0 and 2, got 3","type":"invalid_request_error",)"
            R"("param":"temperature","code":null}})");
  EXPECT_EQ(Json::parse(errorBody({429, "m", "", "queue_full"}))["error"]["type"], "rate_limit_error");
  EXPECT_EQ(errorEvent({500, "m", "", ""}).substr(0, 16), "data: {\"error\":{");
}

TEST(OpenAiEmbeddings, Base64IsLittleEndianFloat32) {
  Request request;
  request.task = Task::Embedding;
  request.base64 = true;
  const Json body = Json::parse(Writer(request, {}).embeddings({{1.0f, -2.0f}}, {}));
  EXPECT_EQ(body["data"][0]["embedding"], "AACAPwAAAMA=");
  request.base64 = false;
  EXPECT_EQ(Json::parse(Writer(request, {}).embeddings({{1.0f, -2.0f}}, {}))["data"][0]["embedding"],
            Json::array({1.0, -2.0}));
}

} // namespace
} // namespace lpu::serve::openai
