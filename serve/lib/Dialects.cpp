// Which dialect a request speaks, where it says so beside its body.
#include "lpu/serve/Anthropic.h"
#include "lpu/serve/Bedrock.h"
#include "lpu/serve/Gemini.h"
#include "lpu/serve/Ollama.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <ctime>

namespace lpu::serve {
namespace {

/// Paths that begin so are one dialect's.
struct Territory {
  std::string_view prefix;
  RefusalWriter refusals;
};
constexpr std::array kTerritories = {
    Territory{"/api/", ollama::refusal},         Territory{"/foundation-models", bedrock::refusal},
    Territory{"/model/", bedrock::refusal},      Territory{"/v1/messages", anthropic::refusal},
    Territory{"/v1/projects/", gemini::refusal}, Territory{"/v1/publishers/", gemini::refusal},
    Territory{"/v1beta/", gemini::refusal},      Territory{"/v1beta1/", gemini::refusal},
};

bool startsWithoutCase(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() &&
         std::ranges::equal(text.substr(0, prefix.size()), prefix, {}, [](unsigned char c) { return std::tolower(c); });
}

/// "AWS4-HMAC-SHA256 Credential=KEY/20261129/…": the access key.
std::string accessKeyOf(std::string_view authorization) {
  constexpr std::string_view kCredential = "Credential=";
  const std::size_t at = authorization.find(kCredential);
  if (at == std::string_view::npos)
    return "";
  authorization.remove_prefix(at + kCredential.size());
  return std::string(authorization.substr(0, authorization.find_first_of("/,")));
}

} // namespace

RefusalWriter refusalWriterOf(const HttpRequest &request) {
  for (const Territory &territory : kTerritories)
    if (request.path().starts_with(territory.prefix))
      return territory.refusals;
  if (!request.field("anthropic-version").empty())
    return anthropic::refusal;
  const bool isGooglesClient = !request.field("x-goog-api-key").empty() ||
                               !request.field("x-goog-api-client").empty() || !request.query("key").empty();
  if (isGooglesClient || (request.method == "POST" && request.path().starts_with("/v1/models/")))
    return gemini::refusal;
  return openai::refusal;
}

std::string keyOf(const HttpRequest &request) {
  constexpr std::string_view kBearer = "bearer ", kSignature = "aws4-hmac-sha256 "; // RFC 9110: in any case
  const std::string given = request.field("authorization");
  if (startsWithoutCase(given, kBearer))
    return given.substr(kBearer.size());
  if (startsWithoutCase(given, kSignature))
    return accessKeyOf(given);
  for (const char *name : {"x-api-key", "x-goog-api-key"})
    if (std::string key = request.field(name); !key.empty())
      return key;
  return request.query("key");
}

int usualStatus(const Refusal &refusal) {
  constexpr int kCapacityExceeded = 498, kTooMany = 429;
  return refusal.status == kCapacityExceeded ? kTooMany : refusal.status;
}

std::string isoTime(std::int64_t secondsSince1970) {
  const std::time_t seconds = secondsSince1970;
  std::tm parts{};
  std::array<char, sizeof "2026-11-29T12:00:00Z"> text{};
  if (!gmtime_r(&seconds, &parts) || std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
    return "1970-01-01T00:00:00Z";
  return text.data();
}

} // namespace lpu::serve
