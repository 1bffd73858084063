#include "lpu/serve/Anthropic.h"
#include "lpu/serve/Bedrock.h"
#include "lpu/serve/Gemini.h"
#include "lpu/serve/Ollama.h"

#include <gtest/gtest.h>

namespace lpu::serve {
namespace {

HttpRequest request(const std::string &target, std::map<std::string, std::string> fields = {}) {
  return {"POST", target, std::move(fields), ""};
}

TEST(Dialects, RefusalsFollowThePath) {
  EXPECT_EQ(refusalWriterOf(request("/v1/chat/completions")), openai::refusal);
  EXPECT_EQ(refusalWriterOf(request("/v1/models")), openai::refusal);
  EXPECT_EQ(refusalWriterOf(request("/v1/models", {{"anthropic-version", "2023-06-01"}})), anthropic::refusal);
  EXPECT_EQ(refusalWriterOf(request("/v1/messages/count_tokens")), anthropic::refusal);
  EXPECT_EQ(refusalWriterOf(request("/v1/models", {{"x-goog-api-key", "k"}})), gemini::refusal);
  EXPECT_EQ(refusalWriterOf(request("/v1/models/x:generateContent")), gemini::refusal);
  EXPECT_EQ(refusalWriterOf(request("/api/anything")), ollama::refusal);
  EXPECT_EQ(refusalWriterOf(request("/v1beta/models/x:generateContent?key=k")), gemini::refusal);
  EXPECT_EQ(refusalWriterOf(request("/v1/projects/p")), gemini::refusal);
  EXPECT_EQ(refusalWriterOf(request("/model/x/converse")), bedrock::refusal);
  EXPECT_EQ(refusalWriterOf(request("")), openai::refusal);
}

TEST(Dialects, KeysAreWhereClientsPutThem) {
  EXPECT_EQ(keyOf(request("/", {{"authorization", "BEARER k1"}})), "k1");
  EXPECT_EQ(keyOf(request("/", {{"x-api-key", "k2"}})), "k2");
  EXPECT_EQ(keyOf(request("/", {{"x-goog-api-key", "k3"}})), "k3");
  EXPECT_EQ(keyOf(request("/?alt=sse&key=k%2F4")), "k/4");
  EXPECT_EQ(keyOf(request("/", {{"authorization", "AWS4-HMAC-SHA256 Credential=AKID/20261129/us-east-1/bedrock/"
                                                  "aws4_request, SignedHeaders=host, Signature=0"}})),
            "AKID");
  EXPECT_EQ(keyOf(request("/", {{"authorization", "AWS4-HMAC-SHA256 Signature=0"}})), "");
  EXPECT_EQ(keyOf(request("/", {{"authorization", "Basic k"}})), "");
  EXPECT_EQ(keyOf(request("/")), "");
}

TEST(Dialects, CapacityForFlexIsALoadThatEachNamesInItsWay) {
  const Refusal refusal{498, "m", "", "capacity_exceeded", 5};
  EXPECT_EQ(openai::refusal(refusal, "").status, 498);
  EXPECT_EQ(anthropic::refusal(refusal, "").status, 429);
  EXPECT_EQ(gemini::refusal(refusal, "").status, 429);
  EXPECT_EQ(bedrock::refusal(refusal, "").status, 429);
  EXPECT_EQ(ollama::refusal(refusal, "").status, 503);
}

TEST(Dialects, QueriesAreDecoded) {
  EXPECT_EQ(request("/a?x=1&y=a%20b&z").query("y"), "a b");
  EXPECT_EQ(request("/a?x=1&y=a%20b&z").query("z"), "");
  EXPECT_EQ(request("/a?").query("x"), "");
  EXPECT_EQ(request("/a").query("x"), "");
  EXPECT_EQ(request("/a?xx=1").query("x"), "");
  EXPECT_EQ(percentDecoded("%2F%zz%4"), "/%zz%4");
}

TEST(Dialects, TimesAreIso8601) {
  EXPECT_EQ(isoTime(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(isoTime(1764374400), "2025-11-29T00:00:00Z");
}

} // namespace
} // namespace lpu::serve
