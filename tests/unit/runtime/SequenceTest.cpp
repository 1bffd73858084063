#include "lpu/rt/Sequence.h"
#include "FakeSimulator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

namespace lpu::rt {
namespace {

using namespace test;

/// A sequence without a chip: rows in which one token is by far the best.
struct SequenceTest : testing::Test {
  isa::Tokenizer vocabulary = text::test::storiesVocabulary();
  std::unique_ptr<text::Tokenizer> tokenizer = std::move(*text::Tokenizer::create(vocabulary));

  std::vector<float> row(TokenId best) const {
    std::vector<float> out(vocabulary.tokens.size(), 0.0f);
    out[static_cast<std::size_t>(best)] = 10;
    return out;
  }
  TokenId byte(unsigned char value) const { return 3 + value; } // llama's byte tokens

  /// Texts that were shown step by step.
  std::vector<std::string> pieces(Sequence &sequence, const std::vector<TokenId> &picks) {
    std::vector<std::string> out;
    for (TokenId pick : picks) {
      const std::vector<float> logits = row(pick);
      const SequenceOutput output = sequence.take(1, logits);
      EXPECT_EQ(output.token, pick);
      out.push_back(output.text);
    }
    return out;
  }
  std::vector<TokenId> letters(std::string_view text) const {
    std::vector<TokenId> out;
    for (char c : text)
      out.push_back(byte(static_cast<unsigned char>(c)));
    return out;
  }
};

TEST_F(SequenceTest, FeedsThePromptAndThenWhatWasPicked) {
  Sequence sequence({{1, 300, 301, 302, 303}, 3, {}, {}, {}}, tokenizer.get());
  auto fed = [&](std::uint32_t count) {
    const Feed feed = sequence.next(count);
    EXPECT_EQ(feed.position, sequence.position());
    return std::vector<TokenId>(feed.tokens.begin(), feed.tokens.end());
  };
  EXPECT_EQ(fed(4), (std::vector<TokenId>{1, 300, 301, 302}));
  std::vector<float> four;
  for (int i = 0; i < 4; ++i)
    for (float value : row(7))
      four.push_back(value);
  EXPECT_FALSE(sequence.take(4, four).token); // the prompt goes on
  EXPECT_EQ(fed(4), std::vector<TokenId>{303});
  sequence.take(1, row(310));
  EXPECT_EQ(fed(1), std::vector<TokenId>{310});
  EXPECT_EQ(sequence.promptSteps(), 2u);
  EXPECT_FALSE(sequence.finished());
  sequence.take(1, row(311));
  sequence.take(1, row(312));
  EXPECT_EQ(sequence.finished(), FinishReason::Length);
  EXPECT_EQ(sequence.steps(), 4u);
  EXPECT_EQ(sequence.tokens().size(), 3u);
}

TEST_F(SequenceTest, CharactersAreShownWhole) {
  Sequence sequence({{1}, 4, {}, {}, {}}, tokenizer.get());
  EXPECT_EQ(pieces(sequence, letters("\u00e9a")), (std::vector<std::string>{"", "\u00e9", "a"}));
  EXPECT_EQ(pieces(sequence, {byte(0xC3)}), std::vector<std::string>{"\uFFFD"}); // the end: nothing completes it
  EXPECT_EQ(sequence.text(), "\u00e9a\uFFFD");
}

TEST_F(SequenceTest, StopTextsAcrossTokensAreNotShown) {
  Sequence sequence({{1}, 9, {}, {}, {"end."}}, tokenizer.get());
  EXPECT_EQ(pieces(sequence, letters("an end.")), (std::vector<std::string>{"a", "n", " ", "", "", "", ""}));
  EXPECT_EQ(sequence.finished(), FinishReason::StopText);
  EXPECT_EQ(sequence.text(), "an ");
  EXPECT_EQ(sequence.tokens().size(), 7u); // what was picked stays on record
}

TEST_F(SequenceTest, WhatWasHeldBackIsShownAtTheEnd) {
  Sequence byLength({{1}, 2, {}, {}, {"end."}}, tokenizer.get());
  EXPECT_EQ(pieces(byLength, letters("en")), (std::vector<std::string>{"", "en"}));
  EXPECT_EQ(byLength.finished(), FinishReason::Length);
  Sequence byToken({{1}, 9, {}, {2}, {"end."}}, tokenizer.get());
  EXPECT_EQ(pieces(byToken, {byte('e'), 2}), (std::vector<std::string>{"", "e"}));
  EXPECT_EQ(byToken.finished(), FinishReason::EndToken);
}

TEST_F(SequenceTest, EndTokensWithATextAreNotShown) {
  Sequence sequence({{1}, 9, {}, {byte('!')}, {}}, tokenizer.get());
  EXPECT_EQ(pieces(sequence, letters("a!")), (std::vector<std::string>{"a", ""}));
  EXPECT_EQ(sequence.finished(), FinishReason::EndToken);
}

TEST_F(SequenceTest, CancelledWhereItIs) {
  Sequence sequence({{1}, 9, {}, {}, {}}, tokenizer.get());
  pieces(sequence, letters("ab"));
  sequence.cancel();
  EXPECT_EQ(sequence.finished(), FinishReason::Cancelled);
  EXPECT_EQ(sequence.text(), "ab");
  Sequence ended({{1}, 1, {}, {}, {}}, tokenizer.get());
  pieces(ended, letters("a"));
  ended.cancel();
  EXPECT_EQ(ended.finished(), FinishReason::Length);
}

TEST_F(SequenceTest, ThePenaltySeesPromptAndTokens) {
  std::vector<float> logits(vocabulary.tokens.size(), 0.0f);
  logits[5] = 3, logits[6] = 2.9f, logits[7] = 2.8f;
  Sequence sequence({{5}, 3, {.repeatPenalty = 2}, {}, {}}, tokenizer.get());
  EXPECT_EQ(sequence.take(1, logits).token, 6);
  EXPECT_EQ(sequence.take(1, logits).token, 7);
  EXPECT_EQ(sequence.take(1, logits).token, 5); // all three are halved now
}

// By hand, with Python's hashlib and struct: see docs/spec/reports.md.
TEST_F(SequenceTest, DigestByHand) {
  RequestDigest digest;
  const std::vector<float> rows{0.0f, 1.0f, -2.5f, 0.125f};
  digest.addRows(rows);
  EXPECT_EQ(digest.hex(std::vector<TokenId>{1, 2}, std::vector<TokenId>{1}),
            "ff0a54e629fd69b4d423c602d41f5bc7ca921026d65f4bdb5534b1d4aa3bd550");
  RequestDigest parts;
  for (float value : rows)
    parts.addRows(std::span(&value, 1));
  EXPECT_EQ(parts.hex(std::vector<TokenId>{1, 2}, std::vector<TokenId>{1}),
            digest.hex(std::vector<TokenId>{1, 2}, std::vector<TokenId>{1}));
  EXPECT_NE(parts.hex(std::vector<TokenId>{1}, std::vector<TokenId>{2, 1}),
            digest.hex(std::vector<TokenId>{1, 2}, std::vector<TokenId>{1}));
}

/// Users of a batch: each has a cache of its own.
class BatchSimulator final : public sim::Simulator {
public:
  explicit BatchSimulator(const isa::Program &program) : program(program), caches(program.steps[0].users) {}
  void writeInput(std::size_t, std::string_view name, std::span<const std::uint8_t> data) override {
    auto &to = name == "token" ? tokens : positions;
    to.resize(data.size() / 4);
    std::memcpy(to.data(), data.data(), data.size());
  }
  sim::StepResult run(std::size_t step) override {
    logits.clear();
    for (std::size_t user = 0; user < caches.size(); ++user) {
      const auto at = static_cast<std::size_t>(positions.at(user));
      caches[user].resize(std::max(caches[user].size(), at + 1));
      caches[user][at] = tokens.at(user);
      const auto row = fakeLogits({caches[user].begin(), caches[user].begin() + static_cast<std::ptrdiff_t>(at) + 1},
                                  program.model.vocabulary);
      logits.insert(logits.end(), row.begin(), row.end());
    }
    return {program.steps[step].predictedCycles, 10, {program.steps[step].predictedCycles}, {}, {}};
  }
  std::vector<std::uint8_t> readOutput(std::size_t, std::string_view) const override {
    std::vector<std::uint8_t> out(logits.size() * 4);
    std::memcpy(out.data(), logits.data(), out.size());
    return out;
  }
  void clearState() override {}
  std::array<std::uint8_t, 32> memorySha256() const override { return {}; }
  std::vector<std::uint8_t> peek(std::size_t, isa::Side, int, int, int) const override { return {}; }

private:
  const isa::Program &program;
  std::vector<std::vector<std::int32_t>> caches;
  std::vector<std::int32_t> tokens, positions;
  std::vector<float> logits;
};

TEST(RunStep, UsersJoinAndLeaveAtAnyStepWithTheTokensOfARunAlone) {
  isa::Program program = fakeProgram({16}, {});
  program.steps[0].users = 3;
  BatchSimulator simulator(program);
  Session session(program, simulator, sim::Mode::Functional);
  const std::vector<std::vector<TokenId>> prompts{{300, 301, 302}, {310}, {320, 321}, {330, 331, 332, 333}};
  std::vector<Sequence> sequences;
  for (const auto &prompt : prompts)
    sequences.emplace_back(GenerateRequest{prompt, 5, {}, {}, {}}, nullptr);
  std::vector<Sequence *> slots(3, nullptr);
  std::size_t waiting = 0, steps = 0;
  while (std::ranges::any_of(sequences, [](const Sequence &s) { return !s.finished(); })) {
    if (steps++ % 2 == 0 && waiting < sequences.size()) // someone comes every other step, into the first free slot
      if (auto slot = std::ranges::find_if(slots, [](Sequence *s) { return !s || s->finished(); }); slot != slots.end())
        *slot = &sequences[waiting++];
    ASSERT_TRUE(runStep(session, 0, slots));
  }
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const auto tokens = sequences[i].tokens();
    EXPECT_EQ(std::vector<TokenId>(tokens.begin(), tokens.end()),
              expectedGreedy(prompts[i], 5, program.model.vocabulary));
    EXPECT_EQ(sequences[i].steps(), prompts[i].size() + 4);
  }
  EXPECT_EQ(session.records().size(), steps);
  EXPECT_EQ(session.records()[1].step.users, 1u);
  session.forgetRecords();
  EXPECT_TRUE(session.records().empty());
}

} // namespace
} // namespace lpu::rt
