// Costs of points from what was measured: sums over workloads, bounds, constraints.
#include "TestStudy.h"

#include "lpu/explore/Costs.h"

#include <gmock/gmock.h>

namespace lpu::explore {
namespace {

Measured measured(isa::Cycle cycles, std::uint64_t chips = 1) {
  Measured m;
  m.kind = "decode", m.step = "decode_64", m.context = 64;
  m.cycles = cycles, m.interval = cycles / 2, m.boundCycles = cycles / 4, m.intervalBound = cycles / 8;
  m.chips = chips, m.ttftUs = 10;
  m.counts[isa::Count::SramReadBytes] = 1000000;
  m.counts[isa::Count::ProductsInt8] = 5000000;
  return m;
}

TEST(Costs, OfOneWorkload) {
  const Study study = goodStudy("");
  const Point point = makePoint(study, {}, "b");
  const Costs costs = *costsOf(study, point, std::vector{measured(9000, 4)});
  EXPECT_EQ(costs.chips, 4u);
  EXPECT_DOUBLE_EQ(costs.tokenUs, 10); // 9000 cycles of 0.9 GHz
  EXPECT_DOUBLE_EQ(costs.tokensPerSecond, 1e5);
  const isa::StepEnergy energy = *isa::energyOf(study.energy, point.machine, measured(9000, 4).use());
  EXPECT_DOUBLE_EQ(costs.jPerToken.typical, energy.alonePerToken.typical);
  EXPECT_DOUBLE_EQ(costs.jPerTokenFull.high, energy.fullPipelinePerToken.high);
  EXPECT_DOUBLE_EQ(costs.watts.typical, energy.fullPipelineWatts.typical / 4);
  EXPECT_EQ(costs.value("j_per_token"), costs.value("j_per_token_typ"));
  EXPECT_LE(*costs.value("j_per_token_low"), *costs.value("j_per_token"));
  EXPECT_FALSE(costs.value("nothing"));
}

TEST(Costs, AddUpWithWeights) {
  const Study study = goodStudy("", "{arch: a.yaml, weight: 0.75}, {arch: b.yaml, weight: 0.25}");
  const Point point = makePoint(study, {}, "b");
  const std::vector jobs = {measured(9000, 2), measured(18000, 8)};
  const Costs costs = *costsOf(study, point, jobs);
  EXPECT_DOUBLE_EQ(costs.cycles, 0.75 * 9000 + 0.25 * 18000);
  EXPECT_DOUBLE_EQ(*costs.ttftUs, 10);
  EXPECT_EQ(costs.chips, 8u);
  const double one = isa::energyOf(study.energy, point.machine, jobs[0].use())->alonePerToken.typical,
               other = isa::energyOf(study.energy, point.machine, jobs[1].use())->alonePerToken.typical;
  EXPECT_DOUBLE_EQ(costs.jPerToken.typical, 0.75 * one + 0.25 * other);
  const std::vector<EnergyShare> parts = *energyShares(study, point, jobs);
  double shares = 0;
  for (const EnergyShare &s : parts)
    shares += s.typical;
  EXPECT_NEAR(shares, costs.jPerToken.typical, 1e-9 * shares);
}

TEST(Costs, OfAnEncoderAreByToken) {
  const Study study = goodStudy("");
  Measured m = measured(9000);
  m.kind = "encode", m.tokens = 100;
  EXPECT_DOUBLE_EQ(costsOf(study, makePoint(study, {}, "b"), std::vector{m})->cycles, 90);
}

TEST(Costs, BoundsAreBelowCosts) {
  const Study study = goodStudy("objectives: [token_us: min, tokens_per_second: max, j_per_token: min, "
                                "j_per_token_full: min, watts: min, area_mm2: min, ttft_us: min, chips: min]\n");
  const Point point = makePoint(study, {}, "b");
  const std::vector jobs = {measured(9000, 4)};
  const std::vector<double> lowest = objectivesOf(study, *lowestCosts(study, point, jobs)),
                            costs = objectivesOf(study, *costsOf(study, point, jobs));
  for (std::size_t i = 0; i < costs.size(); ++i)
    EXPECT_LE(lowest[i], costs[i]) << study.objectives[i].column;
  EXPECT_LT(lowest[0], costs[0]);
}

TEST(Constraints, AreJudgedAsSoonAsTheyCanBe) {
  const Study study = goodStudy("constraints: [\"lanes.superlanes < 4\", \"area_mm2_high < 150\", \"token_us < 5\"]\n"
                                "parameters: {lanes.superlanes: [2, 3, 4]}\n");
  const auto broken = [&](const char *superlanes, const Costs *costs) {
    return *brokenConstraint(study, makePoint(study, {{"lanes.superlanes", superlanes}}, "b"), costs);
  };
  EXPECT_EQ(broken("4", nullptr), "lanes.superlanes < 4");
  EXPECT_EQ(broken("3", nullptr), ""); // time is not known yet
  const Point point = makePoint(study, {{"lanes.superlanes", "3"}}, "b");
  const Costs slow = *costsOf(study, point, std::vector{measured(9000)}),
              fast = *costsOf(study, point, std::vector{measured(900)});
  EXPECT_EQ(broken("3", &slow), "token_us < 5");
  EXPECT_EQ(broken("3", &fast), "");
}

TEST(Measured, IsReadBackAsItWas) {
  Measured m = measured(9000, 3);
  m.cyclesByBound = {{"critical path", 10}, {"mxm", 20}};
  m.memory = {{"weights", 5}};
  const Measured again = *readMeasured(writeMeasured(m));
  EXPECT_EQ(writeMeasured(again), writeMeasured(m));
  EXPECT_TRUE(again.counts == m.counts);
  EXPECT_FALSE(readMeasured("{}"));
  EXPECT_FALSE(measuredFromReport("nonsense"));
}

} // namespace
} // namespace lpu::explore
