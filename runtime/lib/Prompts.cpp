// Prompts are read to their last byte: a newline at the end of a file is part of the prompt.
#include "Prompts.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace lpu::rt {

/// Far above what any model takes, and read in a moment.
static constexpr std::size_t kLongestText = std::size_t{64} << 20;

Result<std::string> readText(const std::string &path) {
  const bool isInput = path == "-";
  const std::string place = isInput ? "standard input" : path;
  const auto unreadable = [&] {
    return Error{place, fmt::format("cannot read: {}; check {}", std::strerror(errno),
                                    isInput ? "where it comes from" : "the path and its permissions")};
  };
  const int file = isInput ? ::dup(STDIN_FILENO) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0)
    return unreadable();
  std::string text;
  std::array<char, 65536> buffer;
  ssize_t count = 0;
  while (text.size() <= kLongestText && (count = ::read(file, buffer.data(), buffer.size())) > 0)
    text.append(buffer.data(), static_cast<std::size_t>(count));
  const Error failed = count < 0 ? unreadable() : Error();
  ::close(file);
  if (count < 0)
    return failed;
  if (text.size() > kLongestText)
    return Error{place, fmt::format("is longer than {} MiB; give a part of it", kLongestText >> 20)};
  return text;
}

Result<std::vector<std::vector<TokenId>>> readPrompts(const RunOptions &options, const text::Tokenizer &tokenizer) {
  std::vector<std::string> texts = options.prompt;
  for (const std::string &path : options.promptFile) {
    auto content = readText(path);
    if (!content)
      return content.error();
    texts.push_back(*content);
  }
  std::vector<std::vector<TokenId>> prompts = options.tokens;
  for (const std::string &text : texts) {
    auto ids = tokenizer.encodePrompt(text, {.special = options.special});
    if (!ids)
      return ids.error();
    prompts.push_back(*ids);
  }
  return prompts;
}

static Error unknownToken(TokenId id, std::size_t number, bool isText, const isa::Program &program,
                          const text::Tokenizer &tokenizer) {
  const std::uint32_t last = program.model.vocabulary - 1;
  if (!isText)
    return {"", fmt::format("token {} (number {} of --tokens) is outside of the vocabulary; ids run from 0 to {}", id,
                            number, last)};
  return {"", fmt::format("the prompt spells token {} ('{}'), which has no row in the model's embedding, whose ids run "
                          "from 0 to {}; leave it out",
                          id, tokenizer.piece(id), last)};
}

Status checkPrompts(const std::vector<std::vector<TokenId>> &prompts, const RunOptions &options,
                    const isa::Program &program, const text::Tokenizer &tokenizer) {
  for (const std::vector<TokenId> &ids : prompts)
    for (std::size_t i = 0; i < ids.size(); ++i)
      if (static_cast<std::uint32_t>(ids[i]) >= program.model.vocabulary)
        return unknownToken(ids[i], i + 1, options.tokens.empty(), program, tokenizer);
  return Ok{};
}

} // namespace lpu::rt
