#include "lpu/rt/Generate.h"
#include "FakeSimulator.h"
#include "lpu/rt/LatencyReport.h"

#include <gtest/gtest.h>

namespace lpu::rt {
namespace {

using namespace test;

struct Generate : testing::Test {
  isa::Program program = fakeProgram();
  std::size_t vocabulary = program.model.vocabulary;

  /// One sequence, run to its end. `simulator` keeps what was fed.
  Result<Sequence> run(Session &session, GenerateRequest request, const OutputSink &output = {}) {
    auto plan = planRequests(program, std::span(&request, 1));
    if (!plan)
      return plan.error();
    Sequence sequence(std::move(request), nullptr);
    if (Status status = generate(session, *plan, std::span(&sequence, 1), output); !status)
      return status.error();
    return sequence;
  }
};

std::vector<TokenId> list(std::span<const TokenId> ids) { return {ids.begin(), ids.end()}; }

TEST_F(Generate, TokensFollowTheModelThroughPaddingAndBuckets) {
  for (std::size_t prompt = 1; prompt <= 9; ++prompt) {
    FakeSimulator simulator(program, {}, {});
    Session session(program, simulator, sim::Mode::Functional);
    std::vector<TokenId> ids;
    for (std::size_t i = 0; i < prompt; ++i)
      ids.push_back(static_cast<TokenId>(300 + i));
    std::size_t rows = 0;
    auto out = run(session, {ids, 7, {}, {}, {}},
                   [&](std::size_t, const SequenceOutput &o) { rows += o.rows.size() / vocabulary; });
    ASSERT_TRUE(out) << out.error().str();
    EXPECT_EQ(list(out->tokens()), expectedGreedy(ids, 7, program.model.vocabulary)) << "prompt " << prompt;
    EXPECT_EQ(rows, prompt + 6);
    EXPECT_EQ(out->steps(), session.records().size());
    EXPECT_EQ(out->promptSteps(), planSteps(program, prompt, 0)->steps.size());
    EXPECT_EQ(out->finished(), FinishReason::Length);
  }
}

TEST_F(Generate, RowsAreTheValidOnesInOrder) {
  FakeSimulator simulator(program, {}, {});
  Session session(program, simulator, sim::Mode::Functional);
  std::vector<float> rows;
  std::vector<TokenId> fed{260, 261, 262, 263, 264, 265};
  ASSERT_TRUE(run(session, {fed, 2, {}, {}, {}}, [&](std::size_t, const SequenceOutput &o) {
    rows.insert(rows.end(), o.rows.begin(), o.rows.end());
  }));
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
  Session session(program, simulator, sim::Mode::Functional);
  auto out = run(session, {{259, 260}, 0, {}, {2}, {}});
  ASSERT_TRUE(out);
  EXPECT_TRUE(out->tokens().empty());
  EXPECT_EQ(out->finished(), FinishReason::Length);
  EXPECT_EQ(session.records().size(), 1u);
}

TEST_F(Generate, EveryEndTokenEndsItAndIsNotFed) {
  FakeBehaviour how{.favourite = 2, .favouriteFrom = 6};
  for (std::vector<TokenId> ends : {std::vector<TokenId>{2}, {7, 2}, {2, 400}}) {
    FakeSimulator simulator(program, {}, how);
    Session session(program, simulator, sim::Mode::Functional);
    auto out = run(session, {{259, 260, 261, 262}, 8, {}, ends, {}});
    ASSERT_TRUE(out);
    ASSERT_EQ(out->tokens().size(), 3u); // positions 3, 4 as the model likes; position 5 gives the end token
    EXPECT_EQ(out->tokens().back(), 2);
    EXPECT_EQ(out->finished(), FinishReason::EndToken);
    EXPECT_EQ(session.records().size(), 3u);
  }
  for (std::vector<TokenId> others : {std::vector<TokenId>{}, {7}}) {
    FakeSimulator simulator(program, {}, how);
    Session session(program, simulator, sim::Mode::Functional);
    auto out = run(session, {{259, 260, 261, 262}, 8, {}, others, {}});
    EXPECT_EQ(out->tokens().size(), 8u);
    EXPECT_EQ(out->finished(), FinishReason::Length);
  }
}

TEST_F(Generate, TimingModeTakesTheSameStepsAndSamplesNothing) {
  FakeSimulator values(program, {}, {}), times(program, {sim::Engine::Event, sim::Mode::Timing, ""}, {.favourite = 2});
  Session a(program, values, sim::Mode::Functional), b(program, times, sim::Mode::Timing);
  ASSERT_TRUE(run(a, {{259, 260, 261, 262, 263, 264}, 8, {}, {}, {}}));
  auto out = run(b, {{259, 260, 261, 262, 263, 264}, 8, {}, {2}, {}},
                 [](std::size_t, const SequenceOutput &o) { EXPECT_FALSE(o.token); });
  ASSERT_TRUE(out);
  EXPECT_TRUE(out->tokens().empty());
  EXPECT_FALSE(out->digest());
  EXPECT_EQ(out->finished(), FinishReason::Length);
  ASSERT_EQ(a.records().size(), b.records().size());
  for (std::size_t i = 0; i < a.records().size(); ++i)
    EXPECT_EQ(a.records()[i].step, b.records()[i].step);
}

TEST_F(Generate, AViolationEndsTheRun) {
  FakeSimulator simulator(program, {}, {.violateAtStep = 1});
  Session session(program, simulator, sim::Mode::Functional);
  auto out = run(session, {{259, 260, 261, 262}, 8, {}, {2}, {}});
  ASSERT_FALSE(out);
  ASSERT_TRUE(session.violation());
  EXPECT_EQ(session.violation()->category, "stream-collision");
  EXPECT_EQ(session.records().size(), 1u);
}

TEST_F(Generate, MoreRequestsThanUsersAreAnError) {
  std::vector<GenerateRequest> two(2, {{259}, 1, {}, {}, {}});
  auto plan = planRequests(program, two);
  ASSERT_FALSE(plan);
  EXPECT_NE(plan.error().message.find("--batch=2"), std::string::npos);
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
