#include "lpu/rt/StopMatcher.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

namespace lpu::rt {
namespace {

/// All that is shown of `pieces`, and whether a stop text was met.
std::pair<std::string, bool> shown(std::vector<std::string> stops, const std::vector<std::string> &pieces) {
  StopMatcher matcher(std::move(stops));
  std::string out;
  for (const std::string &piece : pieces)
    out += matcher.push(piece);
  out += matcher.finish();
  return {out, matcher.met()};
}

TEST(StopMatcher, CutsBeforeAStopText) {
  EXPECT_EQ(shown({"END"}, {"the END of it"}), std::pair(std::string("the "), true));
  EXPECT_EQ(shown({"END"}, {"END"}), std::pair(std::string(), true));
  EXPECT_EQ(shown({"END"}, {"the end"}), std::pair(std::string("the end"), false));
  EXPECT_EQ(shown({}, {"a", "b"}), std::pair(std::string("ab"), false));
}

TEST(StopMatcher, AcrossPieces) {
  EXPECT_EQ(shown({"END"}, {"the E", "N", "D of", " it"}), std::pair(std::string("the "), true));
  EXPECT_EQ(shown({"aab"}, {"a", "a", "a", "b", "c"}), std::pair(std::string("a"), true));
}

TEST(StopMatcher, HoldsBackOnlyWhatMayBecomeAStopText) {
  StopMatcher matcher({"\n\n", "User:"});
  EXPECT_EQ(matcher.push("one\n"), "one");
  EXPECT_EQ(matcher.push("two U"), "\ntwo ");
  EXPECT_EQ(matcher.push("S"), "US");
  EXPECT_EQ(matcher.push("Use"), "");
  EXPECT_EQ(matcher.finish(), "Use");
  EXPECT_FALSE(matcher.met());
}

TEST(StopMatcher, NothingFollowsAStopText) {
  StopMatcher matcher({"."});
  EXPECT_EQ(matcher.push("a.b"), "a");
  EXPECT_TRUE(matcher.met());
  EXPECT_EQ(matcher.push("c"), "");
  EXPECT_EQ(matcher.finish(), "");
}

TEST(StopMatcher, TheOneThatIsCompleteFirstCounts) {
  EXPECT_EQ(shown({"abcd", "c"}, {"xabcd"}), std::pair(std::string("xab"), true));
  EXPECT_EQ(shown({"d", "bcd"}, {"xabcd"}), std::pair(std::string("xa"), true)); // together: the longest
}

TEST(StopMatcher, EmptyTextsNeverMatch) { EXPECT_EQ(shown({"", "b"}, {"ab"}), std::pair(std::string("a"), true)); }

TEST(StopMatcher, WholeCharactersAreHeldBack) {
  StopMatcher matcher({"\u00e9t\u00e9"});
  EXPECT_EQ(matcher.push("caf\u00e9"), "caf");
  EXPECT_EQ(matcher.push(" x"), "\u00e9 x");
}

RC_GTEST_PROP(StopMatcher, PiecesDoNotMatter, ()) {
  const auto text = *rc::gen::container<std::string>(rc::gen::elementOf(std::string("ab")));
  const auto stops = *rc::gen::container<std::vector<std::string>>(
      rc::gen::nonEmpty(rc::gen::container<std::string>(rc::gen::elementOf(std::string("ab")))));
  std::vector<std::string> pieces;
  for (std::size_t at = 0; at < text.size();) {
    const auto length = *rc::gen::inRange<std::size_t>(1, 5);
    pieces.push_back(text.substr(at, length));
    at += length;
  }
  // The shortest beginning of the text that ends with a stop text, without the longest that it ends with.
  std::pair<std::string, bool> expected{text, false};
  for (std::size_t end = 1; end <= text.size() && !expected.second; ++end)
    for (const std::string &stop : stops)
      if (text.substr(0, end).ends_with(stop)) {
        const std::string before = text.substr(0, end - stop.size());
        if (!expected.second || before.size() < expected.first.size())
          expected = {before, true};
      }
  RC_ASSERT(shown(stops, pieces) == expected);
}

} // namespace
} // namespace lpu::rt
