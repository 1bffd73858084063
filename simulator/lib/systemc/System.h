// All chips of a program that need simulating, the links between them, and the
// steps they run together under one SystemC kernel. In the event engine the chips
// run from their releases on under a conductor, in local time ahead of SystemC's.
#pragma once

#include "Chip.h"

#include "../core/Conductor.h"
#include "../core/Representatives.h"

#include "lpu/sim/Simulator.h"

#include <memory>
#include <vector>

namespace lpu::sim {

class System final : public sc_core::sc_module {
public:
  /// `program` outlives the system.
  System(sc_core::sc_module_name name, const isa::Program &program, const Options &options,
         std::unique_ptr<Trace> trace);

  /// Fills the chips' memories. Error: a region outside of the machine or of the image.
  Status load();
  StepResult run(std::size_t step);
  /// Ends the threads and completes the trace file; no step may follow.
  void close();

  /// The memory of what stands for a chip.
  Memory &memory(std::size_t chip) { return simulated[standIn[chip]]->chip.memory(); }
  const Memory &memory(std::size_t chip) const { return simulated[standIn[chip]]->chip.memory(); }
  /// Chips that have a memory of their own.
  std::vector<std::size_t> chipsWithMemory() const;

private:
  /// A chip that is simulated, for itself or for a group.
  struct Simulated final : Player {
    Simulated(const char *name, Chip::Common &common, const isa::ChipClass &chipClass, const std::vector<bool> &links,
              EarliestHazard &hazard, ChipTrace *trace, ChipGroup chips)
        : monitor(common.program.machine, hazard, trace), chip(name, common, chipClass, links, monitor),
          group(std::move(chips)) {}
    void take(Cycle now) override {
      for (auto &[link, channel] : inputs)
        chip.take(link, *channel, now);
    }
    Cycle play(Cycle now, Cycle limit) override { return chip.play(now, limit); }

    StepMonitor monitor;
    Chip chip;
    ChipGroup group;
    std::vector<std::pair<int, std::unique_ptr<Channel>>> inputs; ///< event engine: with the links they lead to
    std::size_t outputs = 0;                                      ///< channels that start here
    int number = 0;       ///< of the group's chip that it is in the running step
    isa::Cycle start = 0; ///< of that chip
    bool entered = false; ///< the conductor runs it
  };
  /// Target `target` of link `fromLink` of simulated[from] is link `toLink` of simulated[to]. In the event engine that
  /// is its input number `input`, and output number `output` of where it comes from.
  struct Cable {
    std::size_t from;
    int fromLink;
    std::size_t target;
    std::size_t to;
    int toLink;
    std::size_t output = 0, input = 0;
  };
  struct DecodedStep {
    std::vector<DecodedQueue> queues;
    std::vector<const DecodedQueue *> byNumber;
    std::unique_ptr<Timeline> timeline; ///< event engine, if there is one
  };

  void connect();
  void addChannel(Cable &cable);
  const DecodedStep &decoded(std::size_t chipClass, std::size_t step, const Memory &memory);
  const std::vector<LinkTraffic> &trafficOf(std::size_t chip, std::size_t step);
  void begin(std::size_t step);
  void beginCable(const Cable &cable, std::size_t step);
  void runToEnd();
  /// Event engine: lets the chips run whose release has come.
  void conduct();
  /// Clocked engine, whose clock never starves: pauses SystemC when the step has ended.
  void watch();
  bool finished(Cycle now) const;
  void reportUnfinished();
  void collect(std::size_t step, StepResult &result) const;
  const isa::ChipClass &classOf(std::size_t chip) const { return program.classes[program.chips[chip].chipClass]; }

  const isa::Program &program;
  std::unique_ptr<sc_core::sc_clock> clock; ///< clocked engine
  std::unique_ptr<Trace> trace;
  Chip::Common common;
  EarliestHazard hazard;
  std::vector<std::unique_ptr<Simulated>> simulated;
  std::vector<std::size_t> standIn;     ///< per chip: index into simulated
  std::vector<std::vector<Peer>> peers; ///< per chip
  std::vector<Cable> cables;
  std::vector<std::vector<std::unique_ptr<DecodedStep>>> code; ///< per class and step
  std::vector<std::vector<std::vector<LinkTraffic>>> traffic;  ///< per class, step and link
  std::unique_ptr<Conductor> conductor;                        ///< event engine; players are numbered as `simulated`
  sc_core::sc_event turn;                                      ///< event engine: the conductor has somebody to run
  Cycle nextTurn = Player::kNever;                             ///< as far as it is known in advance
  Cycle zero = 0;                                              ///< of the running step
  bool inStep = false;
  std::optional<Violation> dead; ///< a hazard ended the run for good
};

} // namespace lpu::sim
