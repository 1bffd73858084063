// What the chip's modules see of each other through their ports.
#pragma once

#include "../core/C2c.h"
#include "../core/Icu.h"
#include "../core/StreamFile.h"
#include "Calendar.h"

namespace lpu::sim {

/// The stream registers. `settled` fires once per cycle in the clocked engine,
/// after all registers have shifted; never in the event engine.
class StreamIf : public virtual sc_core::sc_interface {
public:
  virtual StreamFile &file() = 0;
  virtual const sc_core::sc_event &settled() const = 0;
};

/// The chip-wide barrier between NOTIFY and the parked queues.
class BarrierIf : public virtual sc_core::sc_interface {
public:
  /// Null, or who has used this step's barrier already.
  virtual const Producer *notify(const Producer &by) = 0;
  /// When it will release; valid after a notify.
  virtual isa::Cycle releaseCycle() const = 0;
  virtual const sc_core::sc_event &released() const = 0;
};

/// An instruction queue as its unit sees it.
class IcuIf : public virtual sc_core::sc_interface {
public:
  virtual Icu &core() = 0;
  virtual int number() const = 0;
  /// Event engine: the calendar's entry to wake when a word is due.
  virtual void setEntry(int number) = 0;
  /// Carries out a control word (everything the unit itself does not execute).
  /// False after reporting that it is not legal here.
  virtual bool control(const Dispatch &d) = 0;
  /// To be called after each dispatch, which is at `now`: schedules the next one.
  virtual void rearm(isa::Cycle now) = 0;
  /// The barrier has released this queue in this step.
  virtual bool released() const = 0;
};

/// A chip's end of a link.
class LinkIf : public virtual sc_core::sc_interface {
public:
  virtual LinkOut &outgoing() = 0;
  virtual LinkFifo &incoming() = 0;
  /// Clocked engine: fires for each vector, in the cycle after its arrival.
  virtual const sc_core::sc_event &arrived() const = 0;
};

} // namespace lpu::sim
