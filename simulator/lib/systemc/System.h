// All chips of a program that need simulating, the links between them, and the
// steps they run together under one SystemC kernel.
#pragma once

#include "Chip.h"

#include "../core/Representatives.h"

#include "lpu/sim/Simulator.h"

#include <memory>
#include <vector>

namespace lpu::sim {

class System final : public sc_core::sc_module {
public:
  /// `program` outlives the system.
  System(sc_core::sc_module_name name, const isa::Program &program, const Options &options, std::unique_ptr<Trace> trace);

  /// Fills the chips' memories. Error: a region outside of the machine or of the image.
  Status load();
  StepResult run(std::size_t step);
  /// Completes the trace file; no step may follow.
  void closeTrace() { trace.reset(); }

  /// The memory of what stands for a chip.
  Memory &memory(std::size_t chip) { return simulated[standIn[chip]]->chip.memory(); }
  const Memory &memory(std::size_t chip) const { return simulated[standIn[chip]]->chip.memory(); }
  /// Chips that have a memory of their own.
  std::vector<std::size_t> chipsWithMemory() const;

private:
  /// A chip that is simulated, for itself or for a group.
  struct Simulated {
    Simulated(const char *name, Chip::Common &common, const isa::ChipClass &chipClass, const std::vector<bool> &links,
              EarliestHazard &hazard, ChipTrace *trace, ChipGroup chips)
        : monitor(common.program.machine, hazard, trace), chip(name, common, chipClass, links, monitor),
          group(std::move(chips)) {}
    StepMonitor monitor;
    Chip chip;
    ChipGroup group;
    int number = 0;       ///< of the group's chip that it is in the running step
    isa::Cycle start = 0; ///< of that chip
  };
  /// Target `target` of link `fromLink` of simulated[from] is link `toLink` of simulated[to].
  struct Cable {
    std::size_t from;
    int fromLink;
    std::size_t target;
    std::size_t to;
    int toLink;
  };
  struct DecodedStep {
    std::vector<DecodedQueue> queues;
    std::vector<const DecodedQueue *> byNumber;
    std::unique_ptr<Timeline> timeline; ///< event engine, if there is one
  };

  void connect();
  const DecodedStep &decoded(std::size_t chipClass, std::size_t step, const Memory &memory);
  void begin(std::size_t step);
  void runToEnd();
  /// Clocked engine, whose clock never starves: pauses SystemC when the step has ended.
  void watch();
  bool finished(Cycle now) const;
  void collect(std::size_t step, StepResult &result) const;

  const isa::Program &program;
  std::unique_ptr<sc_core::sc_clock> clock; ///< clocked engine
  std::unique_ptr<Trace> trace;
  Chip::Common common;
  EarliestHazard hazard;
  std::vector<std::unique_ptr<Simulated>> simulated;
  std::vector<std::size_t> standIn; ///< per chip: index into simulated
  std::vector<std::vector<Peer>> peers; ///< per chip
  std::vector<Cable> cables;
  std::vector<std::vector<std::unique_ptr<DecodedStep>>> code; ///< per class and step
  Cycle zero = 0; ///< of the running step
  bool inStep = false;
  std::optional<Violation> dead; ///< a hazard ended the run for good
};

} // namespace lpu::sim
