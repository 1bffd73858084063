// lpu-explore: command line of the explorer.

#include "lpu/explore/Session.h"
#include "lpu/isa/BuildId.h"
#include "lpu/isa/FileUses.h"
#include "lpu/isa/Files.h"
#include "lpu/isa/Version.h"

#include <CLI/CLI.hpp>

#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fmt/format.h>
#include <span>
#include <unistd.h>

using namespace lpu;
using namespace lpu::explore;

namespace {

enum ExitCode { kDone = 0, kError = 1, kUsage = 2, kSomeFailed = 3, kStopped = 4 };

int fail(const Error &error) {
  std::fprintf(stderr, "%s\n", error.str().c_str());
  return kError;
}

struct RunCommand {
  std::string study, store, shard, time, compiler;
  std::size_t jobs = 1;
  std::uint64_t limit = 0;
  double timeout = 3600, memoryGB = 0;
  bool isDry = false, refresh = false;
};
struct ReportCommand {
  std::string store, html, csv, pareto, x, y;
};

/// "90", "90s", "15m", "2h".
double secondsOf(const std::string &text) {
  std::size_t used = 0;
  double value = -1;
  try {
    value = std::stod(text, &used);
  } catch (const std::exception &) {
  }
  const std::string unit = text.substr(std::min(used, text.size()));
  const double factor = unit.empty() || unit == "s" ? 1 : unit == "m" ? 60 : unit == "h" ? 3600 : -1;
  return value > 0 && factor > 0 ? value * factor : -1;
}

/// "2/4": the second of four.
bool readShard(const std::string &text, RunOptions &options) {
  unsigned long long own = 0, all = 0;
  char rest = 0;
  if (std::sscanf(text.c_str(), "%llu/%llu%c", &own, &all, &rest) != 2 || own == 0 || own > all)
    return false;
  options.shards = all;
  options.shard = (own + all - 1) % all;
  return true;
}

std::uint64_t physicalMemory() {
  return static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(sysconf(_SC_PAGE_SIZE));
}

Limits limitsOf(const RunCommand &c, const std::string &compiler) {
  const std::uint64_t memory = c.memoryGB > 0 ? static_cast<std::uint64_t>(c.memoryGB * 1e9)
                                              : physicalMemory() / std::max<std::size_t>(1, c.jobs);
  return {compiler, c.timeout, memory};
}

/// After a run: what there is, and the exit code for it.
int conclude(const Study &study, const RunEnd &end, const RunOptions &options, const std::string &store) {
  std::map<State, std::size_t> states;
  bool isStopped = !end.isComplete;
  for (std::size_t i = 0; i < end.rows.size(); ++i) {
    ++states[end.rows[i].state];
    isStopped |= end.rows[i].state == State::Planned && options.isOurs(i);
  }
  std::string line;
  for (const auto &[state, count] : states)
    line += fmt::format("{} {} {}", line.empty() ? "" : ",", count, stateName(state));
  std::fprintf(stderr, "lpu-explore: study %s:%s; results are in %s\n", study.name.c_str(), line.c_str(),
               store.c_str());
  return isStopped ? kStopped : states[State::Failed] ? kSomeFailed : kDone;
}

int dryRun(const Study &study, const std::string &build, const std::string &storePath, const RunOptions &options) {
  std::unique_ptr<Store> store;
  if (std::filesystem::exists(storePath)) {
    Result<std::unique_ptr<Store>> opened = Store::open(storePath, Store::Access::Read);
    if (!opened)
      return fail(opened.error());
    store = std::move(*opened);
  }
  const Result<RunEnd> end = Explorer(study, build, store.get(), nullptr, options).run();
  if (!end)
    return fail(end.error());
  const std::string text = plannedCsv(study, end->rows, options);
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::size_t planned = 0;
  for (std::size_t i = 0; i < end->rows.size(); ++i)
    planned += options.isOurs(i);
  std::fprintf(stderr, "lpu-explore: %zu points planned%s\n", planned,
               end->isComplete ? "" : "; more follow from their results");
  return kDone;
}

/// The store with this study in it, or the reason why it cannot be.
Result<std::unique_ptr<Store>> storeFor(const RunCommand &c, const StudyInputs &inputs, const std::string &build) {
  Result<std::unique_ptr<Store>> store = Store::open(c.store, Store::Access::Write);
  if (!store)
    return store;
  const Result<std::optional<StoredStudy>> known = (*store)->study();
  if (!known)
    return known.error();
  if (*known && (*known)->build != build && !c.refresh)
    return Error{c.store, fmt::format("its results are of another build of the compiler ({}, now {}); --refresh runs "
                                      "the points again, --store begins a new store",
                                      (*known)->build, build)};
  if (c.refresh)
    if (Status forgotten = (*store)->forgetFailures(build); !forgotten)
      return forgotten.error();
  if (Status kept = (*store)->setStudy({writeInputs(inputs), build}); !kept)
    return kept.error();
  return store;
}

int run(RunCommand &c) {
  RunOptions options;
  options.limit = c.limit;
  if (!c.time.empty())
    options.seconds = secondsOf(c.time);
  if (options.seconds < 0 || (!c.shard.empty() && !readShard(c.shard, options))) {
    std::fprintf(stderr, "lpu-explore: error: %s; see lpu-explore run --help\n",
                 options.seconds < 0 ? fmt::format("--time: '{}' is no duration; write 90s, 15m or 2h", c.time).c_str()
                                     : fmt::format("--shard: '{}' is not I/N with I from 1 to N", c.shard).c_str());
    return kUsage;
  }
  // Children run in folders of their own, so the path must hold there.
  const Result<std::string> compiler =
      c.compiler.empty() ? findTool("lpucc") : Result<std::string>(std::filesystem::absolute(c.compiler).string());
  if (!compiler)
    return fail(compiler.error());
  if (launchedRank() > 0) {
    const Status served = serveTasks(c.jobs, limitsOf(c, *compiler));
    return served ? kDone : fail(served.error());
  }
  StudyInputs inputs;
  const Result<Study> study = readStudy(c.study, inputs);
  if (!study)
    return fail(study.error());
  if (options.shards > 1 && (isAdaptive(study->search.method) || study->search.prune))
    return fail({c.study, "its points depend on results of others, so it cannot be cut into shards; leave out --shard, "
                          "or choose another search"});
  const std::string build = isa::buildIdOf(*compiler);
  if (build.empty())
    return fail({*compiler, "cannot be read; give an executable with --compiler"});
  if (c.store.empty())
    c.store = std::filesystem::path(c.study).replace_extension(".db").string();
  if (Status distinct = isa::checkOutputs(inputFiles(inputs), {{"--store", c.store}}); !distinct)
    return fail(distinct.error());
  if (c.isDry)
    return dryRun(*study, build, c.store, options);
  Result<std::unique_ptr<Store>> store = storeFor(c, inputs, build);
  if (!store)
    return fail(store.error());
  stopOnSignals();
  options.showProgress = true;
  Result<std::unique_ptr<Executor>> executor =
      launchedRanks() > 1 ? makeMpiExecutor(c.jobs)
                          : Result<std::unique_ptr<Executor>>(makeLocalExecutor(c.jobs, limitsOf(c, *compiler)));
  if (!executor)
    return fail(executor.error());
  const Result<RunEnd> end = Explorer(*study, build, store->get(), executor->get(), options).run();
  return end ? conclude(*study, *end, options, c.store) : fail(end.error());
}

int status(const std::string &path, bool withFailures, bool asJson) {
  Result<Session> session = openSession(path);
  if (!session)
    return fail(session.error());
  const Result<std::string> text = asJson ? statusJson(*session) : statusText(*session, withFailures);
  if (!text)
    return fail(text.error());
  std::fputs(text->c_str(), stdout);
  return kDone;
}

Status mergeInto(const std::string &path, std::span<const std::string> parts) {
  Result<std::unique_ptr<Store>> all = Store::open(path, Store::Access::Write);
  if (!all)
    return all.error();
  for (const std::string &name : parts) {
    Result<std::unique_ptr<Store>> part = Store::open(name, Store::Access::Read);
    if (!part)
      return part.error();
    if (Status merged = mergeStores(**all, **part); !merged)
      return merged;
  }
  return Ok{};
}

int merge(const std::vector<std::string> &paths) {
  const std::string &all = paths.front();
  std::vector<isa::FileUse> parts;
  for (std::size_t i = 1; i < paths.size(); ++i)
    parts.push_back({"a part", paths[i]});
  if (Status distinct = isa::checkOutputs(parts, {{"the merged store", all}}); !distinct)
    return fail(distinct.error());
  std::error_code failed;
  const bool isNew = !std::filesystem::exists(all, failed);
  if (Status merged = mergeInto(all, std::span(paths).subspan(1)); !merged) {
    if (isNew)
      std::filesystem::remove(all, failed);
    return fail(merged.error());
  }
  return kDone;
}

int report(const ReportCommand &c) {
  std::vector<isa::FileUse> writes;
  isa::addUse(writes, "-o", c.html);
  isa::addUse(writes, "--csv", c.csv);
  isa::addUse(writes, "--pareto", c.pareto);
  if (writes.empty()) {
    std::fprintf(stderr, "lpu-explore: error: nothing to write; give -o R.html (a page), --csv=P.csv (a table) or "
                         "--pareto=F.svg (a picture)\n");
    return kUsage;
  }
  Result<Session> session = openSession(c.store);
  if (!session)
    return fail(session.error());
  if (Status distinct = isa::checkOutputs(session->inputs, writes); !distinct)
    return fail(distinct.error());
  const std::vector<Objective> &objectives = session->study->objectives;
  const std::string y = c.y.empty() ? objectives.front().column : c.y, x = !c.x.empty() ? c.x
                                                                           : objectives.size() > 1
                                                                               ? objectives[1].column
                                                                               : "area_mm2";
  using Text = Result<std::string>;
  const auto write = [](const std::string &path, const auto &text) -> Status {
    if (path.empty())
      return Ok{};
    const Text content = text();
    return content ? writeFileAtomically(path, *content) : content.error();
  };
  for (const Status &written : {write(c.csv, [&] { return Text(pointsCsv(*session->study, session->end.rows)); }),
                                write(c.pareto, [&] { return paretoSvg(*session, x, y); }),
                                write(c.html, [&] { return reportHtml(*session); })})
    if (!written)
      return fail(written.error());
  return kDone;
}

int why(const std::string &store, std::size_t point, const std::string &against) {
  Result<Session> session = openSession(store);
  const Result<std::string> text = session ? whyText(*session, point, against) : session.error();
  if (!text)
    return fail(text.error());
  std::fputs(text->c_str(), stdout);
  return kDone;
}

int audit(const std::string &store, const AuditOptions &options) {
  Result<Session> session = openSession(store);
  const Result<bool> isGood = session ? auditStore(*session, options) : session.error();
  if (!isGood)
    return fail(isGood.error());
  return *isGood ? kDone : kSomeFailed;
}

int energy(const std::string &program, const std::string &model, bool asJson) {
  const Result<std::string> text = energyText(program, model, asJson);
  if (!text)
    return fail(text.error());
  std::fputs(text->c_str(), stdout);
  return kDone;
}

/// why, audit and energy: questions about single points.
struct QuestionCommands {
  std::string store, against = "base", program, model = "gf14";
  std::size_t point = 0;
  AuditOptions audit;
  bool asJson = false;
};

/// "-1" and "" would be read as numbers.
std::string isPoint(const std::string &text) {
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size()
             ? ""
             : fmt::format("'{}' is no number of a point; give one of points.csv", text);
}

void addQuestions(CLI::App &app, QuestionCommands &c, int &code) {
  CLI::App *whyApp =
      app.add_subcommand("why", "what binds a point, where its energy goes, how it differs from another");
  whyApp->add_option("store", c.store, "of a study")->required()->type_name("S.db");
  whyApp->add_option("point", c.point, "its number in points.csv")->required()->type_name("POINT")->check(isPoint);
  whyApp->add_option("--against", c.against, "base, or another point's number; without a base its first point")
      ->capture_default_str();
  whyApp->callback([&] { code = why(c.store, c.point, c.against); });
  CLI::App *auditApp =
      app.add_subcommand("audit", "simulate the frontier and a sample: cycles and counts must be equal");
  auditApp->add_option("store", c.store, "of a study")->required()->type_name("S.db");
  auditApp->add_option("--share", c.audit.share, "of the points beside the frontier")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  auditApp->add_option("--timeout", c.audit.timeoutSeconds, "seconds that a process may take (default: any)");
  auditApp->callback([&] { code = audit(c.store, c.audit); });
  CLI::App *energyApp = app.add_subcommand("energy", "energy, power over time and area of a compiled program");
  energyApp->add_option("program", c.program, "of lpucc")->required()->type_name("X.lpx");
  energyApp->add_option("--model", c.model, "table of energy and area: gf14, sf4x or a YAML file")
      ->capture_default_str();
  energyApp->add_flag("--json", c.asJson, "for programs (docs/spec/reports.md)");
  energyApp->callback([&] { code = energy(c.program, c.model, c.asJson); });
}

void addRun(CLI::App &app, RunCommand &c, int &code) {
  CLI::App *own = app.add_subcommand("run", "compile what a study asks for; goes on where an earlier run stopped");
  own->add_option("study", c.study, "YAML file of the study (docs/howto/explore.md)")
      ->required()
      ->type_name("STUDY.yaml");
  own->add_option("--store", c.store, "SQLite file for results (default: the study's name with .db)");
  own->add_option("--jobs", c.jobs, "compilations at a time, each on one thread; under mpirun of each rank")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  own->add_option("--limit", c.limit, "begin at most so many points")->check(CLI::PositiveNumber);
  own->add_option("--time", c.time, "begin no point after so long: 90s, 15m, 2h");
  own->add_option("--shard", c.shard, "only the I-th of N parts of the points, for machines that share nothing")
      ->type_name("I/N");
  own->add_option("--timeout", c.timeout, "seconds that a compilation may take")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  own->add_option("--memory", c.memoryGB, "GB that a compilation may take (default: the machine's over --jobs)")
      ->check(CLI::PositiveNumber);
  own->add_option("--compiler", c.compiler, "the lpucc to use (default: the one beside this tool)");
  own->add_flag("--dry-run", c.isDry, "list the planned points and compile nothing");
  own->add_flag("--refresh", c.refresh, "run again what failed, or what another build of the compiler gave");
  own->callback([&] { code = run(c); });
}

void addReport(CLI::App &app, ReportCommand &c, int &code) {
  CLI::App *own = app.add_subcommand("report", "write what a store holds");
  own->add_option("store", c.store, "of a study")->required()->type_name("S.db");
  own->add_option("-o,--output", c.html, "a page with plots and tables, for any browser, without a network")
      ->type_name("R.html");
  own->add_option("--csv", c.csv, "all points as a table")->type_name("P.csv");
  own->add_option("--pareto", c.pareto, "the frontier as SVG")->type_name("F.svg");
  own->add_option("--x", c.x, "of the frontier: a column (default: the second objective)");
  own->add_option("--y", c.y, "of the frontier: a column (default: the first objective)");
  own->callback([&] { code = report(c); });
}

/// The exit code, unless something that was printed could not be written.
int flushed(int code) {
  const bool isWritten = std::fflush(stdout) == 0 && !std::ferror(stdout);
  return isWritten ? code : fail({"stdout", "cannot be written; check where it is redirected to"});
}

} // namespace

