#include "lpu/rt/Perplexity.h"
#include "FakeSimulator.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lpu::rt {
namespace {

using namespace test;

struct Perplexity : testing::Test {
  isa::Program program = fakeProgram(); // a context of 16
  int resets = 0;

  std::vector<TokenId> textOf(int tokens) const {
    std::vector<TokenId> text;
    for (int i = 0; i < tokens; ++i)
      text.push_back(259 + i);
    return text;
  }

  /// Straight from the fake model: `predicted` lists where each token that counts stands in its window.
  double expected(const std::vector<std::vector<std::int32_t>> &windows, std::size_t firstCounted) {
    Likelihood out;
    for (const auto &window : windows)
      for (std::size_t i = firstCounted; i < window.size(); ++i)
        out.add(fakeLogits({window.begin(), window.begin() + static_cast<std::ptrdiff_t>(i)}, program.model.vocabulary),
                window[i]);
    return out.perplexity();
  }

  double measure(const TextWindows &text) {
    FakeSimulator simulator(program, {}, {.resets = &resets});
    Session session(program, simulator, sim::Mode::Functional);
    auto value = measurePerplexity(session, text, {});
    EXPECT_TRUE(value);
    EXPECT_EQ(session.records().size(), *countPerplexitySteps(program, text));
    return *value;
  }

  static std::vector<std::int32_t> part(const std::vector<TokenId> &text, std::size_t from, std::size_t to) {
    return {text.begin() + static_cast<std::ptrdiff_t>(from), text.begin() + static_cast<std::ptrdiff_t>(to)};
  }
  static std::vector<std::int32_t> after(TokenId bos, std::vector<std::int32_t> window) {
    window.insert(window.begin(), bos);
    return window;
  }
};

TEST(Likelihood, IsTheMeanNegativeLogSoftmax) {
  Likelihood l;
  EXPECT_TRUE(std::isnan(l.perplexity()));
  l.add(std::vector<float>{0, std::log(3.0f)}, 0); // p = 1/4
  EXPECT_NEAR(l.perplexity(), 4, 1e-6);
  l.add(std::vector<float>{5, 5}, 1); // p = 1/2
  EXPECT_NEAR(l.perplexity(), std::sqrt(8.0), 1e-6);
  l.add(std::vector<float>{-1e30f, 1e30f}, 1); // p = 1, no overflow on the way
  EXPECT_NEAR(l.perplexity(), std::cbrt(8.0), 1e-6);
  EXPECT_EQ(l.tokens(), 3u);
}

TEST_F(Perplexity, WindowsOfContextMinusOneAfterABos) {
  const std::vector<TokenId> text = textOf(37);
  auto cut = cutText(program, text);
  ASSERT_TRUE(cut);
  EXPECT_EQ(cut->counting, Counting::All); // as ever, where windows begin with BOS
  EXPECT_EQ(cut->windows.size(), 3u);
  EXPECT_EQ(cut->counted, 37u);
  EXPECT_EQ(cut->str(), "3 windows of up to 16 positions, each beginning with BOS; all 37 tokens count");
  EXPECT_DOUBLE_EQ(
      measure(*cut),
      expected({after(1, part(text, 0, 15)), after(1, part(text, 15, 30)), after(1, part(text, 30, 37))}, 1));
  EXPECT_EQ(resets, 3);
}

TEST_F(Perplexity, SecondHalvesAsLlamaPerplexityCounts) {
  // Of BOS and the text, windows of 16; BOS replaces the first token of each. Rows 8 to 14 predict tokens 9 to 15.
  const std::vector<TokenId> text = textOf(37);
  auto cut = cutText(program, text, Counting::SecondHalf);
  ASSERT_TRUE(cut);
  EXPECT_EQ(cut->windows.size(), 2u);
  EXPECT_EQ(cut->counted, 2u * 7);
  EXPECT_EQ(cut->leftOut, 6u);
  EXPECT_DOUBLE_EQ(measure(*cut), expected({after(1, part(text, 0, 15)), after(1, part(text, 16, 31))}, 9));
}

TEST_F(Perplexity, WithoutBosWindowsAreOfTheTextAlone) {
  program.tokenizer.addBos = false; // though the vocabulary has one
  const std::vector<TokenId> text = textOf(37);
  auto cut = cutText(program, text);
  ASSERT_TRUE(cut);
  EXPECT_EQ(cut->counting, Counting::SecondHalf);
  EXPECT_FALSE(cut->beginsWithBos);
  EXPECT_EQ(cut->leftOut, 5u);
  EXPECT_EQ(cut->str(), "2 windows of up to 16 positions, without BOS; 14 tokens in their second halves count, as for "
                        "llama-perplexity; 5 at the end are left out");
  EXPECT_DOUBLE_EQ(measure(*cut), expected({part(text, 0, 16), part(text, 16, 32)}, 9));
}

TEST_F(Perplexity, WithoutBosAllButTheFirstTokenCountOnce) {
  program.tokenizer.bos = -1;
  for (int length : {2, 16, 17, 18, 33}) {
    const std::vector<TokenId> text = textOf(length);
    auto cut = cutText(program, text, Counting::All);
    ASSERT_TRUE(cut) << length;
    EXPECT_EQ(cut->counted, text.size() - 1);
    std::vector<std::vector<std::int32_t>> windows;
    for (std::size_t at = 0; at + 1 < text.size(); at += 16)
      windows.push_back(part(text, at, std::min(at + 17, text.size())));
    EXPECT_DOUBLE_EQ(measure(*cut), expected(windows, 1)) << length;
  }
}

TEST_F(Perplexity, ShortTextsCountWhole) {
  program.tokenizer.bos = -1;
  EXPECT_EQ(cutText(program, textOf(31))->counting, Counting::All);
  EXPECT_EQ(cutText(program, textOf(32))->counting, Counting::SecondHalf);
}

TEST_F(Perplexity, TextsWithoutATokenThatCountsAreErrors) {
  EXPECT_NE(cutText(program, {}).error().message.find("no tokens"), std::string::npos);
  EXPECT_TRUE(cutText(program, textOf(1))); // predicted by BOS
  program.tokenizer.addBos = false;
  EXPECT_NE(cutText(program, {}).error().message.find("no tokens"), std::string::npos);
  EXPECT_NE(cutText(program, textOf(1)).error().message.find("one token"), std::string::npos);
  auto halves = cutText(program, textOf(31), Counting::SecondHalf);
  ASSERT_FALSE(halves);
  EXPECT_NE(halves.error().message.find("two windows of 16 tokens, and the text has 31"), std::string::npos);
}

TEST(PerplexityContext, OfOnePositionHasNoRoomBehindBos) {
  isa::Program program = fakeProgram({1}, {});
  EXPECT_FALSE(cutText(program, {300, 301, 302}));
  program.tokenizer.addBos = false;
  auto cut = cutText(program, {300, 301, 302});
  ASSERT_TRUE(cut);
  EXPECT_EQ(cut->counted, 2u);
}

} // namespace
} // namespace lpu::rt
