#include "AddedTokens.h"

#include <gtest/gtest.h>

namespace lpu::text {
namespace {

/// Tokens as "#id", the text between as it is.
std::string cut(const std::vector<AddedToken> &tokens, std::string_view given, bool special = true) {
  std::string out;
  const Text text = toText(given);
  for (const Segment &segment : AddedTokens(tokens).cut(text, special))
    out += (out.empty() ? "" : "|") + (segment.id < 0 ? toBytes(segment.text) : "#" + std::to_string(segment.id));
  return out;
}

TEST(AddedTokens, LongestOfTheLeftmost) {
  std::vector<AddedToken> tokens{{1, u"<a>"}, {2, u"<a><b>"}, {3, u"b"}};
  EXPECT_EQ(cut(tokens, "x<a>y"), "x|#1|y");
  EXPECT_EQ(cut(tokens, "<a><b>"), "#2");
  EXPECT_EQ(cut(tokens, "<a><c>b"), "#1|<c>|#3");
  EXPECT_EQ(cut(tokens, ""), "");
  EXPECT_EQ(cut({}, "b"), "b");
}

TEST(AddedTokens, SpecialOnesAreTextUnlessAskedFor) {
  std::vector<AddedToken> tokens{{1, u"<|end|>", true}, {2, u"end"}};
  EXPECT_EQ(cut(tokens, "the <|end|>"), "the |#1");
  EXPECT_EQ(cut(tokens, "the <|end|> end", false), "the <|end|> |#2");
}

TEST(AddedTokens, SpacesBesideThem) {
  std::vector<AddedToken> tokens{{1, u"L", false, false, true, false}, {2, u"R", false, false, false, true}};
  EXPECT_EQ(cut(tokens, "a  L b"), "a|#1| b");
  EXPECT_EQ(cut(tokens, "a R \n b"), "a |#2|b");
  EXPECT_EQ(cut(tokens, "R  L"), "#2|#1"); // spaces go to the first that takes them
  EXPECT_EQ(cut(tokens, "  L"), "#1");
  EXPECT_EQ(cut(tokens, "R  "), "#2");
}

TEST(AddedTokens, SingleWords) {
  std::vector<AddedToken> tokens{{1, u"ing", false, true}};
  EXPECT_EQ(cut(tokens, "ing, king ing_ é-ing"), "#1|, king ing_ é-|#1");
}

} // namespace
} // namespace lpu::text
