#include "lpu/rt/Sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>

namespace lpu::rt {
namespace {

const float kInf = std::numeric_limits<float>::infinity(), kNan = std::numeric_limits<float>::quiet_NaN();

std::vector<TokenId> ids(const std::vector<Probability> &distribution) {
  std::vector<TokenId> out;
  for (const Probability &p : distribution)
    out.push_back(p.id);
  return out;
}

TEST(Sampler, GreedyTakesTheLowestIdAmongEquals) {
  EXPECT_EQ(greedy(std::vector<float>{1, 3, 3, 2}), 1);
  EXPECT_EQ(greedy(std::vector<float>{-0.0f, 0.0f}), 0);
  EXPECT_EQ(greedy(std::vector<float>{kNan, -5, kNan, -4}), 3);
  EXPECT_EQ(greedy(std::vector<float>{kNan, kNan}), 0);
  EXPECT_EQ(greedy(std::vector<float>{-kInf, -kInf}), 0);
  EXPECT_EQ(greedy(std::vector<float>{7}), 0);
}

TEST(Sampler, TemperatureZeroIsGreedyWhateverTheRest) {
  Sampler sampler({.temperature = 0, .topK = 5, .topP = 0.1f, .seed = 9});
  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(sampler.sample(std::vector<float>{0, 1, 5, 4.99f}), 2);
}

TEST(Sampler, DistributionIsTheSoftmaxOfScaledLogits) {
  std::vector<float> logits{0, std::log(2.0f), std::log(5.0f)};
  auto d = Sampler({.temperature = 1}).distribution(logits);
  ASSERT_EQ(ids(d), (std::vector<TokenId>{2, 1, 0}));
  EXPECT_NEAR(d[0].value, 5.0 / 8, 1e-6);
  EXPECT_NEAR(d[1].value, 2.0 / 8, 1e-6);
  EXPECT_NEAR(d[2].value, 1.0 / 8, 1e-6);
  auto sharp = Sampler({.temperature = 0.5f}).distribution(logits); // squares: 25, 4, 1
  EXPECT_NEAR(sharp[0].value, 25.0 / 30, 1e-6);
}

TEST(Sampler, TopKKeepsTheBestAndLowestIds) {
  std::vector<float> logits{1, 2, 2, 0, 2};
  EXPECT_EQ(ids(Sampler({.temperature = 1, .topK = 2}).distribution(logits)), (std::vector<TokenId>{1, 2}));
  EXPECT_EQ(Sampler({.temperature = 1, .topK = 100}).distribution(logits).size(), 5u);
  EXPECT_EQ(Sampler({.temperature = 1, .topK = 1}).distribution(logits)[0].value, 1.0);
}

TEST(Sampler, TopPKeepsTheFewestThatCoverP) {
  std::vector<float> logits{std::log(5.0f), std::log(3.0f), std::log(2.0f)};
  auto kept = [&](float p) { return Sampler({.temperature = 1, .topP = p}).distribution(logits).size(); };
  EXPECT_EQ(kept(1e-6f), 1u); // never none
  EXPECT_EQ(kept(0.49f), 1u);
  EXPECT_EQ(kept(0.51f), 2u);
  EXPECT_EQ(kept(0.81f), 3u);
  EXPECT_EQ(kept(1), 3u);
  auto d = Sampler({.temperature = 1, .topP = 0.7f}).distribution(logits);
  EXPECT_NEAR(d[0].value, 5.0 / 8, 1e-6); // what is left sums to 1 again
}

TEST(Sampler, TopKCutsBeforeTopP) {
  std::vector<float> logits{std::log(4.0f), std::log(4.0f), std::log(2.0f)};
  // Of the two kept, the first covers a half: top-p 0.5 is one token; of all three it would take two.
  EXPECT_EQ(Sampler({.temperature = 1, .topK = 2, .topP = 0.5f}).distribution(logits).size(), 1u);
  EXPECT_EQ(Sampler({.temperature = 1, .topP = 0.5f}).distribution(logits).size(), 2u);
}

TEST(Sampler, MinPKeepsThoseNearTheBest) {
  std::vector<float> logits{std::log(10.0f), std::log(5.0f), std::log(2.0f), std::log(1.0f)};
  auto kept = [&](SamplerOptions options) { return Sampler(options).distribution(logits); };
  EXPECT_EQ(kept({.temperature = 1, .minP = 0.19f}).size(), 3u);
  EXPECT_EQ(kept({.temperature = 1, .minP = 0.21f}).size(), 2u);
  EXPECT_EQ(kept({.temperature = 1, .minP = 1}).size(), 1u);
  EXPECT_EQ(kept({.temperature = 1, .minP = 0}).size(), 4u);
  EXPECT_NEAR(kept({.temperature = 1, .minP = 0.21f})[0].value, 10.0 / 15, 1e-6); // sums to 1 again
  EXPECT_EQ(kept({.temperature = 1, .topP = 0.5f, .minP = 0.01f}).size(), 1u);    // behind top-p
  EXPECT_EQ(kept({.temperature = 2, .minP = 0.4f}).size(), 3u);                   // of the scaled logits: √0.2 > 0.4
}

TEST(Sampler, ThePenaltyDividesWhatIsPositiveAndMultipliesTheRest) {
  std::vector<float> logits{4, -1, 3, -2};
  Sampler sampler({.temperature = 1, .repeatPenalty = 2});
  const std::vector<TokenId> seen{0, 1, 0, 1}; // more than once counts once
  auto penalized = sampler.distribution(logits, seen);
  auto byHand = Sampler({.temperature = 1}).distribution(std::vector<float>{2, -2, 3, -2});
  ASSERT_EQ(ids(penalized), ids(byHand));
  for (std::size_t i = 0; i < byHand.size(); ++i)
    EXPECT_EQ(penalized[i].value, byHand[i].value);
}

TEST(Sampler, ThePenaltyIsGreedysToo) {
  std::vector<float> logits{4, 3.9f, 1};
  Sampler sampler({.repeatPenalty = 1.1f});
  EXPECT_EQ(sampler.sample(logits), 0);
  EXPECT_EQ(sampler.sample(logits, std::vector<TokenId>{0}), 1);
  EXPECT_EQ(Sampler({.repeatPenalty = 1}).sample(logits, std::vector<TokenId>{0}), 0);
  EXPECT_EQ(sampler.sample(logits, std::vector<TokenId>{-1, 99}), 0); // no tokens of these logits
}

TEST(Sampler, ThePenaltyLooksAtTheLastTokensAlone) {
  std::vector<float> logits{4, 3.9f, 1};
  const std::vector<TokenId> history{0, 1, 2};
  EXPECT_EQ(Sampler({.repeatPenalty = 8, .repeatLastN = 1}).sample(logits, history), 0);
  EXPECT_EQ(Sampler({.repeatPenalty = 8, .repeatLastN = 2}).sample(logits, history), 0);
  EXPECT_EQ(Sampler({.repeatPenalty = 8, .repeatLastN = 3}).sample(logits, history), 0); // all alike: 0.5, 0.49, 0.13
  EXPECT_EQ(Sampler({.repeatPenalty = 8, .repeatLastN = 2}).sample(logits, std::vector<TokenId>{1, 2, 0, 2}), 1);
  EXPECT_EQ(Sampler({.repeatPenalty = 8, .repeatLastN = 0}).sample(logits, std::vector<TokenId>{0}), 0);
}

TEST(Sampler, FrequenciesFollowTheDistribution) {
  std::vector<float> logits{std::log(1.0f), std::log(2.0f), std::log(7.0f)};
  Sampler sampler({.temperature = 1, .seed = 42});
  std::map<TokenId, int> seen;
  constexpr int kDraws = 20000;
  for (int i = 0; i < kDraws; ++i)
    ++seen[sampler.sample(logits)];
  // Five standard deviations of a binomial are below 0.018.
  EXPECT_NEAR(seen[0] / double(kDraws), 0.1, 0.018);
  EXPECT_NEAR(seen[1] / double(kDraws), 0.2, 0.018);
  EXPECT_NEAR(seen[2] / double(kDraws), 0.7, 0.018);
}

TEST(Sampler, SeedsRepeatAndDiffer) {
  std::vector<float> logits(64, 0.0f);
  auto draw = [&](std::uint64_t seed) {
    Sampler sampler({.temperature = 1, .seed = seed});
    std::vector<TokenId> out;
    for (int i = 0; i < 32; ++i)
      out.push_back(sampler.sample(logits));
    return out;
  };
  EXPECT_EQ(draw(7), draw(7));
  EXPECT_NE(draw(7), draw(8));
}

TEST(Sampler, NonFiniteLogits) {
  Sampler sampler({.temperature = 1});
  EXPECT_EQ(sampler.sample(std::vector<float>{0, kInf, kInf}), 1);
  EXPECT_EQ(sampler.sample(std::vector<float>{kNan, kNan}), 0);
  for (int i = 0; i < 50; ++i)
    EXPECT_EQ(sampler.sample(std::vector<float>{kNan, 3, -kInf}), 1);
}

// First outputs for seed 0: splitmix64(0) gives the published state words
// e220a8397b1dcdaf, 6e789e6aa1b965f4, 06c45d188009454f, f88bb8a8724c81ec.
TEST(Random, IsXoshiro256StarStarSeededBySplitmix64) {
  Random random(0);
  auto rotl = [](std::uint64_t v, int n) { return (v << n) | (v >> (64 - n)); };
  EXPECT_EQ(random.next(), rotl(0x6e789e6aa1b965f4u * 5, 7) * 9);
  for (int i = 0; i < 1000; ++i) {
    double u = random.uniform();
    EXPECT_TRUE(u >= 0 && u < 1);
  }
}

} // namespace
} // namespace lpu::rt
