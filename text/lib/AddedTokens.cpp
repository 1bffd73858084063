// Added tokens as Hugging Face's library finds them, so that their flags mean what their authors saw them do.
#include "AddedTokens.h"

#include <algorithm>

namespace lpu::text {
namespace {

std::uint64_t edge(int node, char16_t unit) { return static_cast<std::uint64_t>(node) << 16 | unit; }

std::size_t withoutSpacesBefore(TextView text, std::size_t at) {
  for (std::size_t before = at; before > 0; at = before)
    if (!isSpace(previousCharacter(text, before)))
      break;
  return at;
}

std::size_t withoutSpacesBehind(TextView text, std::size_t at) {
  for (std::size_t behind = at; behind < text.size(); at = behind)
    if (!isSpace(nextCharacter(text, behind)))
      break;
  return at;
}

bool isApart(TextView text, std::size_t begin, std::size_t end) {
  return (begin == 0 || !isWordPart(previousCharacter(text, begin))) &&
         (end == text.size() || !isWordPart(nextCharacter(text, end)));
}

} // namespace

AddedTokens::AddedTokens(std::vector<AddedToken> all) : tokens(std::move(all)), tokenAt(1, -1) {
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    int node = 0;
    for (char16_t unit : tokens[i].text) {
      auto [next, isNew] = edges.try_emplace(edge(node, unit), static_cast<int>(tokenAt.size()));
      if (isNew)
        tokenAt.push_back(-1);
      node = next->second;
    }
    tokenAt[static_cast<std::size_t>(node)] = static_cast<int>(i);
  }
}

int AddedTokens::step(int node, char16_t unit) const {
  auto next = edges.find(edge(node, unit));
  return next == edges.end() ? -1 : next->second;
}

const AddedToken *AddedTokens::longestAt(TextView text, std::size_t at) const {
  const AddedToken *longest = nullptr;
  for (int node = 0; at < text.size() && (node = step(node, text[at])) >= 0; ++at)
    if (int token = tokenAt[static_cast<std::size_t>(node)]; token >= 0)
      longest = &tokens[static_cast<std::size_t>(token)];
  return longest;
}

std::vector<Segment> AddedTokens::cut(TextView text, bool special) const {
  std::vector<Segment> out;
  std::size_t done = 0;
  for (std::size_t at = 0; at < text.size();) {
    const AddedToken *token = longestAt(text, at);
    if (!token) {
      ++at;
      continue;
    }
    std::size_t begin = at, end = at + token->text.size();
    at = end;
    if ((token->special && !special) || (token->singleWord && !isApart(text, begin, end)))
      continue;
    if (token->takesLeft)
      begin = std::max(done, withoutSpacesBefore(text, begin));
    if (token->takesRight)
      at = end = withoutSpacesBehind(text, end);
    if (begin > done)
      out.push_back({text.substr(done, begin - done)});
    out.push_back({text.substr(begin, end - begin), token->id});
    done = end;
  }
  if (done < text.size())
    out.push_back({text.substr(done)});
  return out;
}

} // namespace lpu::text
