#include "lpu/serve/Gemini.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <functional>

namespace lpu::serve::gemini {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char *kContents = R"("contents":[{"role":"user","parts":[{"text":"Hi"}]}])";

std::string bodyOf(const std::string &config, const std::string &more = "") {
  return std::string("{") + kContents + R"(,"generationConfig":{)" + config + "}" + more + "}";
}

Request read(const std::string &body) {
  auto request = parse(body, "tiny", true);
  EXPECT_TRUE(request) << request.refusal().message;
  return request ? *request : Request{};
}

std::string refused(const std::string &config, const std::string &more = "") {
  auto request = parse(bodyOf(config, more), "tiny", false);
  return request ? "" : request.refusal().param;
}

TEST(GeminiRequest, TargetsAreTheLastPartOfThePath) {
  for (const char *path : {"tiny:generateContent", "models/tiny:generateContent",
                           "p/locations/l/publishers/google/models/tiny:generateContent"}) {
    EXPECT_EQ(targetOf(path).model, "tiny") << path;
    EXPECT_EQ(targetOf(path).action, "generateContent") << path;
  }
  EXPECT_EQ(targetOf("tiny").action, "");
}

TEST(GeminiRequest, IsAChatWithItsSystemPromptFirst) {
  const Request request = read(
      R"({"systemInstruction":{"parts":[{"text":"Be "},{"text":"kind"}]},"contents":[{"parts":[{"text":"a"}]},)"
      R"({"role":"model","parts":[{"text":"b"}]}],"generationConfig":{"temperature":0,"topK":40.0,)"
      R"("maxOutputTokens":5,"stopSequences":["x"],"seed":7,"candidateCount":2,"routing":1},"safetySettings":[]})");
  ASSERT_EQ(request.messages.size(), 3u);
  EXPECT_EQ(request.messages[0].content, "Be kind");
  EXPECT_EQ(request.messages[1].role, "user");
  EXPECT_EQ(request.messages[2].role, "assistant");
  EXPECT_EQ(request.model, "tiny");
  EXPECT_EQ(request.maxTokens, 5u);
  EXPECT_EQ(request.sampling.topK, 40u);
  EXPECT_EQ(request.seed, 7u);
  EXPECT_EQ(request.choices, 2u);
  EXPECT_TRUE(request.stream);
  EXPECT_EQ(request.ignored, (std::vector<std::string>{"safetySettings", "generationConfig.routing"}));
  EXPECT_EQ(read(R"({"system_instruction":"s","contents":{"parts":[{"text":"a"}]}})").messages.size(), 2u);
}

TEST(GeminiRequest, RangesHoldAtTheirEnds) {
  for (const char *good : {R"("temperature":0)", R"("temperature":2)", R"("topP":1)", R"("candidateCount":8)",
                           R"("responseMimeType":"text/plain")", R"("presencePenalty":0.0)"})
    EXPECT_EQ(refused(good), "") << good;
  for (auto [bad, param] : std::initializer_list<std::pair<const char *, const char *>>{
           {R"("temperature":2.001)", "generationConfig.temperature"},
           {R"("topP":0)", "generationConfig.topP"},
           {R"("candidateCount":9)", "generationConfig.candidateCount"},
           {R"("maxOutputTokens":0)", "generationConfig.maxOutputTokens"},
           {R"("responseMimeType":"application/json")", "generationConfig.responseMimeType"},
           {R"("stopSequences":[""])", "generationConfig.stopSequences"}})
    EXPECT_EQ(refused(bad), param) << bad;
  EXPECT_EQ(refused("", R"(,"tools":[{}])"), "tools");
  auto paramOf = [](const std::string &body) { return parse(body, "m", false).refusal().param; };
  EXPECT_EQ(paramOf("{}"), "contents");
  EXPECT_EQ(paramOf(R"({"contents":[{"role":"user","parts":[{"inlineData":{}}]}]})"), "contents[0].parts[0]");
  EXPECT_EQ(paramOf(R"({"contents":[{"role":"function","parts":[{"text":"a"}]}]})"), "contents[0].role");
}

TEST(GeminiRequest, CountsOfContentsOrWholeRequests) {
  EXPECT_TRUE(parseCount(std::string("{") + kContents + "}", "m"));
  EXPECT_TRUE(parseCount(std::string(R"({"generateContentRequest":{"model":"models/m",)") + kContents + "}}", "m"));
  EXPECT_FALSE(parseCount(R"({"generateContentRequest":3})", "m"));
  EXPECT_EQ(countBody(3), R"({"totalTokens":3})");
}

// Golden sequences.

using Parts = std::vector<Json>;

Parts events(const std::string &text) {
  Parts out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find("\n\n", at);
    EXPECT_EQ(text.compare(at, 6, "data: "), 0);
    out.push_back(Json::parse(text.substr(at + 6, end - at - 6)));
    at = end + 2;
  }
  return out;
}

