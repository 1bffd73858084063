#include "lpu/rt/Generate.h"
#include "FakeSimulator.h"
#include "lpu/rt/LatencyReport.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lpu::rt {
namespace {

using namespace test;

struct Fixture : testing::Test {
  isa::Program program = fakeProgram();
  std::size_t vocabulary = program.model.vocabulary;

  Session session(FakeSimulator &simulator, sim::Mode mode = sim::Mode::Functional) {
    return Session(program, simulator, mode);
  }
};
using Generate = Fixture;
using Perplexity = Fixture;

TEST_F(Generate, TokensFollowTheModelThroughPaddingAndBuckets) {
  for (std::size_t prompt = 1; prompt <= 9; ++prompt) {
    FakeSimulator simulator(program, {}, {});
    Session s = session(simulator);
    std::vector<TokenId> ids;
    for (std::size_t i = 0; i < prompt; ++i)
      ids.push_back(static_cast<TokenId>(300 + i));
    std::size_t rows = 0;
    auto out = generate(s, {ids, 7, {}, -1}, [&](std::span<const float> r) { rows += r.size() / vocabulary; }, {});
    ASSERT_TRUE(out) << out.error().str();
    EXPECT_EQ(out->tokens, expectedGreedy(ids, 7, program.model.vocabulary)) << "prompt " << prompt;
    EXPECT_EQ(rows, prompt + 6);
  }
}

TEST_F(Generate, RowsAreTheValidOnesInOrder) {
  FakeSimulator simulator(program, {}, {});
  Session s = session(simulator);
  std::vector<float> rows;
  std::vector<TokenId> fed{260, 261, 262, 263, 264, 265};
  ASSERT_TRUE(generate(s, {fed, 2, {}, -1},
                       [&](std::span<const float> r) { rows.insert(rows.end(), r.begin(), r.end()); }, {}));
  fed.push_back(expectedGreedy(fed, 1, program.model.vocabulary)[0]);
  std::vector<float> expected;
  for (std::size_t n = 1; n <= fed.size(); ++n) {
    auto row = fakeLogits({fed.begin(), fed.begin() + static_cast<std::ptrdiff_t>(n)}, program.model.vocabulary);
    expected.insert(expected.end(), row.begin(), row.end());
  }
  EXPECT_EQ(rows, expected);
}

TEST_F(Generate, ZeroOnlyFeeds) {
  FakeSimulator simulator(program, {}, {});
  Session s = session(simulator);
  auto out = generate(s, {{259, 260}, 0, {}, 2}, {}, {});
  ASSERT_TRUE(out);
  EXPECT_TRUE(out->tokens.empty());
  EXPECT_FALSE(out->reachesToken);
  EXPECT_EQ(s.records().size(), 1u);
}

TEST_F(Generate, StopsAfterTheStopTokenOnly) {
  FakeBehaviour how{.favourite = 2, .favouriteFrom = 6};
  FakeSimulator simulator(program, {}, how);
  Session s = session(simulator);
  auto out = generate(s, {{259, 260, 261, 262}, 8, {}, 2}, {}, {});
  ASSERT_TRUE(out);
  ASSERT_EQ(out->tokens.size(), 3u); // positions 3, 4 as the model likes; position 5 gives EOS
  EXPECT_EQ(out->tokens.back(), 2);
  EXPECT_EQ(s.records().size(), 3u); // EOS itself is not fed

  FakeSimulator again(program, {}, how);
  Session t = session(again);
  EXPECT_EQ(generate(t, {{259, 260, 261, 262}, 8, {}, -1}, {}, {})->tokens.size(), 8u);
}

TEST_F(Generate, TimingModeTakesTheSameStepsAndSamplesNothing) {
  FakeSimulator values(program, {}, {}), times(program, {sim::Engine::Event, sim::Mode::Timing, ""}, {.favourite = 2});
  Session a = session(values), b = session(times, sim::Mode::Timing);
  ASSERT_TRUE(generate(a, {{259, 260, 261, 262, 263, 264}, 8, {}, -1}, {}, {}));
  auto out = generate(b, {{259, 260, 261, 262, 263, 264}, 8, {}, 2}, {}, [](TokenId) { FAIL(); });
  ASSERT_TRUE(out);
  EXPECT_TRUE(out->tokens.empty());
  EXPECT_TRUE(out->reachesToken);
  ASSERT_EQ(a.records().size(), b.records().size());
  for (std::size_t i = 0; i < a.records().size(); ++i)
    EXPECT_EQ(a.records()[i].step, b.records()[i].step);
}

TEST_F(Generate, AViolationEndsTheRun) {
  FakeSimulator simulator(program, {}, {.violateAtStep = 1});
  Session s = session(simulator);
  auto out = generate(s, {{259, 260, 261, 262}, 8, {}, 2}, {}, {});
  ASSERT_FALSE(out);
  ASSERT_TRUE(s.violation());
  EXPECT_EQ(s.violation()->category, "stream-collision");
  EXPECT_EQ(s.records().size(), 1u);
}

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
  std::vector<TokenId> text;
  for (int i = 0; i < 37; ++i)
    text.push_back(259 + i);
  Likelihood expected; // context 16: windows of 15, 15 and 7
  for (std::size_t at = 0; at < text.size(); at += 15) {
    std::vector<std::int32_t> history{1};
    for (std::size_t i = at; i < std::min<std::size_t>(at + 15, text.size()); ++i) {
      expected.add(fakeLogits(history, program.model.vocabulary), text[i]);
      history.push_back(text[i]);
    }
  }
  int resets = 0;
  FakeSimulator simulator(program, {}, {.resets = &resets});
  Session s = session(simulator);
  std::size_t rows = 0;
  auto value = measurePerplexity(s, 1, text, [&](std::span<const float> r) { rows += r.size() / vocabulary; });
  ASSERT_TRUE(value);
  EXPECT_DOUBLE_EQ(*value, expected.perplexity());
  EXPECT_EQ(resets, 3);
  EXPECT_EQ(rows, text.size());
  EXPECT_EQ(s.records().size(), *countPerplexitySteps(program, text.size()));
}

