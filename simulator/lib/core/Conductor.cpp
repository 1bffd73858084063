// Why nobody waits forever: a chip that is blocked in cycle t waits for vectors that
// are sent before t (those that arrive within `patience` ≤ flight cycles from t on),
// so of all that are blocked the one furthest behind never is. A hazard ends the need
// to wait for anything later.
#include "Conductor.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace lpu::sim {

namespace {
constexpr int kSpins = 2000;     ///< looks at the news before a thread sleeps; some microseconds
constexpr int kEagerPolls = 200; ///< polls of other processes before pausing between them
constexpr auto kPollPause = std::chrono::microseconds(20);
} // namespace

Conductor::Conductor(int threadCount, Cycle patience, EarliestHazard &hazard, Elsewhere *elsewhere)
    : patience(patience), hazard(hazard), elsewhere(elsewhere) {
  for (int i = 1; i < threadCount; ++i)
    threads.emplace_back([this] { threadMain(); });
}

Conductor::~Conductor() { stop(); }

void Conductor::stop() {
  {
    std::lock_guard lock(mutex);
    stopping = true;
    ++news;
  }
  changed.notify_all();
  for (std::thread &thread : threads)
    thread.join();
  threads.clear();
}

int Conductor::add(Player &player) {
  members.push_back({&player, {}, {}});
  return static_cast<int>(members.size()) - 1;
}

void Conductor::addInput(int player, Channel &channel) {
  members[player].inputs.push_back({&channel});
  channel.wake = [this, player] { wake(player); };
}

void Conductor::addOutput(int player, Outlet &outlet) { members[player].outputs.push_back({&outlet}); }

void Conductor::begin() {
  for (Member &member : members)
    member.state = State::Away;
  seenHazard = kNever;
}

void Conductor::expect(int player, std::size_t input, const LinkTraffic &traffic, Cycle release) {
  members[player].inputs[input].receives = &traffic;
  members[player].inputs[input].release = release;
}

void Conductor::announce(int player, std::size_t output, const LinkTraffic &traffic) {
  members[player].outputs[output].known = traffic.known;
}

void Conductor::enter(int player, Cycle release) {
  members[player].state = State::Resting;
  members[player].clock = release;
}

void Conductor::leave(int player) {
  members[player].state = State::Done;
  for (const Output &output : members[player].outputs)
    output.outlet->close();
}

Cycle Conductor::limitOf(const Input &input) const {
  const Cycle safe = input.channel->safe();
  if (safe == kNever || !input.receives->known)
    return safe;
  const std::vector<Cycle> &receives = input.receives->receives;
  const auto next = std::lower_bound(receives.begin(), receives.end(), safe - input.release);
  return next == receives.end() ? kNever : input.release + *next;
}

/// What safe() must reach so that a chip at `now` can run `patience` cycles.
Cycle Conductor::targetOf(const Input &input, Cycle now) const {
  const Cycle end = now + patience;
  if (!input.receives->known)
    return end;
  const std::vector<Cycle> &receives = input.receives->receives;
  const auto after = std::lower_bound(receives.begin(), receives.end(), end - input.release);
  return after == receives.begin() ? now : std::max(now, input.release + *std::prev(after) + 1);
}

bool Conductor::reached(const Member &member) const {
  return std::ranges::all_of(member.inputs, [&](const Input &input) {
    // After a hazard nothing is received any more, so nothing need be waited for.
    return input.channel->safe() >= input.target || member.clock > hazard.at;
  });
}

void Conductor::wake(int index) {
  std::lock_guard lock(mutex);
  if (members[index].state != State::Blocked || !reached(members[index]))
    return;
  --blocked;
  makeReady(index);
}

void Conductor::makeReady(int index) {
  members[index].state = State::Ready;
  for (Input &input : members[index].inputs)
    input.channel->await(kNever);
  ready.push_back(index);
  std::ranges::push_heap(ready, std::greater<>(), [this](int i) { return std::pair(members[i].clock, i); });
  ++news;
  changed.notify_one();
}

