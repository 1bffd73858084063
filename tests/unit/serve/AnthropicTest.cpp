#include "lpu/serve/Anthropic.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <functional>

namespace lpu::serve::anthropic {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char *kMessages = R"("messages":[{"role":"user","content":"Hi"}])";

std::string bodyOf(const std::string &more) {
  return std::string(R"({"model":"tiny","max_tokens":9,)") + kMessages + more + "}";
}

Request read(const std::string &more = "") {
  auto request = parse(bodyOf(more));
  EXPECT_TRUE(request) << request.refusal().message;
  return request ? *request : Request{};
}

std::string refused(const std::string &more) {
  auto request = parse(bodyOf(more));
  return request ? "" : request.refusal().param;
}

TEST(AnthropicRequest, IsAChatWithItsSystemPromptFirst) {
  const Request request = read(R"(,"system":[{"type":"text","text":"Be "},{"type":"text","text":"kind"}],"top_k":5,)"
                               R"("stop_sequences":["a","b"],"stream":true,"metadata":{"user_id":"u"})");
  ASSERT_EQ(request.messages.size(), 2u);
  EXPECT_EQ(request.messages[0].role, "system");
  EXPECT_EQ(request.messages[0].content, "Be kind");
  EXPECT_EQ(request.messages[1].content, "Hi");
  EXPECT_EQ(request.maxTokens, 9u);
  EXPECT_TRUE(request.clip);
  EXPECT_EQ(request.sampling.temperature, 1);
  EXPECT_EQ(request.sampling.topK, 5u);
  EXPECT_EQ(request.stop.size(), 2u);
  EXPECT_TRUE(request.stream);
  EXPECT_EQ(request.ignored, std::vector<std::string>{"metadata"});
}

TEST(AnthropicRequest, RangesHoldAtTheirEnds) {
  for (const char *good : {R"(,"temperature":0)", R"(,"temperature":1)", R"(,"top_p":1)", R"(,"tools":[])",
                           R"(,"thinking":{"type":"disabled"})"})
    EXPECT_EQ(refused(good), "") << good;
  for (auto [bad, param] : std::initializer_list<std::pair<const char *, const char *>>{
           {R"(,"temperature":1.001)", "temperature"},
           {R"(,"top_p":0)", "top_p"},
           {R"(,"top_k":-1)", "top_k"},
           {R"(,"tools":[{}])", "tools"},
           {R"(,"thinking":{"type":"enabled","budget_tokens":1024})", "thinking"},
           {R"(,"stop_sequences":[""])", "stop_sequences"},
           {R"(,"system":[{"type":"image"}])", "system[0]"}})
    EXPECT_EQ(refused(bad), param) << bad;
  auto paramOf = [](const std::string &body) { return parse(body).refusal().param; };
  EXPECT_EQ(paramOf(std::string("{") + kMessages + "}"), "max_tokens");
  EXPECT_EQ(paramOf(R"({"max_tokens":1,"messages":[]})"), "messages");
  EXPECT_EQ(paramOf(R"({"max_tokens":1,"messages":[{"role":"system","content":"a"}]})"), "messages.0.role");
  EXPECT_EQ(paramOf(R"({"max_tokens":1,"messages":[{"role":"user","content":[{"type":"tool_result"}]}]})"),
            "messages.0.content[0]");
}

TEST(AnthropicRequest, CountingNeedsNoLimit) {
  EXPECT_TRUE(parseCount(std::string("{") + kMessages + "}"));
  EXPECT_EQ(countBody(12), R"({"input_tokens":12})");
}

// Golden sequences.

struct Event {
  std::string name;
  Json data;
};
using Events = std::vector<Event>;

Events events(const std::string &text) {
  Events out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find("\n\n", at), line = text.find('\n', at);
    EXPECT_EQ(text.compare(at, 7, "event: "), 0);
    EXPECT_EQ(text.compare(line + 1, 6, "data: "), 0);
    out.push_back({text.substr(at + 7, line - at - 7), Json::parse(text.substr(line + 7, end - line - 7))});
    at = end + 2;
  }
  return out;
}

/// What a stream does that some client would not take.
std::vector<std::string> flaws(const Events &stream) {
  std::vector<std::string> found;
  auto demand = [&](bool good, const char *what) {
    if (!good)
      found.emplace_back(what);
  };
  std::string order;
  for (const Event &event : stream) {
    demand(event.name == event.data.value("type", ""), "an event whose name is not its type");
    if (event.name == "ping")
      continue;
    if (event.name != "content_block_delta" || !order.ends_with("content_block_delta "))
      order += event.name + " ";
    if (event.name.starts_with("content_block"))
      demand(event.data.value("index", Json()) == 0, "a block without index");
    if (event.name == "message_start") {
      const Json message = event.data.value("message", Json::object());
      for (const char *key : {"id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage"})
        demand(message.contains(key), "a message without one of its fields");
      demand(message.value("content", Json()) == Json::array(), "content at the start");
      demand(message.contains("usage") && message["usage"].contains("input_tokens"), "no input_tokens");
    } else if (event.name == "content_block_start") {
      demand(event.data.contains("content_block") && event.data["content_block"].value("text", "x").empty(),
             "a block that does not begin empty");
    } else if (event.name == "content_block_delta") {
      demand(event.data.contains("delta") && event.data["delta"].value("type", "") == "text_delta" &&
                 event.data["delta"].contains("text"),
             "a delta of no text");
    } else if (event.name == "message_delta") {
      const Json delta = event.data.value("delta", Json::object()), reason = delta.value("stop_reason", Json());
      demand(reason == "end_turn" || reason == "max_tokens" || reason == "stop_sequence", "an unknown stop_reason");
      demand(delta.contains("stop_sequence") && delta["stop_sequence"].is_null() == (reason != "stop_sequence"),
             "a stop_sequence that does not fit its reason");
      demand(event.data.contains("usage") && event.data["usage"].contains("output_tokens"), "no output_tokens");
    }
  }
  demand(order ==
             "message_start content_block_start content_block_delta content_block_stop message_delta message_stop ",
         "events out of order");
  return found;
}

