// Views of one state: a schedule for each tenant.
#include "lpu/serve/Residency.h"

#include "ResidencyState.h"

namespace lpu::serve {

class ChipPool::View final : public Schedule {
public:
  View(std::shared_ptr<State> state, std::size_t tenant) : state(std::move(state)), tenant(tenant) {}

  Ticket admit(Cycle arrival, const Work &work) override { return state->admit(tenant, arrival, work); }
  void progress(Ticket ticket, std::uint64_t steps) override { state->progress(ticket, steps); }
  void finish(Ticket ticket, std::uint64_t steps) override { state->end(ticket, steps); }
  void cancel(Ticket ticket, std::uint64_t steps) override { state->cancel(ticket, steps); }
  void release(Ticket ticket) override { state->release(ticket); }
  std::optional<Placement> placement(Ticket ticket) const override { return state->placement(ticket); }
  Cycle stepEnd(Ticket ticket, std::uint64_t step) const override { return state->stepEnd(ticket, step); }
  Cycle tokenEnd(Ticket ticket, std::uint64_t index) const override { return state->tokenEnd(ticket, index); }

  StartBound bound(Cycle arrival) const override { return state->bound(tenant, arrival, {1, 1}); }

  std::vector<StartBound> bounds(Cycle arrival, std::span<const Work> works) const override {
    std::vector<StartBound> out;
    State imagined(*state);
    for (std::size_t i = 0; i < works.size(); ++i) {
      out.push_back(imagined.bound(tenant, arrival, works[i]));
      if (i + 1 < works.size())
        imagined.admit(tenant, arrival, works[i]);
    }
    return out;
  }

  /// By sequences that take as long as any may.
  Cycle freeBy(Cycle arrival, unsigned count, Tier) const override {
    const Timing &timing = *state->tenantOf(tenant).timing;
    const Work longest = timing.isEncoder() ? Work{timing.context(), 1} : Work{1, timing.context()};
    return bounds(arrival, std::vector<Work>(count, longest)).back().start;
  }

  std::vector<Cycle> waitingStarts(Cycle at) const override { return state->waitingStarts(tenant, at); }
  std::size_t waiting(Cycle at) const override { return state->waiting(tenant, at); }
  std::size_t running(Cycle at) const override { return state->running(tenant, at); }
  Cycle now() const override { return state->now(); }
  std::optional<Cycle> certainUntil() const override { return state->certainUntil(); }
  unsigned systems() const override { return state->tenantOf(tenant).systems; }
  unsigned slots(Tier) const override { return systems() * state->tenantOf(tenant).timing->users(); }
  std::unique_ptr<Schedule> clone() const override {
    return std::make_unique<View>(std::make_shared<State>(*state), tenant);
  }

private:
  std::shared_ptr<State> state;
  std::size_t tenant;
};

ChipPool::ChipPool(std::vector<Tenant> tenants, unsigned chips)
    : own(std::make_shared<State>(std::move(tenants), chips)) {}

ChipPool::~ChipPool() = default;

std::unique_ptr<Schedule> ChipPool::tenant(std::size_t index) { return std::make_unique<View>(own, index); }

ResidencyState ChipPool::state(std::size_t tenant) const { return own->summary(tenant); }

} // namespace lpu::serve
