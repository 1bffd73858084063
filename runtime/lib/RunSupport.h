// What runs of generators and of encoders have in common.
#pragma once

#include "lpu/isa/Files.h"
#include "lpu/rt/Run.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace lpu::rt {

/// Prints `error` as the one line users see; returns `code`.
int fail(const Terminal &terminal, const Error &error, int code = kFailure);
std::uint64_t peakRssBytes();

/// Files that a simulator writes as it goes. They appear under their names when a run has been a success.
class SimulatorFiles {
public:
  explicit SimulatorFiles(const RunOptions &options);
  /// What the simulator is asked for, without ranks.
  sim::Options options() const;
  /// Ends the simulator and lets its files appear. Error: one of them could not be written.
  Status commit(std::unique_ptr<sim::Simulator> simulator);

private:
  const RunOptions &asked;
  std::optional<PendingFile> trace, vcd;
};

} // namespace lpu::rt
