// Token ids and pieces, for people and for scripts.
#include "TokenList.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace lpu::rt {
namespace {

using Json = nlohmann::ordered_json;

std::string asJson(const std::vector<std::vector<TokenId>> &prompts, const text::Tokenizer &tokenizer) {
  Json out;
  out["schema"] = "lpu-token-list"; // docs/spec/reports.md
  out["schema_version"] = 1;
  out["prompts"] = Json::array();
  for (const std::vector<TokenId> &ids : prompts) {
    Json tokens = Json::array();
    for (TokenId id : ids) {
      Json token;
      token["id"] = id;
      token["piece"] = tokenizer.piece(id);
      token["text"] = tokenizer.bytes(id);
      tokens.push_back(std::move(token));
    }
    Json prompt;
    prompt["tokens"] = std::move(tokens);
    out["prompts"].push_back(std::move(prompt));
  }
  return out.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

/// A piece on one line, whatever is in it.
std::string printable(std::string_view piece) {
  std::string out;
  for (unsigned char byte : piece)
    out += byte < 0x20 || byte == 0x7F ? fmt::format("\\x{:02x}", byte) : std::string(1, static_cast<char>(byte));
  return out;
}

} // namespace

std::string listTokens(const std::vector<std::vector<TokenId>> &prompts, const text::Tokenizer &tokenizer,
                       TokenListing how) {
  if (how == TokenListing::Json)
    return asJson(prompts, tokenizer);
  std::string out;
  for (std::size_t user = 0; user < prompts.size(); ++user) {
    if (prompts.size() > 1)
      out += fmt::format("--- user {} ---\n", user);
    for (TokenId id : prompts[user])
      out += fmt::format("{:>8}  {}\n", id, printable(tokenizer.piece(id)));
  }
  return out;
}

} // namespace lpu::rt
