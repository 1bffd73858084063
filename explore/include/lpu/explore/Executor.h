// Runs compilations in child processes, here or on other ranks: what crashes, hangs or eats all
// memory is a result like any other.
#pragma once

#include "lpu/explore/Store.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lpu::explore {

/// A compilation with everything that a process elsewhere needs for it, but for the model's file.
struct Task {
  std::string key;
  Kind kind = Kind::Schedule;
  std::string build;                  ///< that the compiler must be
  std::string machine;                ///< text of its description
  std::string model, spelled;         ///< path, and how the study writes it
  std::vector<std::string> arguments; ///< of lpucc, model included
};
std::string writeTask(const Task &task);
Task readTask(const std::string &json);
std::string writeResult(const StoredResult &result);
StoredResult readResult(const std::string &json);

struct Limits {
  std::string compiler;          ///< path of lpucc
  double timeoutSeconds = 0;     ///< of a child; 0: none
  std::uint64_t memoryBytes = 0; ///< of a child; 0: none
};

class Executor {
public:
  virtual ~Executor() = default;
  virtual bool hasRoom() const = 0;
  virtual std::size_t running() const = 0;
  /// Only with room. Error: no process could be started.
  virtual Status start(const Task &task) = 0;
  /// One that has ended; empty if none does within `seconds`.
  virtual std::optional<StoredResult> wait(double seconds) = 0;
};

/// Children of this process, `jobs` at a time.
std::unique_ptr<Executor> makeLocalExecutor(std::size_t jobs, const Limits &limits);

/// Path of an executable beside this one, or in PATH. Error: there is none.
Result<std::string> findTool(const std::string &name);

/// Ranks that mpirun has started; MPI is initialised only then.
int launchedRank();
int launchedRanks();
/// Rank 0: tasks go to the other ranks, `jobs` at a time each. Error: built without MPI.
Result<std::unique_ptr<Executor>> makeMpiExecutor(std::size_t jobs);
/// Other ranks: run what rank 0 sends until it ends.
Status serveTasks(std::size_t jobs, const Limits &limits);

} // namespace lpu::explore
