#include "lpu/serve/Ollama.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <functional>

namespace lpu::serve::ollama {
namespace {

using Json = nlohmann::ordered_json;

Request read(Form form, const std::string &body) {
  auto request = parse(form, body);
  EXPECT_TRUE(request) << request.refusal().message;
  return request ? *request : Request{};
}

Request chat(const std::string &options = "", const std::string &more = "") {
  return read(Form::Chat, R"({"model":"tiny","messages":[{"role":"user","content":"Hi"}],"options":{)" + options + "}" +
                              more + "}");
}

std::string refused(const std::string &options, const std::string &more = "") {
  auto request =
      parse(Form::Chat, R"({"messages":[{"role":"user","content":"Hi"}],"options":{)" + options + "}" + more + "}");
  return request ? "" : request.refusal().param;
}

TEST(OllamaRequest, DefaultsAreOllamas) {
  const Request request = chat();
  EXPECT_EQ(request.task, Task::Chat);
  EXPECT_TRUE(request.stream);
  EXPECT_TRUE(request.clip);
  EXPECT_FLOAT_EQ(request.sampling.temperature, 0.8f);
  EXPECT_EQ(request.sampling.topK, 40u);
  EXPECT_FLOAT_EQ(request.sampling.topP, 0.9f);
  EXPECT_FLOAT_EQ(request.sampling.repeatPenalty, 1.1f);
  EXPECT_EQ(request.sampling.repeatLastN, 64u);
  EXPECT_FALSE(request.maxTokens);
  EXPECT_FALSE(request.seed);
}

TEST(OllamaRequest, OptionsAreMapped) {
  const Request request =
      chat(R"("num_predict":7,"temperature":0,"top_k":5,"top_p":0.5,"min_p":0.1,"seed":3,"stop":["a"],)"
           R"("repeat_penalty":1,"repeat_last_n":-1,"num_ctx":64)",
           R"(,"stream":false,"keep_alive":"5m")");
  EXPECT_EQ(request.maxTokens, 7u);
  EXPECT_EQ(request.sampling.temperature, 0);
  EXPECT_EQ(request.sampling.topK, 5u);
  EXPECT_FLOAT_EQ(request.sampling.minP, 0.1f);
  EXPECT_EQ(request.sampling.repeatPenalty, 1);
  EXPECT_EQ(request.seed, 3u);
  EXPECT_EQ(request.stop, std::vector<std::string>{"a"});
  EXPECT_FALSE(request.stream);
  EXPECT_EQ(request.ignored, (std::vector<std::string>{"keep_alive", "options.num_ctx"}));
}

TEST(OllamaRequest, RangesHoldAtTheirEnds) {
  for (const char *good : {R"("temperature":0)", R"("num_predict":-1)", R"("num_predict":-2)", R"("top_k":-1)",
                           R"("min_p":1)", R"("seed":-1)", R"("presence_penalty":0.0)", R"("typical_p":1.0)"})
    EXPECT_EQ(refused(good), "") << good;
  for (auto [bad, param] :
       std::initializer_list<std::pair<const char *, const char *>>{{R"("temperature":-0.1)", "options.temperature"},
                                                                    {R"("num_predict":0)", "options.num_predict"},
                                                                    {R"("num_predict":-3)", "options.num_predict"},
                                                                    {R"("min_p":1.1)", "options.min_p"},
                                                                    {R"("repeat_penalty":0)", "options.repeat_penalty"},
                                                                    {R"("mirostat":1)", "options.mirostat"},
                                                                    {R"("stop":[""])", "options.stop"},
                                                                    {R"("top_p":"much")", "options.top_p"}})
    EXPECT_EQ(refused(bad), param) << bad;
  EXPECT_EQ(refused("", R"(,"tools":[{}])"), "tools");
  EXPECT_EQ(refused("", R"(,"format":"json")"), "format");
  EXPECT_EQ(refused("", R"(,"think":false)"), "");
}

TEST(OllamaRequest, APromptIsAMessageUnlessItIsRaw) {
  const Request templated = read(Form::Generate, R"({"prompt":"Hi","system":"Be kind"})");
  ASSERT_EQ(templated.messages.size(), 2u);
  EXPECT_EQ(templated.messages[0].role, "system");
  EXPECT_EQ(templated.messages[1].content, "Hi");
  const Request raw = read(Form::Generate, R"({"prompt":"Hi","raw":true})");
  EXPECT_EQ(raw.task, Task::Completion);
  EXPECT_EQ(std::get<std::string>(raw.prompts.at(0)), "Hi");
  EXPECT_TRUE(read(Form::Generate, R"({"model":"tiny"})").messages.empty());
}

TEST(OllamaRequest, TagsAndInputs) {
  EXPECT_EQ(modelName("tiny:latest"), "tiny");
  EXPECT_EQ(modelName("tiny:7b"), "tiny:7b");
  const Request one = read(Form::Embed, R"({"model":"m:latest","input":"a"})");
  EXPECT_EQ(one.model, "m");
  EXPECT_TRUE(one.truncate);
  EXPECT_EQ(read(Form::Embed, R"({"input":["a","b"],"truncate":false})").prompts.size(), 2u);
  EXPECT_EQ(read(Form::Embeddings, R"({"prompt":"a"})").prompts.size(), 1u);
  EXPECT_FALSE(parse(Form::Embed, R"({"input":[1]})"));
}

// Golden sequences.

using Lines = std::vector<Json>;

Lines lines(const std::string &text) {
  Lines out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    out.push_back(Json::parse(text.substr(at, end - at)));
    at = end + 1;
  }
  return out;
}

/// What a stream does that some client would not take.
std::vector<std::string> flaws(const Lines &stream, const char *content) {
  std::vector<std::string> found;
  auto demand = [&](bool good, const char *what) {
    if (!good)
      found.emplace_back(what);
  };
  demand(!stream.empty(), "nothing");
  for (std::size_t i = 0; i < stream.size(); ++i) {
    const Json &line = stream[i];
    const bool last = i + 1 == stream.size();
    demand(line.value("model", "") == "tiny" && line.contains("created_at"), "no model or created_at");
    demand(line.contains(content), "no content");
    if (content == std::string("message"))
      demand(line.contains("message") && line["message"].is_object() &&
                 line["message"].value("role", "") == "assistant" && line["message"].contains("content"),
             "a message without role or content");
    demand(line.value("done", Json()) == last, "done is not in the last line alone");
    for (const char *key : {"done_reason", "total_duration", "load_duration", "prompt_eval_count",
                            "prompt_eval_duration", "eval_count", "eval_duration"})
      demand(line.contains(key) == last, "counts are not in the last line alone");
    if (last && line.contains("done_reason"))
      demand(line["done_reason"] == "stop" || line["done_reason"] == "length", "an unknown done_reason");
  }
  return found;
}

Lines sample(Form form) {
  Request request = chat();
  Writer writer(form, request, {"req_7", 1764374400, "tiny", "lpu_9f", 3});
  Usage used;
  used.promptTokens = 3, used.completionTokens = 2, used.queueNs = 100, used.promptNs = 9550, used.completionNs = 11300;
  std::string text = writer.begin(); // one after the other: writers remember
  text += writer.token({0, "Once", {}, 0, 9550, ""});
  text += writer.token({0, "", {}, 4, 12000, ""});
  text += writer.finish(0, FinishReason::Length, "");
  text += writer.end(used);
  return lines(text);
}

TEST(OllamaStream, IsTheCanonicalSequence) {
  const Lines stream = sample(Form::Chat);
  EXPECT_EQ(flaws(stream, "message"), std::vector<std::string>());
  EXPECT_EQ(flaws(sample(Form::Generate), "response"), std::vector<std::string>());
  EXPECT_EQ(stream[0].dump(), R"({"model":"tiny","created_at":"2025-11-29T00:00:00Z",)"
                              R"("message":{"role":"assistant","content":"Once"},"done":false})");
  EXPECT_EQ(stream[2].dump(),
            R"({"model":"tiny","created_at":"2025-11-29T00:00:00Z","message":{"role":"assistant","content":""},)"
            R"("done":true,"done_reason":"length","total_duration":20950,"load_duration":0,"prompt_eval_count":3,)"
            R"("prompt_eval_duration":9550,"eval_count":2,"eval_duration":11300})");
  EXPECT_EQ(sample(Form::Generate)[0]["response"], "Once");
}

TEST(OllamaStream, MutatedSequencesAreFound) {
  const std::vector<std::function<void(Lines &)>> mutations = {
      [](Lines &l) { l.pop_back(); },
      [](Lines &l) { l.back().erase("message"); },
      [](Lines &l) { l[0]["message"].erase("role"); },
      [](Lines &l) { l[0]["message"].erase("content"); },
      [](Lines &l) { l[1].erase("done"); },
      [](Lines &l) { l[1]["done"] = true; },
      [](Lines &l) { l.back()["done"] = false; },
      [](Lines &l) { l.back().erase("eval_count"); },
      [](Lines &l) { l.back().erase("prompt_eval_duration"); },
      [](Lines &l) { l.back()["done_reason"] = "end"; },
      [](Lines &l) { l[0].erase("model"); },
      [](Lines &l) { l[0].erase("created_at"); },
      [](Lines &l) { std::swap(l[1], l[2]); },
      [](Lines &l) { l.clear(); },
  };
  for (std::size_t i = 0; i < mutations.size(); ++i) {
    Lines mutated = sample(Form::Chat);
    mutations[i](mutated);
    EXPECT_FALSE(flaws(mutated, "message").empty()) << "mutation " << i;
  }
}

TEST(OllamaAnswer, IsTheLastLineWithTheText) {
  Writer writer(Form::Chat, chat(), {"req_7", 0, "tiny", "", 3});
  Choice choice;
  choice.text = "Once";
  const Json body = Json::parse(writer.body({choice}, {}));
  EXPECT_EQ(flaws({body}, "message"), std::vector<std::string>());
  EXPECT_EQ(body["message"]["content"], "Once");
  EXPECT_EQ(body["done_reason"], "stop");
}

TEST(OllamaAnswer, WithoutAPromptTheModelIsLoaded) {
  Writer writer(Form::Generate, read(Form::Generate, R"({"model":"tiny"})"), {"", 0, "tiny", "", 0});
  EXPECT_EQ(Json::parse(writer.body({}, {}))["done_reason"], "load");
  EXPECT_EQ(lines(writer.begin() + writer.end({})).at(0)["done"], true);
}

TEST(OllamaAnswer, EmbeddingsAreLists) {
  const Identity identity{"", 0, "m", "", 2};
  Writer many(Form::Embed, {}, identity), one(Form::Embeddings, {}, identity);
  EXPECT_EQ(Json::parse(many.embeddings({{1, 2}, {3, 4}}, {}))["embeddings"].dump(), "[[1.0,2.0],[3.0,4.0]]");
  EXPECT_EQ(one.embeddings({{1, 2}}, {}), R"({"embedding":[1.0,2.0]})");
}

TEST(OllamaErrors, AreOneTextAndAFullQueueIs503) {
  EXPECT_EQ(refusal({404, "model 'x' not found", "model", ""}, "req_1").body, R"({"error":"model 'x' not found"})");
  EXPECT_EQ(refusal({404, "", "", ""}, "").status, 404);
  EXPECT_EQ(refusal({429, "m", "", "queue_full", 20}, "").status, 503);
}

} // namespace
} // namespace lpu::serve::ollama
