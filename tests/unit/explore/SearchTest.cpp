// Points that searches ask for: distinct, within the budget, the same for the same seed.
#include "TestStudy.h"

#include "lpu/explore/Search.h"

#include <gmock/gmock.h>

#include <cmath>
#include <set>

namespace lpu::explore {
namespace {

constexpr const char *kAxes = "parameters:\n"
                              "  lanes.superlanes: {from: 1, to: 8, step: 1}\n"
                              "  latency.mem_read: {from: 1, to: 6, step: 1}\n"
                              "  latency.mxm_play: {from: 10, to: 50, step: 10}\n";

/// Two objectives against each other, with an interaction. What was not chosen is 1.
Score scoreOf(const Values &values) {
  const auto value = [&](const char *key) { return values.contains(key) ? std::stod(values.at(key)) : 1; };
  const double a = value("lanes.superlanes"), b = value("latency.mem_read"), c = value("latency.mxm_play");
  return {(b + 0.1 * c) / a + 0.02 * b * c, a * a + 10 / b + 40 / c};
}

struct Asked {
  std::vector<Values> asked;
  std::vector<Score> scores;
  bool isComplete = false;
};

Asked runOf(const std::string &method, std::size_t stopAfter = 1 << 20) {
  const Study study = goodStudy(std::string(kAxes) + "search: " + method + "\n");
  Asked run;
  run.isComplete = search(
      study,
      [&](const std::vector<Values> &batch, Fidelity) -> std::optional<std::vector<Score>> {
        std::vector<Score> scores;
        for (const Values &values : batch) {
          run.asked.push_back(values);
          scores.push_back(scoreOf(values));
        }
        run.scores.insert(run.scores.end(), scores.begin(), scores.end());
        return run.asked.size() >= stopAfter ? std::nullopt : std::optional(scores);
      },
      [](const Values &, const std::string &) {});
  return run;
}

TEST(Search, AGridIsAllPointsInOrder) {
  const Asked run = runOf("grid");
  ASSERT_EQ(run.asked.size(), 240u);
  EXPECT_EQ(run.asked[0].at("latency.mxm_play"), "10");
  EXPECT_EQ(run.asked[1].at("latency.mxm_play"), "20"); // the last parameter runs fastest
  EXPECT_EQ(std::set(run.asked.begin(), run.asked.end()).size(), 240u);
}

TEST(Search, SamplesAreDistinctAndRepeatable) {
  for (const std::string method : {"random", "sobol", "nsga2"}) {
    const auto search = [&](int seed) {
      return runOf("{method: " + method + ", budget: 50, seed: " + std::to_string(seed) + "}").asked;
    };
    const std::vector<Values> points = search(1);
    EXPECT_EQ(points.size(), 50u) << method;
    EXPECT_EQ(std::set(points.begin(), points.end()).size(), 50u) << method;
    EXPECT_EQ(search(1), points) << method;
    EXPECT_NE(search(2), points) << method;
    // A budget beyond the grid is the grid.
    EXPECT_EQ(runOf("{method: " + method + ", budget: 1000}").asked.size(), 240u) << method;
  }
}

TEST(Search, OneAtATimeLeavesOthersAtTheBase) {
  const Asked run = runOf("oat");
  EXPECT_EQ(run.asked.size(), 1u + 8 + 6 + 5);
  EXPECT_TRUE(run.asked.front().empty());
  for (std::size_t i = 1; i < run.asked.size(); ++i)
    EXPECT_EQ(run.asked[i].size(), 1u);
}

TEST(Search, MorrisMovesOneParameterAStep) {
  const Asked run = runOf("{method: morris, budget: 40}");
  ASSERT_EQ(run.asked.size(), 40u); // ten trajectories of four points
  for (std::size_t i = 0; i < run.asked.size(); ++i) {
    if (i % 4 == 0)
      continue;
    int moved = 0;
    for (const auto &[key, value] : run.asked[i])
      moved += value != run.asked[i - 1].at(key);
    EXPECT_EQ(moved, 1);
  }
}

TEST(Search, HalvingSchedulesTheBestThirdByBounds) {
  const Study study = goodStudy(std::string(kAxes) + "search: {method: halving, budget: 30}\n");
  std::vector<Values> bounded, scheduled, screened;
  EXPECT_TRUE(search(
      study,
      [&](const std::vector<Values> &batch, Fidelity fidelity) {
        std::vector<Score> scores;
        for (const Values &values : batch)
          scores.push_back(scoreOf(values));
        (fidelity == Fidelity::Bounds ? bounded : scheduled) = batch;
        return std::optional(scores);
      },
      [&](const Values &values, const std::string &reason) {
        EXPECT_THAT(reason, testing::HasSubstr("of 30 by bounds, 10 go on"));
        screened.push_back(values);
      }));
  EXPECT_EQ(bounded.size(), 30u);
  EXPECT_EQ(scheduled.size(), 10u);
  EXPECT_EQ(screened.size(), 20u);
  for (const Values &left : screened)
    for (const Values &taken : scheduled)
      EXPECT_FALSE(dominates(scoreOf(left), scoreOf(taken)));
}

TEST(Search, StopsWhenItIsTold) {
  EXPECT_FALSE(runOf("{method: nsga2, budget: 200, population: 16}", 40).isComplete);
  EXPECT_LT(runOf("{method: nsga2, budget: 200, population: 16}", 40).asked.size(), 60u);
}

TEST(Search, Nsga2BeatsRandomAtEqualEvaluations) {
  const Asked all = runOf("grid");
  const double truth = hypervolume(all.scores, all.scores);
  std::vector<double> evolved, random;
  for (int seed = 1; seed <= 11; ++seed) {
    const std::string rest = ", budget: 72, seed: " + std::to_string(seed) + "}";
    evolved.push_back(hypervolume(runOf("{method: nsga2" + rest).scores, all.scores) / truth);
    random.push_back(hypervolume(runOf("{method: random" + rest).scores, all.scores) / truth);
  }
  std::ranges::sort(evolved);
  std::ranges::sort(random);
  EXPECT_GT(evolved[5], random[5]);
  EXPECT_GT(evolved[5], 0.995);
}

TEST(Search, Nsga2FindsTheFrontierOfAProduct) {
  // Objectives that are products of factors: the model is right, and few points show it.
  const Study study = goodStudy(std::string(kAxes) + "search: {method: nsga2, budget: 60}\n");
  const auto scoreAt = [](const Values &values) {
    const double a = std::stod(values.at("lanes.superlanes")), b = std::stod(values.at("latency.mem_read")),
                 c = std::stod(values.at("latency.mxm_play"));
    return Score{b * c / a, a * a * c};
  };
  std::vector<Score> found, all;
  EXPECT_TRUE(search(
      study,
      [&](const std::vector<Values> &batch, Fidelity) {
        std::vector<Score> scores;
        for (const Values &values : batch)
          scores.push_back(scoreAt(values));
        found.insert(found.end(), scores.begin(), scores.end());
        return std::optional(scores);
      },
      [](const Values &, const std::string &) {}));
  EXPECT_EQ(found.size(), 60u);
  for (const double a : {1, 2, 3, 4, 5, 6, 7, 8}) // the frontier: the shortest delays, any number of superlanes
    EXPECT_THAT(found, testing::Contains(Score{10 / a, a * a * 10})) << a;
}

TEST(Search, Nsga2GoesOnWherePointsHaveNoScore) {
  const Study study = goodStudy(std::string(kAxes) + "search: {method: nsga2, budget: 240}\n");
  std::set<Values> asked;
  EXPECT_TRUE(search(
      study,
      [&](const std::vector<Values> &batch, Fidelity) {
        asked.insert(batch.begin(), batch.end());
        return std::optional(std::vector<Score>(batch.size()));
      },
      [](const Values &, const std::string &) {}));
  EXPECT_EQ(asked.size(), 240u);
}

TEST(Frontier, KeepsWhatNothingDominates) {
  EXPECT_THAT(frontier({{1, 3}, {2, 2}, {}, {3, 1}, {3, 3}, {2, 2}}), testing::ElementsAre(0, 1, 3, 5));
  EXPECT_TRUE(dominates({1, 2}, {1, 3}));
  EXPECT_FALSE(dominates({1, 3}, {1, 3}));
  EXPECT_FALSE(dominates({1, 3}, {2, 2}));
}

TEST(Frontier, HypervolumeByHand) {
  // Scaled: (0, 1) and (1, 0) alone span nothing; (0.5, 0.5) spans a quarter.
  EXPECT_NEAR(hypervolume({{0, 4}, {2, 0}}, {{0, 4}, {2, 0}}), 0, 1e-12);
  EXPECT_NEAR(hypervolume({{0, 4}, {1, 2}, {2, 0}}, {{0, 4}, {1, 2}, {2, 0}}), 0.25, 1e-12);
  EXPECT_NEAR(hypervolume({{0, 0}}, {{0, 0}, {2, 4}, {}}), 1, 1e-12);
  EXPECT_NEAR(hypervolume({{1}}, {{0}, {4}}), 0.75, 1e-12);
  EXPECT_EQ(hypervolume({}, {{1, 2}}), 0);
}

} // namespace
} // namespace lpu::explore