int main(int argc, char **argv) {
  CLI::App app(
      "Explores machines: compiles models for every variant of a machine and mapping that a study names, and "
      "tells latency, energy and area with error bars.\n\n"
      "  lpu-explore run study.yaml --jobs=8                 compile what is missing, into study.db\n"
      "  lpu-explore run study.yaml --dry-run                list its points\n"
      "  mpirun -n 64 lpu-explore run study.yaml             the same study on a cluster\n"
      "  lpu-explore status study.db --failed                how far it is, and what did not work\n"
      "  lpu-explore report study.db -o r.html --csv=p.csv   a page with plots, and all points as a table\n"
      "  lpu-explore why study.db 17                         what binds point 17, and how it differs from the base\n"
      "  lpu-explore audit study.db                          simulate the frontier: are cycles and counts right?\n"
      "  lpu-explore energy model.lpx                        joules, watts and mm2 of one compiled program\n\n"
      "Exit codes: 0 done, 1 error in the study or a file, 2 wrong usage, 3 some points failed, 4 stopped by "
      "a limit or a signal.",
      "lpu-explore");
  app.set_version_flag("--version", isa::versionLine("lpu-explore"), "version, commit and instruction set");
  app.require_subcommand(1);
  int code = kDone;
  RunCommand runCommand;
  ReportCommand reportCommand;
  addRun(app, runCommand, code);
  std::string statusStore;
  bool withFailures = false, asJson = false;
  CLI::App *statusApp = app.add_subcommand("status", "how far a study is");
  statusApp->add_option("store", statusStore, "of a study")->required()->type_name("S.db");
  statusApp->add_flag("--failed", withFailures, "reasons of points that failed, are infeasible or were pruned");
  statusApp->add_flag("--json", asJson, "for programs (docs/spec/reports.md)");
  statusApp->callback([&] { code = status(statusStore, withFailures, asJson); });
  std::vector<std::string> stores;
  CLI::App *mergeApp = app.add_subcommand("merge", "put the stores of shards together; the first one is written");
  mergeApp->add_option("stores", stores, "ALL.db PART.db...")->required()->expected(2, 1 << 20)->type_name("S.db");
  mergeApp->callback([&] { code = merge(stores); });
  addReport(app, reportCommand, code);
  QuestionCommands questions;
  addQuestions(app, questions, code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success &success) {
    return flushed(app.exit(success));
  } catch (const CLI::ParseError &error) {
    std::fprintf(stderr, "lpu-explore: error: %s; see lpu-explore --help\n", error.what());
    return kUsage;
  }
  return flushed(code);
}
