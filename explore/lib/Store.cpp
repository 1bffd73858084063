// SQLite with a rollback journal, which also works on network file systems. A kill at any
// moment leaves either a transaction or nothing of it.
#include "lpu/explore/Store.h"

#include "lpu/explore/StudyFiles.h"

#include <sqlite3.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

namespace lpu::explore {
namespace {

constexpr int kApplication = 0x4C505545; // "LPUE"
constexpr int kVersion = 1;
constexpr const char *kTables = R"(
  CREATE TABLE study(id INTEGER PRIMARY KEY CHECK (id = 1), inputs TEXT NOT NULL, build TEXT NOT NULL);
  CREATE TABLE result(key TEXT NOT NULL, kind TEXT NOT NULL, build TEXT NOT NULL, outcome TEXT NOT NULL,
                      reason TEXT NOT NULL, measured TEXT NOT NULL, cpu_s REAL NOT NULL, peak_bytes INTEGER NOT NULL,
                      host TEXT NOT NULL, PRIMARY KEY (key, kind)) WITHOUT ROWID;
  CREATE TABLE attempt(id INTEGER PRIMARY KEY, key TEXT NOT NULL, kind TEXT NOT NULL, began TEXT NOT NULL,
                       ended TEXT, outcome TEXT);
)";

std::string kindName(Kind kind) { return kind == Kind::Schedule ? "schedule" : "bounds"; }
Kind kindNamed(const std::string &name) { return name == "bounds" ? Kind::Bounds : Kind::Schedule; }
Outcome outcomeNamed(const std::string &name) {
  return name == "done" ? Outcome::Done : name == "infeasible" ? Outcome::Infeasible : Outcome::Failed;
}

} // namespace

std::string outcomeName(Outcome outcome) {
  return outcome == Outcome::Done ? "done" : outcome == Outcome::Infeasible ? "infeasible" : "failed";
}

/// A statement with its values; what goes wrong is kept for status().
class Store::Query {
public:
  Query(Store &store, const char *sql) : store(store) {
    isGood = sqlite3_prepare_v2(store.database, sql, -1, &statement, nullptr) == SQLITE_OK;
  }
  ~Query() { sqlite3_finalize(statement); }
  Query(const Query &) = delete;
  Query &operator=(const Query &) = delete;

  Query &bind(const std::string &text) {
    isGood = isGood && sqlite3_bind_text(statement, ++bound, text.c_str(), static_cast<int>(text.size()),
                                         SQLITE_TRANSIENT) == SQLITE_OK;
    return *this;
  }
  Query &bind(double value) {
    isGood = isGood && sqlite3_bind_double(statement, ++bound, value) == SQLITE_OK;
    return *this;
  }
  Query &bind(std::uint64_t value) {
    isGood = isGood && sqlite3_bind_int64(statement, ++bound, static_cast<sqlite3_int64>(value)) == SQLITE_OK;
    return *this;
  }
  /// Is there a row (more)?
  bool next() {
    const int code = isGood ? sqlite3_step(statement) : SQLITE_ERROR;
    isGood = code == SQLITE_ROW || code == SQLITE_DONE;
    return code == SQLITE_ROW;
  }
  Status run() {
    while (next())
      ;
    return status("be written");
  }
  Status status(const std::string &doing) const { return isGood ? Status(Ok{}) : Status(store.failure(doing)); }

  std::string text(int column) const {
    const unsigned char *bytes = sqlite3_column_text(statement, column);
    return bytes ? std::string(reinterpret_cast<const char *>(bytes),
                               static_cast<std::size_t>(sqlite3_column_bytes(statement, column)))
                 : std::string();
  }
  double real(int column) const { return sqlite3_column_double(statement, column); }
  std::uint64_t integer(int column) const {
    return static_cast<std::uint64_t>(sqlite3_column_int64(statement, column));
  }

  /// Columns: key, kind, build, outcome, reason, measured, cpu_s, peak_bytes, host.
  StoredResult result() const {
    return {text(0), kindNamed(text(1)), text(2), outcomeNamed(text(3)), text(4), text(5), real(6), integer(7), text(8),
            false};
  }

private:
  Store &store;
  sqlite3_stmt *statement = nullptr;
  int bound = 0;
  bool isGood = false;
};

