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
  auto cut = cutText(program, text, 1);
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
  auto cut = cutText(program, text, 1, Counting::SecondHalf);
  ASSERT_TRUE(cut);
  EXPECT_EQ(cut->windows.size(), 2u);
  EXPECT_EQ(cut->counted, 2u * 7);
  EXPECT_EQ(cut->leftOut, 6u);
  EXPECT_DOUBLE_EQ(measure(*cut), expected({after(1, part(text, 0, 15)), after(1, part(text, 16, 31))}, 9));
}

TEST_F(Perplexity, WithoutBosWindowsAreOfTheTextAlone) {
  const std::vector<TokenId> text = textOf(37);
  auto cut = cutText(program, text, std::nullopt);
  ASSERT_TRUE(cut);
  EXPECT_EQ(cut->counting, Counting::SecondHalf);
  EXPECT_FALSE(cut->beginsWithBos);
  EXPECT_EQ(cut->leftOut, 5u);
  EXPECT_EQ(cut->str(), "2 windows of up to 16 positions, without BOS; 14 tokens in their second halves count, as for "
                        "llama-perplexity; 5 at the end are left out");
  EXPECT_DOUBLE_EQ(measure(*cut), expected({part(text, 0, 16), part(text, 16, 32)}, 9));
}

TEST_F(Perplexity, WithoutBosAllButTheFirstTokenCountOnce) {
  for (int length : {2, 16, 17, 18, 33}) {
    const std::vector<TokenId> text = textOf(length);
    auto cut = cutText(program, text, std::nullopt, Counting::All);
    ASSERT_TRUE(cut) << length;
    EXPECT_EQ(cut->counted, text.size() - 1);
    std::vector<std::vector<std::int32_t>> windows;
    for (std::size_t at = 0; at + 1 < text.size(); at += 16)
      windows.push_back(part(text, at, std::min(at + 17, text.size())));
    EXPECT_DOUBLE_EQ(measure(*cut), expected(windows, 1)) << length;
  }
}

TEST_F(Perplexity, ShortTextsCountWhole) {
  EXPECT_EQ(cutText(program, textOf(31), std::nullopt)->counting, Counting::All);
  EXPECT_EQ(cutText(program, textOf(32), std::nullopt)->counting, Counting::SecondHalf);
}

TEST_F(Perplexity, TextsThatCannotBeScoredAreErrors) {
  auto error = [&](std::vector<TokenId> text, std::optional<TokenId> bos, std::optional<Counting> counting) {
    auto cut = cutText(program, std::move(text), bos, counting);
    return cut ? "none" : cut.error().message;
  };
  auto expectError = [](const std::string &message, const char *mentions) {
    EXPECT_NE(message.find(mentions), std::string::npos) << message;
  };
  expectError(error({}, 1, {}), "no tokens; give at least one word");
  expectError(error({}, {}, {}), "no tokens; give at least one word");
  EXPECT_EQ(error(textOf(1), 1, {}), "none"); // BOS predicts it
  expectError(error(textOf(1), {}, {}), "one token");
  expectError(error(textOf(31), {}, Counting::SecondHalf), "two windows of 16 tokens, and the text has 31");
  expectError(error({259, static_cast<TokenId>(program.model.vocabulary)}, {}, {}), "no row in the model's embedding");
}

TEST(PerplexityContext, OfOnePositionHasNoRoomBehindBos) {
  isa::Program program = fakeProgram({1}, {});
  EXPECT_FALSE(cutText(program, {300, 301, 302}, 1));
  auto cut = cutText(program, {300, 301, 302}, std::nullopt);
  ASSERT_TRUE(cut);
  EXPECT_EQ(cut->counted, 2u);
}

TEST(PerplexityContext, WithoutDecodeStepsIsAnError) {
  isa::Program program = fakeProgram({}, {});
  EXPECT_FALSE(cutText(program, {300, 301, 302}, 1));
}

} // namespace
} // namespace lpu::rt