/// What a stream of one candidate does that some client would not take.
std::vector<std::string> flaws(const Parts &stream) {
  std::vector<std::string> found;
  auto demand = [&](bool good, const char *what) {
    if (!good)
      found.emplace_back(what);
  };
  demand(!stream.empty(), "nothing");
  for (std::size_t i = 0; i < stream.size(); ++i) {
    const bool last = i + 1 == stream.size();
    const Json candidates = stream[i].value("candidates", Json());
    demand(candidates.is_array() && candidates.size() == 1, "not one candidate");
    if (!candidates.is_array() || candidates.empty())
      continue;
    const Json content = candidates[0].value("content", Json::object()), parts = content.value("parts", Json());
    demand(candidates[0].value("index", Json()) == 0, "no index");
    demand(content.value("role", "") == "model", "no role");
    demand(parts.is_array() && parts.size() == 1 && parts[0].contains("text"), "not one part of text");
    const Json reason = candidates[0].value("finishReason", Json());
    demand(reason.is_null() != last, "finishReason is not in the last part alone");
    demand(reason.is_null() || reason == "STOP" || reason == "MAX_TOKENS", "an unknown finishReason");
    demand(stream[i].contains("modelVersion") && stream[i].contains("responseId"), "no model or id");
    const Json usage = stream[i].value("usageMetadata", Json::object());
    demand(usage.contains("promptTokenCount"), "no promptTokenCount");
    if (last)
      demand(usage.contains("candidatesTokenCount") && usage.contains("totalTokenCount"), "no counts at the end");
  }
  return found;
}

std::string sampleText(Framing framing) {
  Writer writer(framing, read(bodyOf("")), {"req_7", 1764374400, "tiny", "lpu_9f", 3});
  Usage used;
  used.promptTokens = 3, used.completionTokens = 2;
  std::string text = writer.begin(); // one after the other: writers remember
  text += writer.token({0, "Once", {}, 0, 9550, ""});
  text += writer.token({0, "", {}, 4, 12000, ""});
  text += writer.token({0, " upon", {}, 4, 12000, ""});
  text += writer.finish(0, FinishReason::Length, "");
  text += writer.end(used);
  return text;
}

Parts sample() { return events(sampleText(Framing::Events)); }

TEST(GeminiStream, IsTheCanonicalSequence) {
  const Parts stream = sample();
  EXPECT_EQ(flaws(stream), std::vector<std::string>());
  EXPECT_EQ(stream[0].dump(), R"({"candidates":[{"content":{"parts":[{"text":"Once"}],"role":"model"},"index":0}],)"
                              R"("modelVersion":"tiny","responseId":"req_7","usageMetadata":{"promptTokenCount":3}})");
  EXPECT_EQ(
      stream[2].dump(),
      R"({"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"index":0,"finishReason":"MAX_TOKENS"}],)"
      R"("modelVersion":"tiny","responseId":"req_7","usageMetadata":{"promptTokenCount":3,)"
      R"("candidatesTokenCount":2,"totalTokenCount":5}})");
}

