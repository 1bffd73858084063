// The chips of a pool, who is on them, and who is to be: what ChipPool's schedules look at and change.
#pragma once

#include "lpu/serve/Residency.h"

#include <map>
#include <optional>

namespace lpu::serve {

class ChipPool::State {
public:
  State(std::vector<Tenant> tenants, unsigned chips);
  State(const State &other);

  Ticket admit(std::size_t tenant, Cycle arrival, const Work &work);
  void progress(Ticket ticket, std::uint64_t steps);
  void end(Ticket ticket, std::uint64_t steps);
  void cancel(Ticket ticket, std::uint64_t steps);
  void release(Ticket ticket);

  std::optional<Placement> placement(Ticket ticket) const;
  Cycle stepEnd(Ticket ticket, std::uint64_t step) const;
  Cycle tokenEnd(Ticket ticket, std::uint64_t index) const;

  /// Where a sequence would go that arrives then.
  StartBound bound(std::size_t tenant, Cycle arrival, const Work &work) const;
  std::vector<Cycle> waitingStarts(std::size_t tenant, Cycle at) const;
  std::size_t waiting(std::size_t tenant, Cycle at) const;
  std::size_t running(std::size_t tenant, Cycle at) const;
  Cycle now() const;
  std::optional<Cycle> certainUntil() const;

  const Tenant &tenantOf(std::size_t index) const { return tenants[index]; }
  ResidencyState summary(std::size_t tenant) const;

private:
  using Id = std::size_t; ///< of a residence, ascending in the order of their beginnings

  /// A system's time on its chips, from its loading on until it is replaced.
  struct Residence {
    std::size_t tenant = 0;
    unsigned system = 0; ///< of the tenant's
    std::vector<Id> after;
    Cycle wanted = 0;                   ///< arrival of the sequence that let it be loaded
    std::optional<Cycle> open;          ///< its weights are there; none: not known yet
    bool leaving = false;               ///< it is to be replaced
    std::vector<Ticket> users;          ///< given to it, in order; those that nobody asks about any more are left out
    std::size_t active = 0;             ///< of them, that have not ended
    Cycle lastEnd = 0;                  ///< of those that have
    std::unique_ptr<Schedule> schedule; ///< once it is open
  };
  struct Entry {
    std::size_t tenant = 0;
    Id residence = 0;
    Cycle arrival = 0;
    Work work;
    std::optional<Ticket> inner; ///< once the residence is open
    std::uint64_t done = 0;
    bool ended = false, released = false;
    bool counted = false; ///< its residence knows of its end
  };
  /// Chips that nobody has, from the end of a residence on.
  struct Deposit {
    unsigned chips = 0;
    std::optional<Id> after;
  };
  /// What a sequence that arrives does: joins a residence, or lets one be loaded.
  struct Choice {
    StartBound bound;
    std::optional<Id> joined;
    unsigned system = 0; ///< of what is loaded
    std::vector<Id> after, replaced;
    std::vector<std::size_t> deposits;
  };
  /// A system that a tenant does not have on chips.
  struct Vacancy {
    unsigned system = 0;
    Cycle free = 0; ///< from then on, at the latest
    std::optional<Id> after;
  };
  /// Something that chips can be had of.
  struct Source {
    std::optional<Id> residence; ///< else a deposit
    std::size_t deposit = 0;
    unsigned chips = 0;
    Cycle free = 0; ///< at the latest
    Cycle idleSince = 0;
  };

  unsigned chipsOf(std::size_t tenant) const { return tenants[tenant].timing->chips(); }
  bool isOver(const Residence &residence, Cycle at) const;
  std::optional<Cycle> openAt(const Residence &residence, Cycle at) const;
  Cycle openBy(const Residence &residence, Cycle at) const;
  Cycle idleBy(const Residence &residence, Cycle at) const;
  std::unique_ptr<Schedule> imagined(const Residence &residence, Cycle open) const;
  StartBound boundAt(const Residence &residence, Cycle arrival, const Work &work) const;
  std::vector<Source> sources(std::size_t tenant, Cycle at) const;
  std::optional<Vacancy> vacancy(std::size_t tenant, Cycle at) const;
  std::optional<Choice> loading(std::size_t tenant, Cycle arrival) const;
  Choice choose(std::size_t tenant, Cycle arrival, const Work &work) const;
  Id load(std::size_t tenant, Cycle arrival, const Choice &choice);
  void enter(Residence &residence, Ticket ticket);
  void settle();
  void forget();
  Cycle endOf(const Entry &entry) const;
  bool startsAfter(const Entry &entry, Cycle at) const;

  std::vector<Tenant> tenants;
  std::vector<ResidencyState> states;
  std::vector<Deposit> deposits;
  std::map<Id, Residence> residences;
  std::map<Ticket, Entry> entries;
  Id nextResidence = 0;
  Ticket nextTicket = 0;
  Cycle lastArrival = 0, latestEnd = 0;
  mutable Cycle reachedNow = 0;
};

} // namespace lpu::serve
