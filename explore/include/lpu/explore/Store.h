// Results of a study in one SQLite file. Results are kept by what was computed (Job::key); which points a study has,
// their costs and their states follow from the study and are never stored, so that another table of energy needs no
// new results.
#pragma once

#include "lpu/isa/Result.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace lpu::explore {

enum class Kind { Schedule, Bounds };

enum class Outcome {
  Done,       ///< measured
  Infeasible, ///< the compiler refused, with a reason
  Failed      ///< crashed, ran out of memory or time
};
std::string outcomeName(Outcome outcome);

struct StoredResult {
  std::string key;
  Kind kind = Kind::Schedule;
  std::string build;
  Outcome outcome = Outcome::Done;
  std::string reason;   ///< one line; empty if done
  std::string measured; ///< writeMeasured(), if done
  double cpuSeconds = 0;
  std::uint64_t peakBytes = 0;
  std::string host;
  bool hasCrashed = false; ///< ended by a signal, which may not happen again; not stored
};

/// What a store says of its study, beside its results.
struct StoredStudy {
  std::string inputs; ///< writeInputs()
  std::string build;  ///< of the compiler of the last run
};

class Store {
public:
  enum class Access { Read, Write };
  /// A missing file is made if it is to be written. A second writer is refused. Error: what is wrong with the file.
  static Result<std::unique_ptr<Store>> open(const std::string &path, Access access);
  ~Store();
  Store(const Store &) = delete;
  Store &operator=(const Store &) = delete;

  /// Empty: a new store.
  Result<std::optional<StoredStudy>> study();
  Status setStudy(const StoredStudy &study);

  Result<std::optional<StoredResult>> find(const std::string &key, Kind kind);
  /// Notes that a job begins; `find` does not see it.
  Status begin(const std::string &key, Kind kind);
  /// One transaction: the result is there with its attempt, or neither.
  Status put(const StoredResult &result);
  /// Forgets failures of a build, so that they run again.
  Status forgetFailures(const std::string &build);

  Result<std::vector<StoredResult>> all();
  /// Attempts by job that began, and of these those that never ended.
  struct Attempts {
    std::uint64_t begun = 0, open = 0;
  };
  Result<Attempts> attempts();

  const std::string &path() const { return file; }

private:
  explicit Store(std::string path) : file(std::move(path)) {}
  Status prepareTables(bool isNew);
  Status execute(const std::string &sql);
  Error failure(const std::string &doing) const;
  class Query;

  std::string file;
  sqlite3 *database = nullptr;
  int lock = -1; ///< file descriptor that holds the writer's lock
};

/// Adds the results and the study of `part` to `all`. Error: another study, or two results for one key.
Status mergeStores(Store &all, Store &part);

} // namespace lpu::explore
