#include "lpu/serve/Bedrock.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <functional>
#include <map>

namespace lpu::serve::bedrock {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char *kMessages = R"("messages":[{"role":"user","content":[{"text":"Hi"}]}])";
const Target kConverse{"tiny", "converse-stream"}, kInvoke{"tiny", "invoke"};

std::string bodyOf(const std::string &config, const std::string &more = "") {
  return std::string("{") + kMessages + R"(,"inferenceConfig":{)" + config + "}" + more + "}";
}

Request read(const std::string &config = "", const std::string &more = "") {
  auto request = parseConverse(bodyOf(config, more), kConverse);
  EXPECT_TRUE(request) << request.refusal().message;
  return request ? *request : Request{};
}

std::string refused(const std::string &config, const std::string &more = "") {
  auto request = parseConverse(bodyOf(config, more), kConverse);
  return request ? "" : request.refusal().param;
}

TEST(BedrockRequest, TargetsMayBeArns) {
  for (const char *path : {"tiny/converse", "arn:aws:bedrock:us-east-1::foundation-model/tiny/converse",
                           "arn:aws:bedrock:local:tiny/converse"}) {
    EXPECT_EQ(targetOf(path).model, "tiny") << path;
    EXPECT_EQ(targetOf(path).action, "converse") << path;
  }
  EXPECT_EQ(targetOf("tiny").action, "");
}

TEST(BedrockRequest, ConverseIsAChat) {
  const Request request = read(
      R"("maxTokens":5,"temperature":0,"topP":0.5,"stopSequences":["x"])",
      R"(,"system":[{"text":"Be kind"}],"additionalModelRequestFields":{"top_k":4,"seed":2,"k":1},"requestMetadata":{})");
  ASSERT_EQ(request.messages.size(), 2u);
  EXPECT_EQ(request.messages[0].content, "Be kind");
  EXPECT_EQ(request.model, "tiny");
  EXPECT_TRUE(request.stream);
  EXPECT_EQ(request.maxTokens, 5u);
  EXPECT_EQ(request.sampling.topK, 4u);
  EXPECT_EQ(request.seed, 2u);
  EXPECT_EQ(request.stop, std::vector<std::string>{"x"});
  EXPECT_EQ(request.ignored, (std::vector<std::string>{"requestMetadata", "additionalModelRequestFields.k"}));
  EXPECT_FALSE(parseConverse(bodyOf(""), {"tiny", "converse"})->stream);
}

TEST(BedrockRequest, RangesHoldAtTheirEnds) {
  for (const char *good : {R"("temperature":0)", R"("temperature":1)", R"("topP":1)", R"("maxTokens":1)"})
    EXPECT_EQ(refused(good), "") << good;
  for (auto [bad, param] : std::initializer_list<std::pair<const char *, const char *>>{
           {R"("temperature":1.001)", "inferenceConfig.temperature"},
           {R"("topP":0)", "inferenceConfig.topP"},
           {R"("maxTokens":0)", "inferenceConfig.maxTokens"},
           {R"("stopSequences":[""])", "inferenceConfig.stopSequences"}})
    EXPECT_EQ(refused(bad), param) << bad;
  EXPECT_EQ(refused("", R"(,"toolConfig":{"tools":[{}]})"), "toolConfig");
  auto paramOf = [](const std::string &body) { return parseConverse(body, kConverse).refusal().param; };
  EXPECT_EQ(paramOf("{}"), "messages");
  EXPECT_EQ(paramOf(R"({"messages":[{"role":"user","content":[{"image":{}}]}]})"), "messages[0].content[0]");
}

TEST(BedrockRequest, BodiesOfModelsAreMetasOrAnthropics) {
  auto meta = parseInvoke(R"({"prompt":"Hi","max_gen_len":5,"temperature":0})", kInvoke);
  ASSERT_TRUE(meta);
  EXPECT_EQ(meta->task, Task::Completion);
  EXPECT_EQ(meta->maxTokens, 5u);
  EXPECT_FLOAT_EQ(meta->sampling.topP, 0.9f);
  EXPECT_EQ(parseInvoke(R"({"prompt":"Hi"})", kInvoke)->maxTokens, 512u);
  auto anthropics = parseInvoke(
      R"({"anthropic_version":"bedrock-2023-05-31","max_tokens":5,"messages":[{"role":"user","content":"Hi"}]})",
      kInvoke);
  ASSERT_TRUE(anthropics) << anthropics.refusal().message;
  EXPECT_EQ(anthropics->task, Task::Chat);
  EXPECT_TRUE(anthropics->ignored.empty());
  EXPECT_EQ(parseInvoke("{}", kInvoke).refusal().param, "prompt");
}

TEST(BedrockRequest, TokensAreCountedOfEither) {
  EXPECT_TRUE(parseCount(std::string(R"({"input":{"converse":{)") + kMessages + "}}}", kInvoke));
  // base64 of {"prompt":"Hi"}
  EXPECT_TRUE(parseCount(R"({"input":{"invokeModel":{"body":"eyJwcm9tcHQiOiJIaSJ9"}}})", kInvoke));
  EXPECT_EQ(parseCount(R"({"input":{"invokeModel":{"body":"e"}}})", kInvoke).refusal().param, "input.invokeModel.body");
  EXPECT_EQ(parseCount(R"({"input":3})", kInvoke).refusal().param, "input");
  EXPECT_EQ(countBody(3), R"({"inputTokens":3})");
}

// Frames, taken apart by a reader of this test's own.

struct Frame {
  std::map<std::string, std::string> headers;
  Json payload;
};
using Frames = std::vector<Frame>;

std::uint32_t number(const std::string &bytes, std::size_t at, unsigned count) {
  std::uint32_t value = 0;
  for (unsigned i = 0; i < count; ++i)
    value = value << 8 | static_cast<unsigned char>(bytes.at(at + i));
  return value;
}

/// Bit by bit, as the definition has it.
std::uint32_t sumOf(const std::string &bytes) {
  std::uint32_t crc = 0xFFFFFFFF;
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit)
      crc = crc & 1 ? crc >> 1 ^ 0xEDB88320 : crc >> 1;
  }
  return ~crc;
}

