#include "Conditions.h"

#include <algorithm>
#include <span>

namespace lpu::explore {
namespace {

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\n"), end = text.find_last_not_of(" \t\n");
  return begin == text.npos ? std::string_view() : text.substr(begin, end - begin + 1);
}

/// What stands between operators outside of parentheses. An operator that begins another comes behind it.
std::vector<std::string_view> split(std::string_view text, std::span<const std::string_view> operators) {
  std::vector<std::string_view> parts;
  int depth = 0;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size();) {
    depth += (text[i] == '(') - (text[i] == ')');
    const auto found =
        std::ranges::find_if(operators, [&](std::string_view own) { return text.substr(i).starts_with(own); });
    if (depth > 0 || found == operators.end()) {
      ++i;
      continue;
    }
    parts.push_back(trimmed(text.substr(begin, i - begin)));
    begin = i += found->size();
  }
  parts.push_back(trimmed(text.substr(begin)));
  return parts;
}

/// "(a) < (b)" begins and ends with parentheses, but not with two of one pair.
bool isInParentheses(std::string_view text) {
  if (!text.starts_with('(') || !text.ends_with(')'))
    return false;
  int depth = 0;
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    depth += (text[i] == '(') - (text[i] == ')');
    if (depth == 0)
      return false;
  }
  return true;
}

} // namespace

std::optional<std::vector<std::string_view>> comparedIn(std::string_view text) {
  static constexpr std::string_view kChoice[] = {"?"}, kJoined[] = {"&&", "||"},
                                    kCompared[] = {"<=", ">=", "==", "!=", "<", ">"};
  text = trimmed(text);
  if (isInParentheses(text))
    return comparedIn(text.substr(1, text.size() - 2));
  if (split(text, kChoice).size() > 1)
    return std::nullopt;
  const std::vector<std::string_view> conditions = split(text, kJoined);
  if (conditions.size() == 1) {
    const std::vector<std::string_view> sides = split(text, kCompared);
    return sides.size() == 2 ? std::optional(sides) : std::nullopt; // "1 < a < 3" compares 3 with a truth value
  }
  std::vector<std::string_view> all;
  for (const std::string_view condition : conditions) {
    const auto sides = comparedIn(condition);
    if (!sides)
      return std::nullopt;
    all.insert(all.end(), sides->begin(), sides->end());
  }
  return all;
}

} // namespace lpu::explore
