#include "../../../serve/lib/Autoscale.h"
#include "../runtime/FakeSimulator.h"

#include <gtest/gtest.h>

namespace lpu::serve {
namespace {

using rt::test::fakeProgram;

class Autoscale : public testing::Test {
protected:
  const isa::Program program = fakeProgram();
  const Timing timing{program};
  const Cycle reload = timing.reloadCycles();
  const Work work{4, 5};
  const Cycle service = timing.tokenEnd(4, 4);

  Arrival at(Cycle cycle) const { return {.ns = timing.clock().nanoseconds(cycle), .work = work}; }
  double seconds(Cycle cycles) const { return static_cast<double>(timing.clock().nanoseconds(cycles)) / 1e9; }
};

TEST_F(Autoscale, OneRequestCostsItsLoadingItsTimeAndTheWaitForAnother) {
  const Scaled reactive = scaleReactively(timing, {at(900)}, 4), oracle = scaleByOracle(timing, {at(900)});
  EXPECT_EQ(reactive.requests[0].start - reactive.requests[0].arrival, reload);
  EXPECT_EQ(oracle.requests[0].start, oracle.requests[0].arrival);
  EXPECT_DOUBLE_EQ(reactive.chipSeconds, seconds(reload + service + reload));
  EXPECT_DOUBLE_EQ(oracle.chipSeconds, seconds(reload + service));
  EXPECT_EQ(reactive.loads, 1u);
}

TEST_F(Autoscale, AnOracleBridgesShortGapsAlone) {
  const Cycle gap = reload - 90;
  const Scaled near = scaleByOracle(timing, {at(0), at(service + gap)});
  EXPECT_EQ(near.loads, 1u);
  const Scaled far = scaleByOracle(timing, {at(0), at(service + 2 * reload)});
  EXPECT_EQ(far.loads, 2u);
  EXPECT_DOUBLE_EQ(far.chipSeconds, seconds(2 * (reload + service)));
}

TEST_F(Autoscale, ASystemMoreIsLoadedIfThatIsSooner) {
  const std::vector<Arrival> burst{at(0), at(0), at(0)};
  const Scaled scaled = scaleReactively(timing, burst, 2), one = scaleReactively(timing, burst, 1);
  EXPECT_EQ(scaled.mostSystems, 2u); // while the first one loads, a second loads as fast
  EXPECT_EQ(one.mostSystems, 1u);
  EXPECT_EQ(one.requests[2].end, reload + 3 * service);
  EXPECT_EQ(scaled.requests[1].start, scaled.requests[0].start);
}

TEST_F(Autoscale, WhoIsIdleForTheTimeOfALoadingIsGivenUp) {
  const Cycle end = reload + service;
  EXPECT_EQ(scaleReactively(timing, {at(0), at(end + reload - 90)}, 1).loads, 1u);
  EXPECT_EQ(scaleReactively(timing, {at(0), at(end + reload + 90)}, 1).loads, 2u);
}

} // namespace
} // namespace lpu::serve