/// Nothing: lengths or checksums do not hold.
std::optional<Frames> framesOf(const std::string &text) {
  Frames out;
  for (std::size_t at = 0; at < text.size();) {
    if (text.size() - at < 16)
      return std::nullopt;
    const std::uint32_t total = number(text, at, 4), head = number(text, at + 4, 4);
    if (total > text.size() - at || head > total - 16 || number(text, at + 8, 4) != sumOf(text.substr(at, 8)) ||
        number(text, at + total - 4, 4) != sumOf(text.substr(at, total - 4)))
      return std::nullopt;
    Frame &frame = out.emplace_back();
    for (std::size_t h = at + 12; h < at + 12 + head;) {
      const std::size_t name = number(text, h, 1), value = number(text, h + 2 + name, 2);
      EXPECT_EQ(text[h + 1 + name], 7);
      frame.headers[text.substr(h + 1, name)] = text.substr(h + 4 + name, value);
      h += 4 + name + value;
    }
    frame.payload = Json::parse(text.substr(at + 12 + head, total - 16 - head));
    at += total;
  }
  return out;
}

TEST(BedrockFrames, TheSumIsTheUsualOne) { EXPECT_EQ(sumOf("123456789"), 0xCBF43926); }

std::string sampleText(FinishReason reason = FinishReason::Length, const std::string &stop = "") {
  ConverseWriter writer(read(), {"req_7", 1764374400, "tiny", "lpu_9f", 3});
  Usage used;
  used.promptTokens = 3, used.completionTokens = 2, used.promptNs = 9550, used.completionNs = 1'000'000;
  std::string text = writer.begin(); // one after the other: writers remember
  text += writer.token({0, "Once", {}, 0, 9550, ""});
  text += writer.token({0, "", {}, 4, 12000, ""});
  text += writer.token({0, " upon", {}, 4, 12000, ""});
  text += writer.finish(0, reason, stop);
  text += writer.end(used);
  return text;
}

