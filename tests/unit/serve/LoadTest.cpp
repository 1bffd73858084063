#include "lpu/serve/Load.h"
#include "../runtime/FakeSimulator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>

namespace lpu::serve {
namespace {

using rt::test::fakeProgram;

class Load : public testing::Test {
protected:
  const isa::Program program = fakeProgram();
  const Timing timing{program};

  Workload poisson(double load, const Work &work) const {
    const double seconds =
        static_cast<double>(timing.clock().nanoseconds(timing.tokenEnd(work.prompt, work.maxTokens - 1))) / 1e9;
    return {.rate = load / seconds};
  }
};

Lengths fixed(double prompt, double output) {
  return {Lengths::Law::Fixed, {prompt, prompt, 1, 1}, {output, output, 1, 1}};
}

/// Pollaczek and Khinchine: with Poisson arrivals and equal service times s, the mean wait is ρ / (2 (1 − ρ)) · s.
TEST_F(Load, WaitsAreThoseOfQueueingTheory) {
  const Work work{4, 3};
  const double service = static_cast<double>(timing.tokenEnd(4, 2));
  for (const double load : {0.3, 0.5, 0.7}) {
    constexpr std::size_t kRequests = 60000, kBatches = 30;
    const std::vector<Served> served =
        study(timing, generate(poisson(load, work), fixed(4, 3), kRequests, 7), {.systems = 1});
    // Waits depend on each other: means of long batches hardly do.
    std::vector<double> means(kBatches, 0);
    for (std::size_t i = 0; i < served.size(); ++i)
      means[i * kBatches / served.size()] += static_cast<double>(served[i].start - served[i].arrival);
    double mean = 0, square = 0;
    for (double &batch : means)
      batch /= static_cast<double>(kRequests) / kBatches, mean += batch / kBatches;
    for (const double batch : means)
      square += (batch - mean) * (batch - mean) / (kBatches - 1);
    const double sigma = std::sqrt(square / kBatches);
    EXPECT_NEAR(mean, load / (2 * (1 - load)) * service, 3 * sigma) << load;
  }
}

TEST_F(Load, TheSameSeedIsTheSameWorkload) {
  const Lengths lengths = *parseLengths("azure-conv");
  const auto a = generate({.rate = 10}, lengths, 100, 3), b = generate({.rate = 10}, lengths, 100, 3),
             c = generate({.rate = 10}, lengths, 100, 4);
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].ns, b[i].ns);
    EXPECT_EQ(a[i].work.prompt, b[i].work.prompt);
  }
  EXPECT_NE(a[5].ns, c[5].ns);
}

TEST_F(Load, LawsHaveTheirMeansAndSpreads) {
  constexpr std::size_t kMany = 40000;
  for (const double shape : {0.25, 1.0, 4.0}) {
    const auto arrivals =
        generate({.law = Workload::Law::Gamma, .rate = 100, .burstiness = shape}, fixed(1, 1), kMany, 1);
    double mean = 0, square = 0, before = 0;
    for (const Arrival &arrival : arrivals) {
      const double gap = (static_cast<double>(arrival.ns) - before) / 1e9;
      before = static_cast<double>(arrival.ns);
      mean += gap / kMany, square += gap * gap / kMany;
    }
    EXPECT_NEAR(mean * 100, 1, 0.05);
    EXPECT_NEAR(std::sqrt(square - mean * mean) / mean, 1 / std::sqrt(shape), 0.1 / std::sqrt(shape));
  }
  const auto drawn = generate({.rate = 1}, *parseLengths("azure-conv"), kMany, 2);
  double prompt = 0, output = 0;
  for (const Arrival &arrival : drawn)
    prompt += static_cast<double>(arrival.work.prompt) / kMany,
        output += static_cast<double>(arrival.work.maxTokens) / kMany;
  EXPECT_NEAR(prompt, 1155, 30); // the means they were fitted to
  EXPECT_NEAR(output, 211, 10);
}

