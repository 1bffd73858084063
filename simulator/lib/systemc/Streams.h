// The stream registers as SystemC channels: one for each engine.
#pragma once

#include "../core/RegisterStreamFile.h"
#include "../core/SlotStreamFile.h"
#include "../core/Vcd.h"
#include "Interfaces.h"

namespace lpu::sim {

/// Event engine: a slot table; no process, nothing moves.
class SlotStreams final : public sc_core::sc_module, public StreamIf {
public:
  SlotStreams(sc_core::sc_module_name name, const isa::Machine &machine) : sc_module(name), slots(machine) {}
  StreamFile &file() override { return slots; }
  const sc_core::sc_event &settled() const override { return never; }

private:
  SlotStreamFile slots;
  sc_core::sc_event never;
};

/// Clocked engine: every register shifts at every clock edge.
class ClockedStreams final : public sc_core::sc_module, public StreamIf {
public:
  sc_core::sc_in_clk clock{"clock"};

  ClockedStreams(sc_core::sc_module_name name, const isa::Machine &machine);
  StreamFile &file() override { return registers; }
  const sc_core::sc_event &settled() const override { return shifted; }
  /// Shows chosen registers in every cycle from now on.
  void showIn(ChipVcd *waveforms) { vcd = waveforms; }

private:
  void shift();

  RegisterStreamFile registers;
  ChipVcd *vcd = nullptr;
  sc_core::sc_event shifted;
};

} // namespace lpu::sim