TEST(BedrockFrames, AnyBitThatIsWrongIsFound) {
  const std::string good = sampleText();
  ASSERT_TRUE(framesOf(good));
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 4);
    EXPECT_FALSE(framesOf(bad)) << "byte " << i;
  }
}

/// What a stream does that some client would not take.
std::vector<std::string> flaws(const Frames &stream) {
  std::vector<std::string> found;
  auto demand = [&](bool good, const char *what) {
    if (!good)
      found.emplace_back(what);
  };
  std::string order;
  for (Frame frame : stream) {
    const std::string type = frame.headers[":event-type"];
    demand(frame.headers[":message-type"] == "event" && frame.headers[":content-type"] == "application/json",
           "headers are missing");
    if (type != "contentBlockDelta" || !order.ends_with("contentBlockDelta "))
      order += type + " ";
    if (type.starts_with("contentBlock"))
      demand(frame.payload.value("contentBlockIndex", Json()) == 0, "no contentBlockIndex");
    if (type == "messageStart")
      demand(frame.payload.value("role", "") == "assistant", "no role");
    if (type == "contentBlockDelta")
      demand(frame.payload.value("delta", Json::object()).contains("text"), "a delta of no text");
    if (type == "messageStop") {
      const std::string reason = frame.payload.value("stopReason", "");
      demand(reason == "end_turn" || reason == "max_tokens" || reason == "stop_sequence", "an unknown stopReason");
    }
    if (type == "metadata") {
      const Json usage = frame.payload.value("usage", Json::object());
      demand(usage.contains("inputTokens") && usage.contains("outputTokens") && usage.contains("totalTokens"),
             "counts are missing");
      demand(frame.payload.value("metrics", Json::object()).value("latencyMs", Json()).is_number_integer(),
             "latencyMs is no whole number");
    }
  }
  demand(order == "messageStart contentBlockDelta contentBlockStop messageStop metadata ", "events out of order");
  return found;
}

Frames sample() { return *framesOf(sampleText()); }

TEST(BedrockStream, IsTheCanonicalSequence) {
  const Frames stream = sample();
  EXPECT_EQ(flaws(stream), std::vector<std::string>());
  EXPECT_EQ(stream[1].payload.dump(), R"({"contentBlockIndex":0,"delta":{"text":"Once"}})");
  EXPECT_EQ(stream[4].payload.dump(), R"({"stopReason":"max_tokens"})");
  EXPECT_EQ(stream[5].payload.dump(), R"({"usage":{"inputTokens":3,"outputTokens":2,"totalTokens":5},)"
                                      R"("metrics":{"latencyMs":2}})");
  EXPECT_EQ((*framesOf(sampleText(FinishReason::Stop, "x")))[4].payload["stopReason"], "stop_sequence");
}

TEST(BedrockStream, MutatedSequencesAreFound) {
  const std::vector<std::function<void(Frames &)>> mutations = {
      [](Frames &f) { f.pop_back(); },
      [](Frames &f) { f.erase(f.begin()); },
      [](Frames &f) { f.erase(f.begin() + 3); },
      [](Frames &f) { f.erase(f.begin() + 4); },
      [](Frames &f) { std::swap(f[3], f[4]); },
      [](Frames &f) { f[0].payload.erase("role"); },
      [](Frames &f) { f[1].payload.erase("contentBlockIndex"); },
      [](Frames &f) { f[1].payload["delta"].erase("text"); },
      [](Frames &f) { f[1].headers.erase(":message-type"); },
      [](Frames &f) { f[1].headers[":event-type"] = "chunk"; },
      [](Frames &f) { f[4].payload["stopReason"] = "length"; },
      [](Frames &f) { f[5].payload["usage"].erase("totalTokens"); },
      [](Frames &f) { f[5].payload["metrics"]["latencyMs"] = 0.5; },
  };
  for (std::size_t i = 0; i < mutations.size(); ++i) {
    Frames mutated = sample();
    mutations[i](mutated);
    EXPECT_FALSE(flaws(mutated).empty()) << "mutation " << i;
  }
}

