// One chip: streams, barrier, queues, units and the chip's ends of its links,
// built and bound from the machine description. In the event engine it runs, from
// its release on, when and as far as it is told (play), in any thread: everything
// it works with is its own.
#pragma once

#include "Barrier.h"
#include "IcuModule.h"
#include "Link.h"
#include "Streams.h"
#include "Units.h"

#include "../core/Channel.h"

#include <memory>
#include <vector>

namespace lpu::sim {

class Chip final : public sc_core::sc_module {
public:
  /// What all chips of a system have in common; outlives them.
  struct Common {
    const isa::Program &program;
    sc_core::sc_clock *clock; ///< clocked engine; null: event engine
    bool functional;
  };
  /// `monitor` outlives the chip. `links`: which of its links lead somewhere.
  Chip(sc_core::sc_module_name name, Common &common, const isa::ChipClass &chipClass, const std::vector<bool> &links,
       StepMonitor &monitor);

  Memory &memory() { return sram; }
  const Memory &memory() const { return sram; }
  /// Null where nothing is attached.
  Link *link(int number) { return links[number].get(); }

  /// Empties everything that does not outlive a step and starts every queue at
  /// absolute cycle `at`; after the release they wait for `start` cycles.
  /// `code`: per queue number, null without code. `timeline`: of the same text, for the event engine.
  void begin(const std::vector<const DecodedQueue *> &code, const Timeline *timeline, isa::Cycle at, isa::Cycle start);
  /// The barrier has released this step.
  bool released() const { return barrierModule->done(); }
  /// It will, at releaseCycle().
  bool releasePending() const { return barrierModule->pending(); }
  Cycle releaseCycle() const { return barrierModule->releaseCycle(); }
  /// Event engine, below. `call` is called in SystemC's thread when a step's release has come.
  void onReady(std::function<void()> call) { calendar->onSettled(std::move(call)); }
  /// Takes what has come on `channel` for link `number`; everything before `now` has been run.
  void take(int number, Channel &channel, Cycle now);
  /// Calendar::play
  Cycle play(Cycle now, Cycle limit) { return calendar->play(now, limit); }
  /// Nothing is left to happen at absolute cycle `now`, going by what has dispatched so far.
  bool finished(Cycle now) const;
  /// Absolute cycle at which the running step ends, by what has dispatched so far (T1.5).
  Cycle endOfStep() const { return monitor.lastEffect + machine.superlanes - 1; }
  /// What the chip did in a step that ended at cycle `length` of its own time.
  isa::Counts counts(Cycle length) const;
  /// After a step without hazard: reports queues that never end, and vectors that nobody received.
  void reportUnfinished() const;
  /// After a step with one: completes its description.
  void explainHazard() const;
  /// Clocked engine: fires in every cycle.
  const sc_core::sc_event &settled() const { return clockedStreams->settled(); }

private:
  void buildQueues(const isa::Program &program);
  void buildLinks(const std::vector<bool> &wired);
  QueueModule &buildUnit(int number);
  StreamIf &streams() const;

  const isa::Machine &machine;
  VectorPool rows, words;
  Memory sram;
  ChipContext context;
  StepMonitor &monitor;
  ModuleContext modules;

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
  std::vector<std::unique_ptr<Link>> links;     ///< by link
};

} // namespace lpu::sim
