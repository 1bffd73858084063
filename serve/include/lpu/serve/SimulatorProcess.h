// A simulator in a process of its own. SystemC elaborates once per process, and a service simulates several systems.
#pragma once

#include "lpu/rt/Run.h"
#include "lpu/sim/Simulator.h"

#include <sys/types.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace lpu::serve {

/// Speaks with the process over a pair of sockets, one round trip a step. Should the process end, steps end in a
/// violation of category "process-ended". Not to be used from several threads at once.
class SimulatorProcess final : public sim::Simulator {
public:
  /// Forks; to be called before the caller has threads. The process ends with its end of the sockets.
  static Result<std::unique_ptr<SimulatorProcess>> start(const isa::Program &program, const sim::Options &options,
                                                         const rt::SimulatorFactory &create);
  ~SimulatorProcess() override;

  /// Waits until the program is loaded. Error: it could not be.
  Status ready();

  void writeInput(std::size_t step, std::string_view name, std::span<const std::uint8_t> data) override;
  /// Counts and cycles of single chips stay in the process.
  sim::StepResult run(std::size_t step) override;
  std::vector<std::uint8_t> readOutput(std::size_t step, std::string_view name) const override;
  void clearState() override;
  /// Not asked of the process: a service's memory belongs to many requests.
  std::array<std::uint8_t, 32> memorySha256() const override { return {}; }
  std::vector<std::uint8_t> peek(std::size_t, isa::Side, int, int, int) const override { return {}; }

  pid_t process() const { return child; }

private:
  SimulatorProcess(int socket, pid_t child) : socket(socket), child(child) {}

  int socket;
  pid_t child;
  std::map<std::string, std::vector<std::uint8_t>> inputs, outputs;
};

} // namespace lpu::serve