TEST(BedrockStream, ExceptionsAreFramesOfTheirOwn) {
  ConverseWriter writer(read(), {"req_7", 0, "tiny", "", 3});
  const Frame frame = framesOf(writer.error({429, "m", "", ""}))->at(0);
  EXPECT_EQ(frame.headers.at(":message-type"), "exception");
  EXPECT_EQ(frame.headers.at(":exception-type"), "throttlingException");
  EXPECT_EQ(frame.payload["message"], "m");
}

TEST(BedrockStream, InvocationsAreChunksOfTheModelsBody) {
  InvokeWriter writer(*parseInvoke(R"({"prompt":"Hi"})", kInvoke), {"req_7", 0, "tiny", "", 3});
  Usage used;
  used.promptTokens = 3, used.completionTokens = 1;
  std::string text = writer.begin();
  text += writer.token({0, "a", {}, 0, 0, ""});
  text += writer.finish(0, FinishReason::Stop, "");
  text += writer.end(used);
  const auto frames = framesOf(text);
  ASSERT_TRUE(frames);
  ASSERT_EQ(frames->size(), 2u);
  EXPECT_EQ((*frames)[0].headers.at(":event-type"), "chunk");
  // base64 of {"generation":"a","prompt_token_count":3,"generation_token_count":1,"stop_reason":null}
  EXPECT_EQ((*frames)[0].payload["bytes"],
            "eyJnZW5lcmF0aW9uIjoiYSIsInByb21wdF90b2tlbl9jb3VudCI6MywiZ2VuZXJhdGlvbl90b2tlb"
            "l9jb3VudCI6MSwic3RvcF9yZWFzb24iOm51bGx9");
}

TEST(BedrockStream, AnthropicsBodyHasItsEvents) {
  auto request = parseInvoke(R"({"max_tokens":5,"messages":[{"role":"user","content":"Hi"}]})", kInvoke);
  InvokeWriter writer(*request, {"req_7", 0, "tiny", "", 3});
  EXPECT_EQ(framesOf(writer.begin())->size(), 2u); // message_start and content_block_start; no ping
  EXPECT_EQ(framesOf(writer.token({0, "a", {}, 0, 0, ""}))->size(), 1u);
  EXPECT_EQ(framesOf(writer.finish(0, FinishReason::Stop, "") + writer.end({}))->size(), 3u);
}

TEST(BedrockErrors, AreNamedInTheHeadAndTheBody) {
  const HttpResponse full = refusal({429, "m", "", "queue_full", 20}, "req_1");
  EXPECT_EQ(full.status, 429);
  EXPECT_EQ(full.fields[0].second, "ThrottlingException");
  EXPECT_EQ(full.body, R"({"message":"m","__type":"ThrottlingException"})");
  EXPECT_EQ(refusal({401, "m", "", ""}, "").status, 403);
  EXPECT_EQ(refusal({503, "m", "", "model_loading", 1000}, "").fields[0].second, "ModelNotReadyException");
  EXPECT_EQ(refusal({503, "m", "", "model_loading", 1000}, "").status, 429);
  EXPECT_EQ(refusal({400, "m", "", ""}, "").fields[0].second, "ValidationException");
}

TEST(BedrockModels, AreSummaries) {
  ModelCard card;
  card.name = "tiny";
  const Json summary = Json::parse(modelsBody({card}))["modelSummaries"][0];
  EXPECT_EQ(summary["modelId"], "tiny");
  EXPECT_EQ(summary["outputModalities"][0], "TEXT");
  EXPECT_EQ(Json::parse(modelBody(card))["modelDetails"], summary);
}

} // namespace
} // namespace lpu::serve::bedrock