Error Store::failure(const std::string &doing) const {
  const int code = sqlite3_errcode(database) & 0xff;
  const char *cause = code == SQLITE_FULL       ? "the disk is full; make room and run again, what was stored stays"
                      : code == SQLITE_READONLY ? "it is read-only; choose another place with --store"
                      : code == SQLITE_CANTOPEN ? "its folder is missing or read-only; choose another with --store"
                      : code == SQLITE_NOTADB   ? "it is no store; choose another file with --store"
                      : code == SQLITE_CORRUPT  ? "it is damaged or was cut short; take a copy, or begin a new store"
                      : code == SQLITE_IOERR    ? "the disk is full or fails; make room and run again"
                      : code == SQLITE_BUSY     ? "another process is using it; wait for its end"
                                                : sqlite3_errmsg(database);
  return {file, fmt::format("cannot {}: {}", doing, cause)};
}

Result<std::unique_ptr<Store>> Store::open(const std::string &path, Access access) {
  std::unique_ptr<Store> store(new Store(path));
  std::error_code failed;
  const bool isThere = std::filesystem::exists(path, failed);
  if (access == Access::Read && !isThere)
    return Error{path, "there is no such store; lpu-explore run makes one"};
  if (std::filesystem::is_directory(path, failed))
    return Error{path, "is a folder, not a store; name a file"};
  // SQLite takes a file of less than its header for a new one.
  constexpr std::uintmax_t kHeader = 100;
  if (const std::uintmax_t size = isThere ? std::filesystem::file_size(path, failed) : 0; size > 0 && size < kHeader)
    return Error{path, "cannot be read: it is damaged or was cut short; take a copy, or begin a new store"};
  if (access == Access::Write) {
    // Held until this process ends, however it ends. Kept open beside SQLite: closing it would drop SQLite's locks.
    store->lock = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (store->lock < 0)
      return Error{path, fmt::format("cannot be written: {}; choose another place with --store", std::strerror(errno))};
    if (flock(store->lock, LOCK_EX | LOCK_NB) != 0)
      return Error{path, "another lpu-explore is writing to it; wait for its end, or take another --store"};
  }
  const int flags = access == Access::Write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
  if (sqlite3_open_v2(path.c_str(), &store->database, flags, nullptr) != SQLITE_OK)
    return store->failure("be opened");
  sqlite3_busy_timeout(store->database, 10000); // readers beside a writer wait
  if (Status good = store->prepareTables(access == Access::Write); !good)
    return good.error();
  return store;
}

Store::~Store() {
  sqlite3_close(database);
  if (lock >= 0)
    ::close(lock);
}

Status Store::execute(const std::string &sql) {
  return sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK ? Status(Ok{})
                                                                                     : Status(failure("be written"));
}

Status Store::prepareTables(bool mayWrite) {
  std::uint64_t application = 0, version = 0, tables = 0;
  for (const auto &[sql, to] : {std::pair("PRAGMA application_id", &application),
                                {"PRAGMA user_version", &version},
                                {"SELECT count(*) FROM sqlite_master", &tables}}) {
    Query query(*this, sql);
    if (query.next())
      *to = query.integer(0);
    if (Status good = query.status("be read"); !good)
      return good;
  }
  if (tables == 0 && application == 0) {
    if (!mayWrite)
      return Error{file, "is an empty store; run the study into it first"};
    return execute(fmt::format("BEGIN IMMEDIATE; {} PRAGMA application_id={}; PRAGMA user_version={}; COMMIT", kTables,
                               kApplication, kVersion));
  }
  if (application != kApplication)
    return Error{file, "is a database, but no store of lpu-explore; choose another file"};
  if (version != kVersion)
    return Error{
        file, fmt::format("has version {} of stores, this lpu-explore knows {}; begin a new store", version, kVersion)};
  Query check(*this, "PRAGMA quick_check(1)");
  const bool isWhole = check.next() && check.text(0) == "ok";
  if (Status good = check.status("be read"); !good)
    return good;
  return isWhole ? Status(Ok{}) : Status(Error{file, "is damaged or was cut short; take a copy, or begin a new store"});
}

Result<std::optional<StoredStudy>> Store::study() {
  Query query(*this, "SELECT inputs, build FROM study");
  std::optional<StoredStudy> study;
  if (query.next())
    study = StoredStudy{query.text(0), query.text(1)};
  if (Status good = query.status("be read"); !good)
    return good.error();
  return study;
}

