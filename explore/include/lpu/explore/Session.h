// A store with its study read back: what all commands but `run` begin with.
#pragma once

#include "lpu/explore/Explorer.h"
#include "lpu/explore/StudyFiles.h"
#include "lpu/isa/FileUses.h"

#include <memory>
#include <string>

namespace lpu::explore {

struct Session {
  std::unique_ptr<Store> store;
  std::unique_ptr<Study> study;
  std::string build;                ///< of the compiler that the results are from
  std::vector<isa::FileUse> inputs; ///< the store, the study and the files that it names
  RunEnd end;
};

/// Error: no store, no study in it, a study that this version cannot read.
Result<Session> openSession(const std::string &storePath);

/// A row's workloads as measured; only of rows with costs.
Result<std::vector<Measured>> measuredOf(Session &session, const Row &row);

/// Points by number; sensitivity's come behind the search's.
std::string pointsCsv(const Study &study, const std::vector<Row> &rows);
/// The points of a shard, without columns that are measured.
std::string plannedCsv(const Study &study, const std::vector<Row> &rows, const RunOptions &options);

/// One HTML file with everything in it. Error: of the store, or of the table of energy.
Result<std::string> reportHtml(Session &session);
/// The points over two columns, with bars. Error: a column that is none, or that no point has.
Result<std::string> paretoSvg(Session &session, const std::string &x, const std::string &y);

/// Of `status`: points by state, failures by reason, processor time, hypervolume, time left.
Result<std::string> statusText(Session &session, bool withFailures);
Result<std::string> statusJson(Session &session);

/// Of `why`: what binds a point, where its energy goes, and how it differs from another one ("base": the unchanged
/// machine, or the first point of a study that does not have it).
Result<std::string> whyText(Session &session, std::size_t point, const std::string &against);

struct AuditOptions {
  double share = 0.05; ///< of the points beside the frontier
  double timeoutSeconds = 0;
  std::uint64_t memoryBytes = 0;
};
/// Compiles the frontier and a sample again and simulates them: cycles and counts must be equal. One line a point to
/// stdout; true: all are.
Result<bool> auditStore(Session &session, const AuditOptions &options);

/// Of `energy`: a program's counts times a table, with bands.
Result<std::string> energyText(const std::string &program, const std::string &model, bool asJson);

/// Indices of rows on the frontier.
std::vector<std::size_t> frontierRows(const Study &study, const std::vector<Row> &rows);

} // namespace lpu::explore
