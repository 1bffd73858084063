// One system at work: a thread that runs steps of the sequences it was given on a simulator, and says what came of
// each.
#pragma once

#include "lpu/rt/Sequence.h"
#include "lpu/serve/Outcome.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace lpu::serve {

/// A sequence on its way through a worker.
struct Assignment {
  rt::GenerateRequest request;
  bool logprobs = false;
  unsigned topLogprobs = 0;
  unsigned slot = 0;                  ///< of the system's users
  std::uint64_t number = 0;           ///< the owner's
  std::atomic<bool> cancelled{false}; ///< set from any thread; holds from the next step on
  // Of a worker that is not to run ahead, see WorkerOptions:
  std::atomic<bool> dropped{false}; ///< its owner has ended it, and wants to hear no more
  std::atomic<unsigned> unseen{0};  ///< updates that its owner has not acted on
};

/// What a step brought one sequence.
struct Update {
  std::shared_ptr<Assignment> of;
  std::uint64_t steps = 0;      ///< done so far
  std::uint64_t positions = 0;  ///< of its cache that hold something
  std::optional<TokenId> token; ///< that was picked
  std::string text;             ///< that can be shown now
  std::string stop;             ///< the stop text that ended it; empty: none did
  std::optional<TokenLogprob> logprob;
  std::optional<rt::FinishReason> finished;
  std::string digest;                             ///< once it has finished; of what is not to run ahead, always
  std::vector<float> vector;                      ///< of an encoder
  std::size_t program = 0;                        ///< the step program that ran
  Cycle predictedCycles = 0, simulatedCycles = 0; ///< of this step
  double wallSeconds = 0;                         ///< the host's, since the step before if that was the last thing done
};

/// The output of an encoder's step that is one vector for a sequence: its embedding. Null: there is none.
const isa::Binding *embeddingOf(const isa::Program &program, std::size_t step);

/// A step that was run before all others, which also pays what is paid once.
struct WarmUp {
  std::size_t program = 0;
  double wallSeconds = 0; ///< 0: none was run
};

struct WorkerOptions {
  std::size_t frameProgram = 0; ///< what every step of several users runs
  /// Steps that a sequence may be ahead of what its owner has acted on; none: it runs as fast as it can.
  std::optional<unsigned> ahead;
};

class Worker {
public:
  struct Events {
    /// Once: what a step takes here, or why the simulator cannot run.
    std::function<void(Result<WarmUp>)> loaded;
    std::function<void(std::vector<Update>)> step;   ///< of all who took part in it
    std::function<void(const std::string &)> failed; ///< the last event: a violation, or a wrong prediction
  };

  /// Events come from the worker's thread. Program and tokenizer outlive the worker.
  Worker(const isa::Program &program, const text::Tokenizer *tokenizer, const WorkerOptions &options,
         std::unique_ptr<sim::Simulator> simulator, std::function<Status()> ready, Events events);
  /// Ends after the step it is in.
  ~Worker();

  /// To be run from now on. Its slot's last sequence has finished, or was dropped.
  void add(std::shared_ptr<Assignment> assignment);
  /// The owner has acted on updates, or dropped a sequence.
  void wake();

private:
  struct Slot;
  void work();
  Result<WarmUp> warmUp();
  bool takeNew();
  bool mayStep();
  double sinceLastStep();
  bool step();
  bool encode();
  bool report(const std::string &program, std::vector<Update> updates);
  std::size_t nextProgram() const;
  void note(Slot &slot, const rt::SequenceOutput &output, Update &update) const;

  const isa::Program &program;
  const text::Tokenizer *tokenizer;
  const WorkerOptions options;
  std::unique_ptr<sim::Simulator> simulator;
  std::function<Status()> ready;
  Events events;
  rt::Session session;
  std::vector<std::unique_ptr<Slot>> slots; ///< null: free
  std::mutex mutex;
  std::condition_variable arrived;
  std::deque<std::shared_ptr<Assignment>> waiting;
  bool ending = false;
  std::chrono::steady_clock::time_point begun; ///< what comes next: a step, or the wait for one
  std::thread thread;
};

} // namespace lpu::serve