TEST(PerplexityContext, OfOnePositionIsAnError) {
  isa::Program program = fakeProgram({1}, {});
  EXPECT_FALSE(countPerplexitySteps(program, 3));
}

std::vector<StepRecord> records(std::initializer_list<isa::Cycle> cycles) {
  std::vector<StepRecord> out;
  for (isa::Cycle c : cycles)
    out.push_back({{0, static_cast<std::uint32_t>(out.size()), 1}, c, c});
  return out;
}

// tsp1's clock: 900 cycles are 1 µs.
TEST(Latency, ByHand) {
  isa::Program program = fakeProgram();
  auto steps = records({900, 1800, 2700, 3600});
  Latency l = summarize(steps, 1, program, false);
  EXPECT_DOUBLE_EQ(*l.ttftUs, 3);
  EXPECT_DOUBLE_EQ(*l.tpotUs, 3.5);
  EXPECT_DOUBLE_EQ(*l.tokensPerSecond, 1e6 / 3.5);
}

TEST(Latency, HostAddsTwoTransfersPerStep) {
  isa::Program program = fakeProgram();
  // 10 µs each way; 4 + 4 bytes in, 4 bytes per logit out, at 24 GB/s.
  double host = 20 + (8 + 4.0 * program.model.vocabulary) / 24e3;
  EXPECT_DOUBLE_EQ(hostUs(program, 0), host);
  Latency l = summarize(records({900, 900}), 0, program, true);
  EXPECT_DOUBLE_EQ(*l.ttftUs, 1 + host);
  EXPECT_DOUBLE_EQ(*l.tpotUs, 1 + host);
}

TEST(Latency, UndefinedFiguresAreMissing) {
  isa::Program program = fakeProgram();
  Latency one = summarize(records({900}), 0, program, false);
  EXPECT_TRUE(one.ttftUs);
  EXPECT_FALSE(one.tpotUs || one.tokensPerSecond);
  Latency none = summarize(records({900}), std::nullopt, program, false);
  EXPECT_FALSE(none.ttftUs || none.tpotUs || none.tokensPerSecond);
}

} // namespace
} // namespace lpu::rt
