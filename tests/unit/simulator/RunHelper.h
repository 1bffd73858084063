// Runs programs on the simulator for tests. SystemC elaborates once per process,
// so every run happens in a forked child and its outcome comes back over a pipe.
#pragma once

#include "ProgramBuilder.h"

#include "lpu/sim/Simulator.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

namespace lpu::test {

struct RowRef {
  isa::Side side;
  int slice, bank, row;
  std::size_t chip = 0;
};

struct Outcome {
  bool crashed = true;
  std::string error;                                ///< of Simulator::create
  std::vector<isa::Cycle> cycles;                   ///< per step run
  std::uint64_t instructions = 0;                   ///< of the last step
  std::string category, queue, instruction, detail; ///< of the violation; empty: none
  isa::Cycle at = 0;
  int chip = 0;
  std::vector<isa::Cycle> chipCycles; ///< of the last step
  std::string counts;                 ///< of the last step, as reports have them
  std::string digest;                 ///< of memory
  std::vector<Row> rows;
};

/// Runs steps `order` (default: all in order) and peeks at `rows` afterwards.
Outcome simulate(const isa::Program &program, const sim::Options &options, const std::vector<RowRef> &rows = {},
                 const std::vector<int> &order = {});
/// Runs `body` in a child with a simulator of its own; what it returns comes back.
std::string inSimulator(const isa::Program &program, const sim::Options &options,
                        const std::function<std::string(sim::Simulator &)> &body);

/// Tests that hold for both engines.
class BothEngines : public testing::TestWithParam<sim::Engine> {
protected:
  sim::Options options() const { return {GetParam(), sim::Mode::Functional, "", false}; }
  sim::Options timing() const { return {GetParam(), sim::Mode::Timing, "", false}; }
  Outcome run(isa::Program program, const std::vector<RowRef> &rows = {}) const;
  /// The program runs to its end; returns the rows asked for.
  std::vector<Row> legal(isa::Program program, const std::vector<RowRef> &rows = {}) const;
  /// The program ends with this hazard.
  void illegal(isa::Program program, const std::string &category, isa::Cycle at, const std::string &queue) const;
};

#define LPU_BOTH_ENGINES(SUITE)                                                                                        \
  INSTANTIATE_TEST_SUITE_P(Engines, SUITE, testing::Values(sim::Engine::Event, sim::Engine::Clocked),                  \
                           [](const auto &info) { return info.param == sim::Engine::Event ? "Event" : "Clocked"; })

inline constexpr isa::Side kEast = isa::Side::East, kWest = isa::Side::West;

} // namespace lpu::test
