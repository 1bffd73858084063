// Files often name one end token and leave out the one that ends a turn of a chat, so, as in llama.cpp, tokens with
// certain texts end a generation wherever they are. Texts that could also be ordinary pieces count only where the file
// marks the token as something else.
#include "EndTokens.h"

#include "Vocabulary.h"

#include <algorithm>
#include <array>

namespace lpu::text {
namespace {

constexpr std::array<std::string_view, 23> kEnds{"<|eot_id|>",
                                                 "<|im_end|>",
                                                 "<|end|>",
                                                 "<|return|>",
                                                 "<|call|>",
                                                 "<|flush|>",
                                                 "<|calls|>",
                                                 "<end_of_turn>",
                                                 "<|endoftext|>",
                                                 "<|eom_id|>",
                                                 "<|end_of_text|>",
                                                 "<end_of_utterance>",
                                                 "<EOT>",
                                                 "_<EOT>",
                                                 "<|fim_pad|>",
                                                 "<|fim_repo|>",
                                                 "<|repo_name|>",
                                                 "<|file_sep|>",
                                                 "<fim_pad>",
                                                 "<fim-pad>",
                                                 "<fim-repo>",
                                                 "<reponame>",
                                                 "<｜end▁of▁sentence｜>"};
constexpr std::array<std::string_view, 7> kEndsIfMarked{"</s>", "<eos>", "[EOS]", "[EOT]", "<PAD>", "[PAD]", "<REPO>"};

bool endsByText(const isa::Tokenizer &data, TokenId id) {
  const std::string &text = data.tokens[static_cast<std::size_t>(id)];
  if (text.size() < 5 || text.size() > 32)
    return false;
  if (std::ranges::find(kEnds, text) != kEnds.end())
    return true;
  return !data.types.empty() && !hasType(data, id, TokenType::Normal) &&
         std::ranges::find(kEndsIfMarked, text) != kEndsIfMarked.end();
}

/// OpenAI's harmony ends with <|return|> or <|call|>; <|end|> there goes between the messages of one answer.
void keepHarmonyGoing(const isa::Tokenizer &data, std::vector<TokenId> &ends) {
  auto find = [&](std::string_view text) {
    return std::ranges::find(ends, text, [&](TokenId id) -> std::string_view {
      return static_cast<std::size_t>(id) < data.tokens.size() ? data.tokens[static_cast<std::size_t>(id)] : "";
    });
  };
  if (find("<|return|>") != ends.end() && find("<|call|>") != ends.end())
    if (auto end = find("<|end|>"); end != ends.end())
      ends.erase(end);
}

} // namespace

std::vector<TokenId> endTokensOf(const isa::Tokenizer &data) {
  std::vector<TokenId> ends = data.ends;
  if (data.eos >= 0)
    ends.push_back(data.eos);
  for (TokenId id = 0; id < static_cast<TokenId>(data.tokens.size()); ++id)
    if (endsByText(data, id))
      ends.push_back(id);
  std::ranges::sort(ends);
  ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
  keepHarmonyGoing(data, ends);
  return ends;
}

} // namespace lpu::text
