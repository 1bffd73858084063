// One chip: streams, barrier, queues, units and loopback links, built and bound
// from the machine description.
#pragma once

#include "Barrier.h"
#include "IcuModule.h"
#include "Link.h"
#include "Streams.h"
#include "Units.h"

#include <memory>
#include <vector>

namespace lpu::sim {

class Chip final : public sc_core::sc_module {
public:
  /// `program` and `monitor` outlive the chip.
  Chip(sc_core::sc_module_name name, const isa::Program &program, bool clocked, bool functional, StepMonitor &monitor);

  Memory &memory() { return sram; }
  const Memory &memory() const { return sram; }
  Barrier &barrier() { return *barrierModule; }

  /// Empties everything that does not outlive a step and starts every queue at
  /// absolute cycle `start`. `code`: per queue number, null without code.
  /// `timeline`: of the same text, for the event engine.
  void begin(const std::vector<const DecodedQueue *> &code, const Timeline *timeline, isa::Cycle start);
  /// Absolute cycle at which the running step ends, by what has dispatched so far (T1.5).
  Cycle endOfStep() const { return monitor.lastEffect + machine.superlanes - 1; }
  /// After a step: reports queues that never end.
  void reportParked() const;

private:
  /// Clocked engine, whose clock never starves: pauses SystemC when the step has ended.
  void watch();
  bool finished() const;
  void buildQueues(const isa::Program &program);
  void buildLinks(const isa::Program &program);
  QueueModule &buildUnit(int number);
  StreamIf &streams();

  const isa::Machine &machine;
  VectorPool rows, words;
  Memory sram;
  ChipContext context;
  StepMonitor &monitor;
  ModuleContext modules;
  bool inStep = false;

  std::unique_ptr<sc_core::sc_clock> clock;
  std::unique_ptr<Calendar> calendar;             ///< event engine
  std::unique_ptr<SlotStreams> slotStreams;       ///< event engine
  std::unique_ptr<ClockedStreams> clockedStreams; ///< clocked engine
  std::unique_ptr<Barrier> barrierModule;
  std::vector<std::unique_ptr<IcuModule>> icus; ///< by queue number
  std::vector<std::unique_ptr<MemModule>> mems;
  std::vector<std::unique_ptr<AluModule>> alus;
  AluArray aluCores;
  std::vector<std::unique_ptr<MxmModule>> planes;
  std::vector<std::unique_ptr<SxmModule>> sxms;
  std::vector<std::unique_ptr<C2cModule>> c2cs; ///< by link
  std::vector<std::unique_ptr<Link>> links;
};

} // namespace lpu::sim
