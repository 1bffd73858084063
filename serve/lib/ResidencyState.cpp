// What may be known at a virtual time is what had happened by then: residences that had opened, sequences that had
// ended. All else enters choices by its bound, so that they do not depend on how early something was learned.
#include "ResidencyState.h"

#include <algorithm>
#include <utility>

namespace lpu::serve {

ChipPool::State::State(std::vector<Tenant> given, unsigned chips) : tenants(std::move(given)), states(tenants.size()) {
  unsigned most = 0;
  for (const Tenant &tenant : tenants)
    most = std::max(most, tenant.systems);
  for (unsigned system = 0; system < most; ++system)
    for (std::size_t i = 0; i < tenants.size(); ++i) {
      if (system >= tenants[i].systems || chipsOf(i) > chips)
        continue;
      chips -= chipsOf(i);
      Residence &made = residences[nextResidence++];
      made.tenant = i, made.system = system, made.open = 0;
      made.schedule = createSchedule(*tenants[i].timing, 1);
      ++states[i].resident;
    }
  deposits.push_back({chips, std::nullopt});
}

ChipPool::State::State(const State &other)
    : tenants(other.tenants), states(other.states), deposits(other.deposits), entries(other.entries),
      nextResidence(other.nextResidence), nextTicket(other.nextTicket), lastArrival(other.lastArrival),
      latestEnd(other.latestEnd), reachedNow(other.reachedNow) {
  for (const auto &[id, residence] : other.residences) {
    Residence &copy = residences[id];
    copy.tenant = residence.tenant, copy.system = residence.system, copy.after = residence.after;
    copy.wanted = residence.wanted, copy.open = residence.open, copy.leaving = residence.leaving;
    copy.users = residence.users, copy.active = residence.active, copy.lastEnd = residence.lastEnd;
    if (residence.schedule)
      copy.schedule = residence.schedule->clone();
  }
}

/// Its last sequence had ended by then, and another takes its place.
bool ChipPool::State::isOver(const Residence &residence, Cycle at) const {
  return residence.leaving && residence.open && *residence.open <= at && residence.active == 0 &&
         residence.lastEnd <= at;
}

/// When it opens, if that was certain at that time: those it replaces had ended.
std::optional<Cycle> ChipPool::State::openAt(const Residence &residence, Cycle at) const {
  const bool certain = std::ranges::all_of(residence.after, [&](Id id) {
    const auto found = residences.find(id);
    return found == residences.end() || isOver(found->second, at);
  });
  return certain ? residence.open : std::nullopt;
}

/// When it opens at the latest.
Cycle ChipPool::State::openBy(const Residence &residence, Cycle at) const {
  if (const auto open = openAt(residence, at))
    return *open;
  Cycle free = residence.wanted;
  for (const Id id : residence.after)
    if (const auto found = residences.find(id); found != residences.end())
      free = std::max(free, isOver(found->second, at) ? found->second.lastEnd : idleBy(found->second, at));
  return free + tenants[residence.tenant].timing->reloadCycles();
}

/// The schedule of a residence that opens then, whose sequences take as long as they may.
std::unique_ptr<Schedule> ChipPool::State::imagined(const Residence &residence, Cycle open) const {
  auto schedule = createSchedule(*tenants[residence.tenant].timing, 1);
  for (const Ticket ticket : residence.users)
    schedule->admit(std::max(open, entries.at(ticket).arrival), entries.at(ticket).work);
  return schedule;
}

/// When nobody is on it any more, at the latest; at once if it is idle.
Cycle ChipPool::State::idleBy(const Residence &residence, Cycle at) const {
  const Timing &timing = *tenants[residence.tenant].timing;
  if (const auto open = openAt(residence, at)) {
    const Cycle from = std::max(*open, at);
    return residence.schedule->freeBy(from, timing.users());
  }
  const Cycle open = openBy(residence, at);
  // Frames may begin elsewhere than is imagined.
  return imagined(residence, open)->freeBy(std::max(open, at), timing.users()) + timing.frame();
}

StartBound ChipPool::State::boundAt(const Residence &residence, Cycle arrival, const Work &work) const {
  if (const auto open = openAt(residence, arrival))
    return residence.schedule->bounds(std::max(*open, arrival), {&work, 1}).front();
  const Cycle open = openBy(residence, arrival);
  const Cycle start = imagined(residence, open)->bounds(std::max(open, arrival), {&work, 1}).front().start;
  return {start + tenants[residence.tenant].timing->frame(), false};
}

/// All that a tenant could get chips of, in the order in which it would.
std::vector<ChipPool::State::Source> ChipPool::State::sources(std::size_t tenant, Cycle at) const {
  std::vector<Source> out;
  for (std::size_t i = 0; i < deposits.size(); ++i) {
    Cycle free = at;
    if (deposits[i].after)
      if (const auto found = residences.find(*deposits[i].after); found != residences.end())
        free = isOver(found->second, at) ? at : idleBy(found->second, at);
    out.push_back({std::nullopt, i, deposits[i].chips, free, 0});
  }
  for (const auto &[id, residence] : residences)
    if (!residence.leaving && residence.tenant != tenant) {
      const Cycle free = idleBy(residence, at);
      out.push_back({id, 0, chipsOf(residence.tenant), free, free <= at ? residence.lastEnd : free});
    }
  std::ranges::stable_sort(out, [](const Source &a, const Source &b) {
    return a.free != b.free ? a.free < b.free : a.idleSince < b.idleSince;
  });
  return out;
}

/// A system of the tenant that can be loaded, and whom it comes after; none: it has all that it may have.
std::optional<ChipPool::State::Vacancy> ChipPool::State::vacancy(std::size_t tenant, Cycle at) const {
  std::optional<Vacancy> best;
  for (unsigned system = 0; system < tenants[tenant].systems; ++system) {
    Vacancy own{system, at, std::nullopt};
    bool taken = false;
    for (const auto &[id, residence] : residences)
      if (residence.tenant == tenant && residence.system == system && !isOver(residence, at)) {
        taken = taken || !residence.leaving;
        own.free = std::max(own.free, idleBy(residence, at)), own.after = id;
      }
    if (!taken && (!best || own.free < best->free))
      best = own;
  }
  return best;
}

/// The loading of a further system; none: the tenant has all that it may have, or all chips.
std::optional<ChipPool::State::Choice> ChipPool::State::loading(std::size_t tenant, Cycle arrival) const {
  const auto system = vacancy(tenant, arrival);
  if (!system)
    return std::nullopt;
  const unsigned needed = chipsOf(tenant);
  std::vector<Source> taken;
  unsigned found = 0;
  for (const Source &source : sources(tenant, arrival))
    if (found < needed && source.chips > 0)
      taken.push_back(source), found += source.chips;
  if (found < needed)
    return std::nullopt;
  // What came first may not be needed beside what came last.
  std::erase_if(taken, [&](const Source &source) {
    const bool spare = source.residence && found - source.chips >= needed;
    found -= spare ? source.chips : 0;
    return spare;
  });
  Choice out;
  out.system = system->system;
  if (system->after)
    out.after.push_back(*system->after);
  Cycle free = system->free;
  for (const Source &source : taken) {
    free = std::max(free, source.free);
    if (source.residence)
      out.replaced.push_back(*source.residence);
    else
      out.deposits.push_back(source.deposit);
  }
  out.bound = {free + tenants[tenant].timing->reloadCycles(), free == arrival};
  return out;
}

ChipPool::State::Choice ChipPool::State::choose(std::size_t tenant, Cycle arrival, const Work &work) const {
  std::optional<Choice> best;
  for (const auto &[id, residence] : residences) {
    if (residence.tenant != tenant || residence.leaving)
      continue;
    const StartBound bound = boundAt(residence, arrival, work);
    if (!best || bound.start < best->bound.start)
      best = Choice{bound, id, 0, {}, {}, {}};
  }
  if (best && best->bound.start <= arrival)
    return *best; // nothing is earlier
  auto loaded = loading(tenant, arrival);
  if (!best || (loaded && loaded->bound.start < best->bound.start))
    return *loaded;
  return *best;
}

StartBound ChipPool::State::bound(std::size_t tenant, Cycle arrival, const Work &work) const {
  return choose(tenant, arrival, work).bound;
}

/// A residence that takes chips of what the choice names; what it does not need is left to others.
ChipPool::State::Id ChipPool::State::load(std::size_t tenant, Cycle arrival, const Choice &choice) {
  const Id id = nextResidence++;
  Residence &made = residences[id];
  made.tenant = tenant, made.system = choice.system, made.wanted = arrival, made.after = choice.after;
  unsigned left = chipsOf(tenant);
  const auto take = [&](unsigned chips, std::optional<Id> after) {
    if (after && residences.contains(*after))
      made.after.push_back(*after);
    const unsigned used = std::min(chips, left);
    left -= used;
    if (used < chips)
      deposits.push_back({chips - used, after});
  };
  std::vector<Deposit> taken;
  for (const std::size_t deposit : choice.deposits)
    taken.push_back(deposits[deposit]), deposits[deposit].chips = 0;
  for (const Deposit &deposit : taken)
    take(deposit.chips, deposit.after);
  for (const Id replaced : choice.replaced) {
    Residence &other = residences.at(replaced);
    other.leaving = true;
    --states[other.tenant].resident, ++states[other.tenant].losses;
    take(chipsOf(other.tenant), replaced);
  }
  std::erase_if(deposits, [](const Deposit &deposit) { return deposit.chips == 0; });
  ++states[tenant].resident, ++states[tenant].loads;
  return id;
}

Ticket ChipPool::State::admit(std::size_t tenant, Cycle arrival, const Work &work) {
  lastArrival = std::max(lastArrival, arrival);
  const Choice choice = choose(tenant, lastArrival, work);
  const Id id = choice.joined ? *choice.joined : load(tenant, lastArrival, choice);
  const Ticket ticket = nextTicket++;
  entries[ticket] = {tenant, id, lastArrival, work, std::nullopt, 0, false, false, false};
  Residence &residence = residences.at(id);
  residence.users.push_back(ticket);
  ++residence.active;
  if (residence.open)
    enter(residence, ticket);
  settle();
  forget();
  return ticket;
}

/// Hands a sequence to the schedule of its residence, with what is known of it.
void ChipPool::State::enter(Residence &residence, Ticket ticket) {
  Entry &entry = entries.at(ticket);
  entry.inner = residence.schedule->admit(std::max(entry.arrival, *residence.open), entry.work);
  if (entry.ended)
    residence.schedule->finish(*entry.inner, entry.done);
  else if (entry.done > 0)
    residence.schedule->progress(*entry.inner, entry.done);
}

/// Opens what nobody is in the way of any more, and notes who has come to an end with it.
void ChipPool::State::settle() {
  bool changed = true;
  while (std::exchange(changed, false))
    for (auto &[id, residence] : residences) {
      for (const Ticket ticket : residence.users) {
        Entry &entry = entries.at(ticket);
        if (!entry.ended || !entry.inner || !placement(ticket) || entry.counted)
          continue;
        entry.counted = true;
        --residence.active;
        residence.lastEnd = std::max(residence.lastEnd, endOf(entry));
        latestEnd = std::max(latestEnd, endOf(entry));
        changed = true;
      }
      if (residence.open)
        continue;
      Cycle free = residence.wanted;
      const bool certain = std::ranges::all_of(residence.after, [&](Id other) {
        const auto found = residences.find(other);
        if (found == residences.end())
          return true;
        free = std::max(free, found->second.lastEnd);
        return found->second.open && found->second.active == 0;
      });
      if (!certain)
        continue;
      residence.open = residence.lastEnd = free + tenants[residence.tenant].timing->reloadCycles();
      residence.schedule = createSchedule(*tenants[residence.tenant].timing, 1);
      for (const Ticket ticket : residence.users)
        enter(residence, ticket);
      changed = true;
    }
}

void ChipPool::State::progress(Ticket ticket, std::uint64_t steps) {
  Entry &entry = entries.at(ticket);
  entry.done = steps;
  if (entry.inner)
    residences.at(entry.residence).schedule->progress(*entry.inner, steps);
  settle();
}

void ChipPool::State::end(Ticket ticket, std::uint64_t steps) {
  Entry &entry = entries.at(ticket);
  entry.done = std::max<std::uint64_t>(steps, 1);
  entry.ended = true;
  if (entry.inner)
    residences.at(entry.residence).schedule->finish(*entry.inner, entry.done);
  settle();
}

void ChipPool::State::cancel(Ticket ticket, std::uint64_t steps) {
  if (placement(ticket))
    return end(ticket, steps);
  Entry &entry = entries.at(ticket);
  Residence &residence = residences.at(entry.residence);
  if (entry.inner)
    residence.schedule->cancel(*entry.inner, 0);
  std::erase(residence.users, ticket);
  --residence.active;
  entries.erase(ticket);
  settle();
}

void ChipPool::State::release(Ticket ticket) {
  if (const auto found = entries.find(ticket); found != entries.end())
    found->second.released = true;
  forget();
}

/// What lies behind the last arrival is of no further use to choices.
void ChipPool::State::forget() {
  for (auto &[id, residence] : residences) {
    if (!residence.open || !openAt(residence, lastArrival))
      continue; // its sequences are still imagined
    std::erase_if(residence.users, [&](Ticket ticket) {
      Entry &entry = entries.at(ticket);
      if (!entry.counted || !entry.released || endOf(entry) > lastArrival)
        return false;
      residence.schedule->release(*entry.inner);
      entries.erase(ticket);
      return true;
    });
  }
  std::erase_if(residences, [&](const auto &item) {
    const auto &[id, residence] = item;
    if (!isOver(residence, lastArrival) || !residence.users.empty())
      return false;
    // Those that come after it have learned from it when they open.
    return std::ranges::none_of(residences, [&](const auto &other) {
      return !other.second.open && std::ranges::find(other.second.after, id) != other.second.after.end();
    });
  });
}

Cycle ChipPool::State::endOf(const Entry &entry) const {
  return residences.at(entry.residence).schedule->stepEnd(*entry.inner, entry.done - 1);
}

std::optional<Placement> ChipPool::State::placement(Ticket ticket) const {
  const Entry &entry = entries.at(ticket);
  if (!entry.inner)
    return std::nullopt;
  const Residence &residence = residences.at(entry.residence);
  auto found = residence.schedule->placement(*entry.inner);
  if (found)
    found->system = residence.system;
  return found;
}

Cycle ChipPool::State::stepEnd(Ticket ticket, std::uint64_t step) const {
  const Entry &entry = entries.at(ticket);
  return residences.at(entry.residence).schedule->stepEnd(*entry.inner, step);
}

Cycle ChipPool::State::tokenEnd(Ticket ticket, std::uint64_t index) const {
  const Entry &entry = entries.at(ticket);
  return residences.at(entry.residence).schedule->tokenEnd(*entry.inner, index);
}

bool ChipPool::State::startsAfter(const Entry &entry, Cycle at) const {
  if (!entry.inner)
    return true;
  const auto placed = residences.at(entry.residence).schedule->placement(*entry.inner);
  return !placed || placed->start > at;
}

std::vector<Cycle> ChipPool::State::waitingStarts(std::size_t tenant, Cycle at) const {
  std::vector<Cycle> starts;
  for (const auto &[id, residence] : residences) {
    if (residence.tenant != tenant)
      continue;
    const auto open = openAt(residence, at);
    const Cycle by = open ? *open : openBy(residence, at);
    // Those that wait for the opening start behind the moment before it.
    const std::vector<Cycle> own = open && *open <= at ? residence.schedule->waitingStarts(at)
                                   : open              ? residence.schedule->waitingStarts(by - 1)
                                                       : imagined(residence, by)->waitingStarts(by - 1);
    starts.insert(starts.end(), own.begin(), own.end());
  }
  std::ranges::sort(starts);
  return starts;
}

std::size_t ChipPool::State::waiting(std::size_t tenant, Cycle at) const {
  return std::ranges::count_if(
      entries, [&](const auto &item) { return item.second.tenant == tenant && startsAfter(item.second, at); });
}

std::size_t ChipPool::State::running(std::size_t tenant, Cycle at) const {
  return std::ranges::count_if(entries, [&](const auto &item) {
    const Entry &entry = item.second;
    return entry.tenant == tenant && !startsAfter(entry, at) && !(entry.ended && endOf(entry) <= at);
  });
}

/// The least that a system has come to which is at work.
Cycle ChipPool::State::now() const {
  std::optional<Cycle> least;
  for (const auto &[id, residence] : residences) {
    if (residence.open && residence.active > 0)
      least = std::min(least.value_or(residence.schedule->now()), residence.schedule->now());
  }
  return reachedNow = std::max({reachedNow, lastArrival, least.value_or(latestEnd)});
}

std::optional<Cycle> ChipPool::State::certainUntil() const {
  std::optional<Cycle> least;
  for (const auto &[id, residence] : residences)
    if (residence.schedule)
      if (const auto own = residence.schedule->certainUntil())
        least = std::min(least.value_or(*own), *own);
  return least;
}

ResidencyState ChipPool::State::summary(std::size_t tenant) const { return states[tenant]; }

} // namespace lpu::serve
