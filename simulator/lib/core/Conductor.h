// Which chip runs when, and how far, on how many threads. A chip's cycles after
// the release depend on others only through the vectors it receives, and when it
// receives is known beforehand: so a chip runs ahead in its own time until it is
// about to receive a vector that has not been sent yet. Of the chips that can run
// the one that is furthest behind goes first. What is simulated does not depend on
// any of this; only the host's time does.
#pragma once

#include "Channel.h"
#include "Faults.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

namespace lpu::sim {

/// A chip as the conductor sees it. Its calls come from one thread at a time.
class Player {
public:
  static constexpr Cycle kNever = Channel::kNever;
  virtual ~Player() = default;
  /// Takes what has come on its channels; its own time is `now`.
  virtual void take(Cycle now) = 0;
  /// Runs its cycles from `now` until before `limit`. Returns the next one in which it has something to do, not
  /// before `limit`; kNever: nothing any more, or a hazard is in the way.
  virtual Cycle play(Cycle now, Cycle limit) = 0;
};

/// Other processes that simulate chips of the same system.
class Elsewhere {
public:
  virtual ~Elsewhere() = default;
  /// Does what their messages ask for. False: there was none.
  virtual bool poll() = 0;
  /// A chip of this process has found a hazard at `cycle`.
  virtual void hazardAt(Cycle cycle) = 0;
};

class Conductor {
public:
  /// Whoever waits, waits until `patience` cycles can be run; at most the least flight of a channel.
  Conductor(int threads, Cycle patience, EarliestHazard &hazard, Elsewhere *elsewhere = nullptr);
  ~Conductor();
  Conductor(const Conductor &) = delete;
  Conductor &operator=(const Conductor &) = delete;

  int add(Player &player);
  /// `channel` leads to a player.
  void addInput(int player, Channel &channel);
  /// A player's sends go to `outlet`.
  void addOutput(int player, Outlet &outlet);

  /// A new step, in which nobody runs yet.
  void begin();
  /// What a player receives on its input number `input`, counted from its release, which is at `release`.
  void expect(int player, std::size_t input, const LinkTraffic &traffic, Cycle release);
  /// Whether it is known when a player sends on its output number `output`; if not, its clock is passed on.
  void announce(int player, std::size_t output, const LinkTraffic &traffic);
  /// A player may run from `release` on.
  void enter(int player, Cycle release);
  /// A player will never run in this step.
  void leave(int player);
  /// Runs everybody who has entered until before `horizon`. Returns the earliest cycle in which one of them has
  /// something to do after that; kNever: nobody has.
  Cycle run(Cycle horizon);
  /// Ends the threads. run may not follow.
  void stop();

private:
  static constexpr Cycle kNever = Player::kNever;
  enum class State { Away, Resting, Ready, Playing, Blocked, Done };
  struct Input {
    Channel *channel;
    const LinkTraffic *receives = nullptr;
    Cycle release = 0;
    Cycle target = 0; ///< while blocked: what safe() must reach
  };
  struct Output {
    Outlet *outlet;
    bool known = true;
  };
  struct Member {
    Player *player;
    std::vector<Input> inputs;
    std::vector<Output> outputs;
    State state = State::Away;
    Cycle clock = 0; ///< everything before it has run
  };

  void threadMain();
  /// The first cycle that may not be run yet because of what comes on `input`.
  Cycle limitOf(const Input &input) const;
  Cycle targetOf(const Input &input, Cycle now) const;
  bool reached(const Member &member) const;
  void wake(int index);
  /// Takes the next player and runs it; false: none is ready. `lock` is held before and after.
  bool playNext(std::unique_lock<std::mutex> &lock);
  Cycle play(Member &member);
  void settle(int index, Cycle clock);
  void makeReady(int index);
  void block(int index);
  void noticeHazard();
  bool over() const { return ready.empty() && playing == 0 && blocked == 0; }
  void waitForWork(std::unique_lock<std::mutex> &lock, bool main);

  const Cycle patience;
  EarliestHazard &hazard;
  Elsewhere *const elsewhere;
  std::deque<Member> members;

  std::mutex mutex; ///< of everything below, and of states and targets of members
  std::condition_variable changed;
  std::vector<int> ready; ///< heap, least clock first
  int playing = 0, blocked = 0;
  Cycle horizon = 0, seenHazard = kNever;
  bool stopping = false;
  std::atomic<unsigned> news = 0; ///< counts what could end a wait
  std::vector<std::thread> threads;
};

} // namespace lpu::sim
