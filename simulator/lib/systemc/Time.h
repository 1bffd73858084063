// Chip cycles on SystemC's clock: one cycle is one nanosecond of simulated time
// whatever clock the chip has; reports convert cycles with the machine's clock.
#pragma once

#include "lpu/isa/Instruction.h"

#include <systemc>

namespace lpu::sim {

inline constexpr std::uint64_t kTicksPerCycle = 1000; ///< SystemC's default resolution: 1 ps

inline sc_core::sc_time cycles(isa::Cycle n) {
  return sc_core::sc_time::from_value(static_cast<std::uint64_t>(n) * kTicksPerCycle);
}
inline isa::Cycle toCycles(const sc_core::sc_time &time) {
  return static_cast<isa::Cycle>(time.value() / kTicksPerCycle);
}
inline isa::Cycle cycleNow() { return toCycles(sc_core::sc_time_stamp()); }

} // namespace lpu::sim
