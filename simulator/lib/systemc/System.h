// All chips of a program that need simulating, the links between them, and the
// steps they run together under one SystemC kernel. In the event engine the chips
// run from their releases on under a conductor, in local time ahead of SystemC's.
#pragma once

#include "Chip.h"

#include "../core/Exchange.h"
#include "../core/Representatives.h"

#include "lpu/sim/Simulator.h"

#include <memory>
#include <vector>

namespace lpu::sim {

/// What came of a step on the chips that one process simulates.
struct PartResult {
  StepResult step;
  std::array<Cycle, 3> place{}; ///< of the violation: cycle, chip, queue
  bool late = false;            ///< it was noticed at the step's end, after all others (T9)
};

class System final : public sc_core::sc_module {
public:
  /// `program` outlives the system.
  /// `exchange`: with the processes that simulate other chips of it; null: this one simulates all.
  System(sc_core::sc_module_name name, const isa::Program &program, const Options &options,
         std::unique_ptr<Trace> trace, std::unique_ptr<Vcd> vcd, Exchange *exchange);

  /// Fills the chips' memories. Error: a region outside of the machine or of the image.
  Status load();
  /// To be called on all ranks.
  PartResult run(std::size_t step);
  /// Completes the files that are written as the run goes; no step may follow. Error: one could not be written.
  Status closeFiles();
  /// Ends the threads, and closes files that are open still; no step may follow.
  void close();

  int rank() const { return exchange ? exchange->rank() : 0; }
  /// Who simulates what stands for a chip.
  int rankOf(std::size_t chip) const { return groups[standIn[chip]].rank; }
  /// The memory of what stands for a chip, if that is this rank.
  Memory &memory(std::size_t chip) { return groups[standIn[chip]].here->chip.memory(); }
  const Memory &memory(std::size_t chip) const { return groups[standIn[chip]].here->chip.memory(); }
  /// Chips that have a memory of their own, on whichever rank.
  const std::vector<std::size_t> &chipsWithMemory() const { return withMemory; }

private:
  struct Simulated;
  /// Chips of which one is simulated for all, by this rank or by another.
  struct Group {
    ChipGroup members;
    int rank = 0;
    Simulated *here = nullptr; ///< on that rank
    int number = 0;            ///< of the chip that is simulated in the running step
    isa::Cycle start = 0;      ///< of that chip
  };
  struct Simulated final : Player {
    Simulated(const char *name, Chip::Common &common, const isa::ChipClass &chipClass, const std::vector<bool> &links,
              EarliestHazard &hazard, ChipTrace *trace, ChipVcd *vcd, const Group &group)
        : monitor(common.program.machine, hazard, trace, vcd), chip(name, common, chipClass, links, monitor),
          group(group) {}
    void take(Cycle now) override {
      for (auto &[link, channel] : inputs)
        chip.take(link, *channel, now);
    }
    Cycle play(Cycle now, Cycle limit) override { return chip.play(now, limit); }

    StepMonitor monitor;
    Chip chip;
    const Group &group;
    int player = 0;                                               ///< the conductor's number for it
    std::vector<std::pair<int, std::unique_ptr<Channel>>> inputs; ///< event engine: with the links they lead to
    std::size_t outputs = 0;                                      ///< cables that start here
    bool entered = false;                                         ///< the conductor runs it
  };
  /// Target `target` of link `fromLink` of groups[from] is link `toLink` of groups[to]. In the event engine that
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
  void simulate(Group &group);
  void addChannel(std::size_t cable);
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
  PartResult collect(std::size_t step) const;
  const isa::ChipClass &classOf(std::size_t chip) const { return program.classes[program.chips[chip].chipClass]; }

  const isa::Program &program;
  std::unique_ptr<sc_core::sc_clock> clock; ///< clocked engine
  std::unique_ptr<Trace> trace;
  std::unique_ptr<Vcd> vcd;
  Exchange *const exchange;
  Chip::Common common;
  EarliestHazard hazard;
  std::vector<Group> groups;
  std::vector<std::size_t> standIn, withMemory;      ///< per chip: index into groups; the first of each
  std::vector<std::unique_ptr<Simulated>> simulated; ///< here
  std::vector<std::vector<Peer>> peers;              ///< per chip
  std::vector<Cable> cables;
  std::vector<std::vector<std::unique_ptr<DecodedStep>>> code; ///< per class and step
  std::vector<std::vector<std::vector<LinkTraffic>>> traffic;  ///< per class, step and link
  std::unique_ptr<Conductor> conductor;                        ///< event engine; its players are `simulated`
  sc_core::sc_event turn;                                      ///< event engine: the conductor has somebody to run
  Cycle nextTurn = Player::kNever;                             ///< as far as it is known in advance
  Cycle zero = 0;                                              ///< of the running step
  bool inStep = false;
};

} // namespace lpu::sim