Status Store::setStudy(const StoredStudy &study) {
  return Query(*this, "INSERT OR REPLACE INTO study VALUES (1, ?, ?)").bind(study.inputs).bind(study.build).run();
}

Result<std::optional<StoredResult>> Store::find(const std::string &key, Kind kind) {
  Query query(*this, "SELECT * FROM result WHERE key = ? AND kind = ?");
  query.bind(key).bind(kindName(kind));
  std::optional<StoredResult> result;
  if (query.next())
    result = query.result();
  if (Status good = query.status("be read"); !good)
    return good.error();
  return result;
}

Status Store::begin(const std::string &key, Kind kind) {
  return Query(*this, "INSERT INTO attempt(key, kind, began) VALUES (?, ?, datetime('now'))")
      .bind(key)
      .bind(kindName(kind))
      .run();
}

Status Store::put(const StoredResult &r) {
  if (Status begun = execute("BEGIN IMMEDIATE"); !begun)
    return begun;
  Status written = Query(*this, "INSERT OR REPLACE INTO result VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")
                       .bind(r.key)
                       .bind(kindName(r.kind))
                       .bind(r.build)
                       .bind(outcomeName(r.outcome))
                       .bind(r.reason)
                       .bind(r.measured)
                       .bind(r.cpuSeconds)
                       .bind(r.peakBytes)
                       .bind(r.host)
                       .run();
  if (written)
    written = Query(*this, "UPDATE attempt SET ended = datetime('now'), outcome = ? WHERE id = (SELECT max(id) FROM "
                           "attempt WHERE key = ? AND kind = ? AND ended IS NULL)")
                  .bind(outcomeName(r.outcome))
                  .bind(r.key)
                  .bind(kindName(r.kind))
                  .run();
  if (written)
    written = execute("COMMIT");
  if (!written)
    sqlite3_exec(database, "ROLLBACK", nullptr, nullptr, nullptr);
  return written;
}

Status Store::forgetFailures(const std::string &build) {
  return Query(*this, "DELETE FROM result WHERE outcome = 'failed' AND build = ?").bind(build).run();
}

Result<std::vector<StoredResult>> Store::all() {
  Query query(*this, "SELECT * FROM result ORDER BY key, kind");
  std::vector<StoredResult> results;
  while (query.next())
    results.push_back(query.result());
  if (Status good = query.status("be read"); !good)
    return good.error();
  return results;
}

Result<Store::Attempts> Store::attempts() {
  Query query(*this, "SELECT count(*), count(*) FILTER (WHERE ended IS NULL) FROM attempt");
  Attempts attempts;
  if (query.next())
    attempts = {query.integer(0), query.integer(1)};
  if (Status good = query.status("be read"); !good)
    return good.error();
  return attempts;
}

namespace {

/// Parts may have been run from different folders.
bool isSameStudy(const std::string &a, const std::string &b) {
  const Result<StudyInputs> one = readInputs(a), other = readInputs(b);
  return one && other && one->text == other->text && one->machines == other->machines &&
         one->energies == other->energies && one->digests == other->digests;
}

} // namespace

Status mergeStores(Store &all, Store &part) {
  const Result<std::optional<StoredStudy>> own = all.study(), other = part.study();
  if (!own)
    return own.error();
  if (!other)
    return other.error();
  if (!*other)
    return Error{part.path(), "has no study; run one into it first"};
  if (*own && ((*own)->build != (*other)->build || !isSameStudy((*own)->inputs, (*other)->inputs)))
    return Error{part.path(), fmt::format("is of another study or another build of the compiler than {}; merge only "
                                          "parts of one study",
                                          all.path())};
  const Result<std::vector<StoredResult>> results = part.all();
  if (!results)
    return results.error();
  for (const StoredResult &r : *results) {
    const Result<std::optional<StoredResult>> known = all.find(r.key, r.kind);
    if (!known)
      return known.error();
    if (*known && (*known)->outcome != Outcome::Failed && r.outcome != Outcome::Failed &&
        ((*known)->measured != r.measured || (*known)->reason != r.reason))
      return Error{part.path(), fmt::format("has another result than {} for {}; one of the two is wrong, run it again "
                                            "with --refresh",
                                            all.path(), r.key)};
    // A result beats a failure.
    if (!*known || (*known)->outcome == Outcome::Failed)
      if (Status put = all.put(r); !put)
        return put;
  }
  return all.setStudy(**other);
}

} // namespace lpu::explore
