// Systems that come and go with demand: what it costs in chip-seconds, by what can be known and by what turns out.
#pragma once

#include "lpu/serve/Load.h"

namespace lpu::serve {

struct Scaled {
  std::vector<Served> requests;
  double chipSeconds = 0; ///< from the beginning of a system's loading until it is given up
  unsigned mostSystems = 0;
  std::uint64_t loads = 0;
};

/// Decides when a request arrives, from what is known then: it joins the system where it starts first by bounds, or a
/// further one is loaded, of at most `most`, if it would start sooner there. A system is given up when it has been idle
/// for as long as it takes to load one: so it never costs more than twice what knowing the next arrival would save.
/// One user a system.
Scaled scaleReactively(const Timing &timing, const std::vector<Arrival> &arrivals, unsigned most);

/// Knows all arrivals and lengths: nobody waits, systems are loaded in time, and stay up between two requests only if
/// that is shorter than loading. One user a system; as many systems as it takes.
Scaled scaleByOracle(const Timing &timing, const std::vector<Arrival> &arrivals);

} // namespace lpu::serve