void Conductor::block(int index) {
  Member &member = members[index];
  for (Input &input : member.inputs) {
    input.target = targetOf(input, member.clock);
    input.channel->await(input.target);
  }
  if (reached(member))
    return makeReady(index);
  member.state = State::Blocked;
  ++blocked;
}

Cycle Conductor::play(Member &member) {
  const Cycle now = member.clock;
  Cycle limit = horizon;
  const Cycle last = hazard.at; // what would be received after it is not
  for (const Input &input : member.inputs)
    if (const Cycle own = limitOf(input); own <= last)
      limit = std::min(limit, own);
  for (const Output &output : member.outputs)
    if (!output.known)
      limit = std::min(limit, now + patience);
  member.player->take(now);
  const Cycle next = limit > now ? member.player->play(now, limit) : now;
  for (const Output &output : member.outputs)
    if (next == kNever)
      output.outlet->close();
    else if (!output.known)
      output.outlet->reach(next);
  return next;
}

bool Conductor::playNext(std::unique_lock<std::mutex> &lock) {
  if (ready.empty())
    return false;
  std::ranges::pop_heap(ready, std::greater<>(), [this](int i) { return std::pair(members[i].clock, i); });
  const int index = ready.back();
  ready.pop_back();
  members[index].state = State::Playing;
  ++playing;
  lock.unlock();
  if (elsewhere)
    elsewhere->poll();
  const Cycle clock = play(members[index]);
  lock.lock();
  --playing;
  settle(index, clock);
  noticeHazard();
  if (over()) {
    ++news;
    changed.notify_all();
  }
  return true;
}

void Conductor::settle(int index, Cycle clock) {
  members[index].clock = clock;
  if (clock == kNever)
    members[index].state = State::Done;
  else if (clock >= horizon)
    members[index].state = State::Resting;
  else
    block(index);
}

void Conductor::noticeHazard() {
  const Cycle at = hazard.at;
  if (at == seenHazard)
    return;
  seenHazard = at;
  if (elsewhere)
    elsewhere->hazardAt(at);
  for (int i = 0; i < static_cast<int>(members.size()); ++i)
    if (members[i].state == State::Blocked && reached(members[i])) {
      --blocked;
      makeReady(i);
    }
}

void Conductor::waitForWork(std::unique_lock<std::mutex> &lock, bool main) {
  const unsigned seen = news;
  lock.unlock();
  for (int i = 0; i < kSpins && news == seen; ++i)
    ;
  lock.lock();
  changed.wait(lock, [&] { return stopping || !ready.empty() || (main && over()); });
}

void Conductor::threadMain() {
  std::unique_lock lock(mutex);
  while (!stopping)
    if (!playNext(lock))
      waitForWork(lock, false);
}

Cycle Conductor::run(Cycle newHorizon) {
  std::unique_lock lock(mutex);
  horizon = newHorizon;
  for (int i = 0; i < static_cast<int>(members.size()); ++i)
    if (members[i].state == State::Resting && members[i].clock < horizon)
      makeReady(i);
  for (int idle = 0; !over();) {
    if (playNext(lock)) {
      idle = 0;
    } else if (elsewhere) {
      lock.unlock();
      const bool heard = elsewhere->poll();
      if (!heard && ++idle > kEagerPolls)
        std::this_thread::sleep_for(kPollPause);
      lock.lock();
      noticeHazard();
    } else if (playing == 0 && ready.empty()) {
      std::fputs("lpu-run: bug: chips wait for each other in a circle\n", stderr);
      std::abort();
    } else {
      waitForWork(lock, true);
    }
  }
  Cycle next = kNever;
  for (const Member &member : members)
    if (member.state == State::Resting)
      next = std::min(next, member.clock);
  return next;
}

} // namespace lpu::sim
