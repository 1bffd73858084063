// Several models on chips that cannot hold all of them at once. Systems whose weights are on chips serve as ever; a
// system of a model that is absent is loaded first, in place of others that are idle, which takes the time of its
// weights over the host link.
//
// A sequence is given a system when it arrives, by what is certain at that virtual time, and waits there first come,
// first served. That keeps promises: on one system, earlier ends only move starts forward, while a choice that waits
// for ends may turn out worse than it was promised to be.
#pragma once

#include "lpu/serve/Schedule.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace lpu::serve {

/// A model that shares chips.
struct Tenant {
  const Timing *timing = nullptr; ///< must outlive the pool
  unsigned systems = 1;           ///< that it may have on chips at once
};

/// What happened to a tenant's systems.
struct ResidencyState {
  unsigned resident = 0;    ///< systems whose weights are on chips, or on their way to them
  std::uint64_t loads = 0;  ///< since the beginning; those that were there from the first are none
  std::uint64_t losses = 0; ///< systems that were replaced by others
};

/// The rules:
/// - At first the tenants' systems are on chips in their order, as far as chips go: first one of each, then the second.
/// - A sequence joins the system of its model where it starts first, by bounds, or lets a further one be loaded if it
///   starts earlier there. So sequences of an absent model share its loading.
/// - Loading needs chips: free ones first, then those of idle systems, the one that has been idle longest first, then
///   those of busy systems in the order of their ends by bounds. Whole systems are replaced, after their last sequence
///   has ended; a system that is to be replaced is given no more sequences.
/// - Loading takes Timing::reloadCycles().
/// Clocks of all tenants must be equal.
class ChipPool {
public:
  /// Each tenant must fit `chips` alone.
  ChipPool(std::vector<Tenant> tenants, unsigned chips);
  ~ChipPool();

  /// The schedule of one tenant's sequences. Arrivals are in order over all tenants. A bound
  /// may be later than the start by the model's frame, besides the usual.
  std::unique_ptr<Schedule> tenant(std::size_t index);
  ResidencyState state(std::size_t tenant) const;

private:
  class State;
  class View;
  std::shared_ptr<State> own;
};

} // namespace lpu::serve