TEST(GeminiStream, WithoutEventsItIsOneList) {
  const Json list = Json::parse(sampleText(Framing::List));
  EXPECT_EQ(Parts(list.begin(), list.end()), sample());
  Writer writer(Framing::List, read(bodyOf("")), {"req_7", 0, "tiny", "", 3});
  std::string text = writer.token({0, "a", {}, 0, 0, ""});
  text += writer.silence();
  text += writer.error({503, "m", "", ""});
  EXPECT_EQ(Json::parse(text).size(), 2u);
  Writer empty(Framing::List, read(bodyOf("")), {"req_7", 0, "tiny", "", 3});
  EXPECT_EQ(Json::parse(empty.end({})).size(), 1u);
}

TEST(GeminiStream, MutatedSequencesAreFound) {
  const std::vector<std::function<void(Parts &)>> mutations = {
      [](Parts &p) { p.pop_back(); },
      [](Parts &p) { p[0].erase("candidates"); },
      [](Parts &p) { p[0]["candidates"].clear(); },
      [](Parts &p) { p[0]["candidates"][0].erase("index"); },
      [](Parts &p) { p[0]["candidates"][0].erase("content"); },
      [](Parts &p) { p[0]["candidates"][0]["content"].erase("role"); },
      [](Parts &p) { p[0]["candidates"][0]["content"]["parts"].clear(); },
      [](Parts &p) { p[1]["candidates"][0]["finishReason"] = "STOP"; },
      [](Parts &p) { p[2]["candidates"][0]["finishReason"] = "length"; },
      [](Parts &p) { p[2]["candidates"][0].erase("finishReason"); },
      [](Parts &p) { p[2]["usageMetadata"].erase("totalTokenCount"); },
      [](Parts &p) { p[1].erase("usageMetadata"); },
      [](Parts &p) { p[1].erase("responseId"); },
      [](Parts &p) { std::swap(p[1], p[2]); },
  };
  for (std::size_t i = 0; i < mutations.size(); ++i) {
    Parts mutated = sample();
    mutations[i](mutated);
    EXPECT_FALSE(flaws(mutated).empty()) << "mutation " << i;
  }
}

TEST(GeminiAnswer, HasCandidatesAndCounts) {
  Writer writer(Framing::Events, read(bodyOf(R"("candidateCount":2)")), {"req_7", 0, "tiny", "", 3});
  Choice one, two;
  one.text = "a", two.text = "b", two.reason = FinishReason::Length;
  Usage used;
  used.promptTokens = 3, used.completionTokens = 2;
  const Json body = Json::parse(writer.body({one, two}, used));
  EXPECT_EQ(body["candidates"][0]["finishReason"], "STOP");
  EXPECT_EQ(body["candidates"][1]["finishReason"], "MAX_TOKENS");
  EXPECT_EQ(body["candidates"][1]["content"]["parts"][0]["text"], "b");
  EXPECT_EQ(body["usageMetadata"]["totalTokenCount"], 5);
}

TEST(GeminiErrors, HaveGooglesCodes) {
  EXPECT_EQ(refusal({400, "m", "", ""}, "").body,
            R"({"error":{"code":400,"message":"m","status":"INVALID_ARGUMENT"}})");
  const Json full = Json::parse(refusal({429, "m", "", "queue_full", 1500}, "").body)["error"];
  EXPECT_EQ(full["status"], "RESOURCE_EXHAUSTED");
  EXPECT_EQ(full["details"][0]["retryDelay"], "1.500s");
  EXPECT_EQ(Json::parse(refusal({404, "m", "", ""}, "").body)["error"]["status"], "NOT_FOUND");
}

TEST(GeminiModels, SayWhatTheyDo) {
  ModelCard card;
  card.name = "tiny", card.context = 256;
  const Json models = Json::parse(modelsBody({card}))["models"];
  EXPECT_EQ(models[0]["name"], "models/tiny");
  EXPECT_EQ(models[0]["inputTokenLimit"], 256);
  EXPECT_EQ(models[0]["supportedGenerationMethods"][0], "generateContent");
}

} // namespace
} // namespace lpu::serve::gemini
