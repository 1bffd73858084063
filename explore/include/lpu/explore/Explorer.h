// Carries out a study: asks its search for points, has their jobs run, and keeps the results.
// Without an executor the same code reads a study's points back from its store.
#pragma once

#include "lpu/explore/Costs.h"
#include "lpu/explore/Executor.h"
#include "lpu/explore/Search.h"
#include "lpu/explore/Store.h"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace lpu::explore {

enum class State {
  Planned,    ///< not computed yet
  Done,       ///< measured, and all constraints hold
  Infeasible, ///< no such machine, it does not hold the model, or a constraint does not hold
  Pruned,     ///< proven to be uninteresting without a schedule: by a constraint, or by a bound
  Screened,   ///< left out by successive halving, which proves nothing
  Failed      ///< the compiler crashed, or ran out of memory or time
};
std::string stateName(State state);

struct Row {
  Values values;
  std::string key;
  State state = State::Planned;
  std::string reason;
  std::optional<Costs> costs;
  bool isSensitivity = false; ///< not asked for by the search
};

struct RunOptions {
  std::uint64_t limit = 0; ///< points to schedule at most; 0: all
  double seconds = 0;      ///< until no new point is begun; 0: no limit
  std::uint64_t shard = 0, shards = 1;
  bool showProgress = false;

  bool isOurs(std::size_t row) const { return row % shards == shard; }
};

struct RunEnd {
  std::vector<Row> rows;       ///< in the order in which they were asked for
  bool isComplete = false;     ///< the search came to its end
  std::uint64_t scheduled = 0; ///< points that had something to compute in this run
};

/// Raised by SIGINT and SIGTERM: nothing new is begun.
void stopOnSignals();

class Explorer {
public:
  /// `store` may be null: nothing is known. `executor` may be null: nothing is computed.
  Explorer(const Study &study, std::string build, Store *store, Executor *executor, const RunOptions &options = {});
  /// Error: of the store, or of the table of energy; results so far are kept.
  Result<RunEnd> run();

private:
  std::optional<std::vector<Score>> evaluate(const std::vector<Values> &batch, Fidelity fidelity);
  std::vector<std::size_t> rowsOf(const std::vector<Values> &batch);
  void wave(const std::vector<std::size_t> &rows, Kind kind);
  void startRow(std::size_t number, Kind kind);
  void collect(double seconds);
  void judge(Row &row, Kind kind);
  void judgeCosts(Row &row, const Point &point, const std::vector<Measured> &jobs, Kind kind);
  void pruneByBounds(const std::vector<std::size_t> &rows);
  void screenOut(const Values &values, const std::string &reason);
  bool mustStop();
  void showProgress(bool isLast);

  const Study &study;
  std::string build;
  Store *store;
  Executor *executor;
  RunOptions options;
  RunEnd end;
  std::map<std::string, std::size_t> rowByKey;
  struct Flight {
    Task task;
    std::size_t row;
  };
  std::map<std::string, Flight> inFlight; ///< by key and kind
  std::map<std::string, int> crashes;
  std::map<std::size_t, Score> lowest; ///< bounds of rows
  std::optional<Error> error;
  bool isStopped = false;
  double beganAt = 0, shownAt = 0;
};

} // namespace lpu::explore