TEST_F(Load, MoreSystemsWaitLessAndTheSearchFindsTheFewest) {
  const Work work{4, 3};
  const auto arrivals = generate(poisson(3.5, work), fixed(4, 3), 2000, 1);
  const Objective objective{
      .ttftNs = timing.clock().nanoseconds(2 * timing.tokenEnd(4, 2)), .tpotNs = {}, .share = 0.95};
  const auto fewest = fewestSystems(timing, arrivals, {}, objective, 64);
  ASSERT_TRUE(fewest);
  auto attained = [&](unsigned systems) {
    return figuresOf(timing, study(timing, arrivals, {.systems = systems}), systems, objective).attained;
  };
  EXPECT_GE(attained(*fewest), 0.95);
  ASSERT_GT(*fewest, 1u);
  EXPECT_LT(attained(*fewest - 1), 0.95);
  EXPECT_FALSE(fewestSystems(timing, arrivals, {}, {.ttftNs = 1, .tpotNs = {}}, 64));
}

TEST_F(Load, RefusedRequestsCountAsMissed) {
  const auto arrivals = generate(poisson(3, {4, 3}), fixed(4, 3), 500, 1);
  const std::vector<Served> served = study(timing, arrivals, {.systems = 1, .rules = {.queue = 1, .maxWait = {}}});
  const Figures figures = figuresOf(timing, served, 1, {});
  EXPECT_GT(figures.refused, 100u);
  EXPECT_DOUBLE_EQ(figures.attained, 1 - static_cast<double>(figures.refused) / 500);
  for (const Served &one : served)
    EXPECT_TRUE(one.refused || one.start - one.arrival <= 2 * timing.tokenEnd(4, 2));
}

TEST_F(Load, UsersWhoWaitForAnswersAreNeverMoreThanTheyAre) {
  const std::vector<Served> served = studyClosed(timing, 3, std::vector<Work>(50, Work{4, 3}), {.systems = 2});
  for (const Served &one : served) {
    const auto together = std::ranges::count_if(
        served, [&](const Served &other) { return other.arrival <= one.arrival && other.end > one.arrival; });
    EXPECT_LE(together, 3);
  }
  EXPECT_NEAR(figuresOf(timing, served, 2, {}).utilization, 1, 0.05);
}

TEST_F(Load, TracesOfBothKinds) {
  const std::string csv = testing::TempDir() + "/trace.csv", lines = testing::TempDir() + "/trace.jsonl";
  std::ofstream(csv) << "TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:15:46.6805900,374,44\r\n"
                        "2023-11-16 18:15:50.9951690,396,109\r\n";
  std::ofstream(lines) << R"({"timestamp": 0, "input_length": 6755, "output_length": 500, "hash_ids": [0]})"
                       << "\n"
                       << R"({"timestamp": 3000, "input_length": 7319, "output_length": 490})"
                       << "\n";
  const auto azure = readTrace(csv), mooncake = readTrace(lines);
  ASSERT_TRUE(azure && mooncake);
  EXPECT_EQ((*azure)[0].ns, 0);
  EXPECT_NEAR(static_cast<double>((*azure)[1].ns), 4.314579e9, 1e3);
  EXPECT_EQ((*azure)[1].work.maxTokens, 109u);
  EXPECT_EQ((*mooncake)[1].ns, 3'000'000'000);
  EXPECT_EQ((*mooncake)[1].work.prompt, 7319u);
  std::ofstream(csv) << "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,374\n";
  EXPECT_EQ(readTrace(csv).error().place, csv + ":2");
}

TEST(LoadWords, AreReadToTheirEnds) {
  for (const char *good : {"poisson:3", "gamma:3:0.25", "closed:8", "trace:a.csv", "trace:a.csv:x40"})
    EXPECT_TRUE(parseWorkload(good)) << good;
  for (const char *bad :
       {"", "poisson", "poisson:0", "poisson:x", "poisson:1:2", "gamma:1", "closed:1.5", "trace:", "trace:a:40"})
    EXPECT_FALSE(parseWorkload(bad)) << bad;
  for (const char *good : {"32:64", "1-8:2-4", "sharegpt"})
    EXPECT_TRUE(parseLengths(good)) << good;
  for (const char *bad : {"", "32", "0:1", "8-1:2", "1:2:3", "1.5:2", "azure"})
    EXPECT_FALSE(parseLengths(bad)) << bad;
  const auto objective = parseObjective("ttft:200ms,tpot:50us,share:0.9");
  ASSERT_TRUE(objective);
  EXPECT_EQ(objective->ttftNs, 200'000'000);
  EXPECT_EQ(objective->tpotNs, 50'000);
  EXPECT_FALSE(parseObjective("ttft:200"));
  EXPECT_FALSE(parseObjective("share:2"));
}

} // namespace
} // namespace lpu::serve