Events sample(FinishReason reason = FinishReason::Length, const std::string &stop = "") {
  Writer writer(read(), {"req_7", 1764374400, "tiny", "lpu_9f", 3});
  Usage used;
  used.promptTokens = 3, used.completionTokens = 2;
  std::string text = writer.begin(); // one after the other: writers remember
  text += writer.token({0, "Once", {}, 0, 9550, ""});
  text += writer.token({0, "", {}, 4, 12000, ""});
  text += writer.token({0, " upon", {}, 4, 12000, ""});
  text += writer.finish(0, reason, stop);
  text += writer.end(used);
  return events(text);
}

TEST(AnthropicStream, IsTheCanonicalSequence) {
  const Events stream = sample();
  EXPECT_EQ(flaws(stream), std::vector<std::string>());
  EXPECT_EQ(flaws(sample(FinishReason::Stop)), std::vector<std::string>());
  EXPECT_EQ(flaws(sample(FinishReason::Stop, "###")), std::vector<std::string>());
  EXPECT_EQ(stream[0].data.dump(),
            R"({"type":"message_start","message":{"id":"msg_req_7","type":"message","role":"assistant","model":"tiny",)"
            R"("content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":3,)"
            R"("cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0,)"
            R"("service_tier":"standard"}}})");
  EXPECT_EQ(stream[2].name, "ping");
  EXPECT_EQ(stream[3].data.dump(),
            R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Once"}})");
  EXPECT_EQ(stream[6].data["delta"].dump(), R"({"stop_reason":"max_tokens","stop_sequence":null})");
  EXPECT_EQ(sample(FinishReason::Stop, "###")[6].data["delta"].dump(),
            R"({"stop_reason":"stop_sequence","stop_sequence":"###"})");
}

TEST(AnthropicStream, MutatedSequencesAreFound) {
  const std::vector<std::function<void(Events &)>> mutations = {
      [](Events &e) { e.pop_back(); },
      [](Events &e) { e.erase(e.begin()); },
      [](Events &e) { e.erase(e.begin() + 1); },
      [](Events &e) { e.erase(e.begin() + 5); },
      [](Events &e) { e.erase(e.begin() + 6); },
      [](Events &e) { e[0].data["message"].erase("usage"); },
      [](Events &e) { e[0].data["message"].erase("content"); },
      [](Events &e) { e[0].data["message"]["content"] = Json::array({"x"}); },
      [](Events &e) { e[1].data["content_block"]["text"] = "x"; },
      [](Events &e) { e[3].data.erase("index"); },
      [](Events &e) { e[3].data["delta"]["type"] = "input_json_delta"; },
      [](Events &e) { e[3].name = "message"; },
      [](Events &e) { e[6].data.erase("usage"); },
      [](Events &e) { e[6].data["delta"]["stop_reason"] = "length"; },
      [](Events &e) { e[6].data["delta"]["stop_sequence"] = "x"; },
      [](Events &e) { std::swap(e[4], e[5]); },
      [](Events &e) { std::swap(e[6], e[7]); },
  };
  for (std::size_t i = 0; i < mutations.size(); ++i) {
    Events mutated = sample();
    mutations[i](mutated);
    EXPECT_FALSE(flaws(mutated).empty()) << "mutation " << i;
  }
}

TEST(AnthropicAnswer, HasOneBlockOfText) {
  Writer writer(read(), {"req_7", 0, "tiny", "", 3});
  Choice choice;
  choice.text = "Once", choice.stop = "b";
  Usage used;
  used.promptTokens = 3, used.completionTokens = 2;
  const Json body = Json::parse(writer.body({choice}, used));
  EXPECT_EQ(body["content"].dump(), R"([{"type":"text","text":"Once"}])");
  EXPECT_EQ(body["stop_reason"], "stop_sequence");
  EXPECT_EQ(body["stop_sequence"], "b");
  EXPECT_EQ(body["usage"]["output_tokens"], 2);
}

TEST(AnthropicErrors, HaveTypesThatClientsKnow) {
  EXPECT_EQ(refusal({400, "m", "max_tokens", ""}, "req_1").body,
            R"({"type":"error","error":{"type":"invalid_request_error","message":"m"},"request_id":"req_1"})");
  EXPECT_EQ(Json::parse(refusal({429, "m", "", "queue_full"}, "").body)["error"]["type"], "rate_limit_error");
  EXPECT_EQ(refusal({503, "m", "", ""}, "").status, 529);
  EXPECT_EQ(Json::parse(refusal({503, "m", "", ""}, "").body)["error"]["type"], "overloaded_error");
}

TEST(AnthropicModels, AreAPage) {
  ModelCard card;
  card.name = "tiny";
  EXPECT_EQ(modelsBody({card}), R"({"data":[{"type":"model","id":"tiny","display_name":"tiny",)"
                                R"("created_at":"1970-01-01T00:00:00Z"}],"has_more":false,"first_id":"tiny",)"
                                R"("last_id":"tiny"})");
}

} // namespace
} // namespace lpu::serve::anthropic
