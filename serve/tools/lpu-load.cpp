// lpu-load: what becomes of requests under load, by the schedule a server would keep; and a server beside it.
#include "LoadClient.h"
#include "LoadReport.h"
#include "Units.h"
#include "lpu/isa/FileUses.h"
#include "lpu/isa/Files.h"
#include "lpu/isa/Version.h"
#include "lpu/rt/Loader.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <iostream>

namespace lpu::serve {
namespace {

constexpr const char *kAbout =
    "Studies a compiled model under load, in virtual time, without running it.\n\n"
    "  lpu-load model.lpx --workload=poisson:200 --lengths=32:64 --systems=1,2,4 --report=load.html\n"
    "  lpu-load model.lpx --workload=trace:azure23_conv.csv:x40 --slo=ttft:200ms,tpot:50ms\n"
    "  lpu-load model.lpx --workload=poisson:500 --server=http://127.0.0.1:8080   compare with lpu-serve "
    "--virtual-arrivals";

/// Loads at which curves are drawn, of what keeps all users busy.
constexpr double kLoads[] = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0, 1.1};
constexpr unsigned kMostSystems = 4096;
constexpr std::size_t kMostWaiting = 1000000;

struct LoadOptions {
  std::string program, workload = "poisson:100", lengths, slo, report, server, model, maxWait;
  std::vector<unsigned> systems{1};
  std::size_t requests = 1000, queue = 256;
  std::uint64_t seed = 0;
  bool curves = true;
};

int fail(const Error &error, int code = 1) {
  std::cerr << error.str() << std::endl;
  return code;
}

void declare(CLI::App &app, LoadOptions &to) {
  app.add_option("program", to.program, "compiled program")->type_name("MODEL.lpx")->required();
  app.add_option("--workload", to.workload,
                 "when requests come: poisson:R and gamma:R:B (R a second; B 1 is Poisson, less is burstier), closed:U "
                 "(U users, each sends again when answered), trace:FILE[:xK] (K times as fast)")
      ->capture_default_str();
  app.add_option("--lengths", to.lengths,
                 "tokens of prompts and answers: 32:64, 16-64:8-32, azure-conv, azure-code, mooncake-conv, sharegpt "
                 "(default: 32:64; a trace has its own; an encoder's answers have no length)");
  app.add_option("--systems", to.systems, "numbers of systems to study")
      ->delimiter(',')
      ->check(CLI::Range(1u, kMostSystems));
  app.add_option("--requests", to.requests, "how many; of a trace the first ones")
      ->check(CLI::Range(std::size_t{1}, std::size_t{10000000}))
      ->capture_default_str();
  app.add_option("--queue", to.queue, "sequences that may wait; more are refused")
      ->check(CLI::Range(std::size_t{0}, kMostWaiting))
      ->capture_default_str();
  app.add_option("--max-wait", to.maxWait, "refuse requests that may have to wait longer")->type_name("DURATION");
  app.add_option("--slo", to.slo,
                 "times to keep to, such as ttft:200ms,tpot:50ms,share:0.99; then the fewest systems that "
                 "do are searched");
  app.add_option("--seed", to.seed, "of the random numbers")->capture_default_str();
  app.add_flag("!--no-curves", to.curves, "leave out the curves over load");
  app.add_option("--report", to.report, "write a page (.html) or JSON (.json)")->type_name("FILE");
  app.add_option("--server", to.server, "also send the requests to this server, and compare to the cycle")
      ->type_name("URL");
  app.add_option("--model", to.model, "as that server calls it (default: its only one)");
}

class Study {
public:
  explicit Study(const LoadOptions &options) : options(options) {}

  int run() {
    if (Status status = load(); !status)
      return fail(status.error());
    if (Status status = workload.law == Workload::Law::Closed ? studyUsers() : studyArrivals(); !status)
      return fail(status.error());
    std::cout << reportTable(report) << std::flush;
    const int unshown = std::cout ? 0 : errno;
    if (!options.report.empty())
      if (Status status = writeFileAtomically(options.report, options.report.ends_with(".html") ? reportHtml(report)
                                                                                                : reportJson(report));
          !status)
        return fail(status.error());
    if (unshown)
      return fail({"stdout", std::string("cannot write: ") + std::strerror(unshown)});
    const bool apart = report.server && (report.server->cyclesApart > 0 || report.server->differentlyJudged > 0);
    return apart ? fail({options.server,
                         "and the study differ; was it started with --virtual-arrivals, as many systems, and the "
                         "same --queue and --max-wait, and did it serve nobody else?"})
                 : 0;
  }

  /// Error: an option that makes no sense.
  Status readOptions() {
    auto parsed = parseWorkload(options.workload);
    if (!parsed)
      return parsed.error();
    workload = *parsed;
    const bool isTrace = workload.law == Workload::Law::Trace;
    if (isTrace && !options.lengths.empty())
      return Error{"lpu-load", "a trace has lengths of its own; leave out --lengths"};
    report.lengths = isTrace ? "" : options.lengths.empty() ? "32:64" : options.lengths;
    if (!isTrace) {
      auto drawn = parseLengths(report.lengths);
      if (!drawn)
        return drawn.error();
      lengths = *drawn;
    }
    if (!options.slo.empty()) {
      auto objective = parseObjective(options.slo);
      if (!objective)
        return objective.error();
      report.objective = *objective;
    }
    if (!options.maxWait.empty() && !(maxWaitNs = parseDuration(options.maxWait)))
      return Error{"lpu-load",
                   fmt::format("--max-wait '{}': expected a duration such as 30s or 50us", options.maxWait)};
    if (!options.server.empty() && workload.law == Workload::Law::Closed)
      return Error{"lpu-load", "--server needs requests that come at times of their own; closed:U has none"};
    return Ok{};
  }

private:
  Status load() {
    if (Status status = checkFiles(); !status)
      return status;
    auto loaded = rt::loadProgram(options.program);
    if (!loaded)
      return loaded.error();
    program = std::move(*loaded);
    timing.emplace(program);
    if (timing->isEncoder() && !options.server.empty())
      return Error{options.program, "is an encoder; --server compares generation only, leave it out"};
    rules.queue = options.queue;
    if (maxWaitNs)
      rules.maxWait = timing->clock().cycles(*maxWaitNs);
    report.program = options.program, report.workload = options.workload, report.seed = options.seed;
    report.context = timing->context(), report.users = timing->users();
    return Ok{};
  }

  Status checkFiles() const {
    if (options.report.empty())
      return Ok{};
    if (!options.report.ends_with(".html") && !options.report.ends_with(".json"))
      return Error{options.report, "is no kind of report; give a name that ends in .html or .json"};
    std::vector<isa::FileUse> reads, writes;
    isa::addUse(reads, "the program", options.program);
    isa::addUse(reads, "--workload", workload.file);
    isa::addUse(writes, "--report", options.report);
    if (Status status = isa::checkOutputs(reads, writes); !status)
      return status;
    return checkWritable(options.report);
  }

  /// An encoder's answer is one step, whatever the lengths say.
  Work workOf(const Work &drawn) const { return {drawn.prompt, timing->isEncoder() ? 1 : drawn.maxTokens}; }

  /// Leaves out what the context does not hold.
  template <typename Item, typename WorkOf> Status keepFitting(std::vector<Item> &items, WorkOf workOf) {
    const std::size_t before = items.size();
    std::erase_if(items, [&](const Item &item) { return !timing->check(workOf(item)); });
    report.dropped = before - items.size();
    report.requests = items.size();
    if (items.empty())
      return Error{options.program, fmt::format("none of the requests fits its context of {} positions; give shorter "
                                                "--lengths, or compile with a larger --max-context",
                                                timing->context())};
    return Ok{};
  }

  Status studyUsers() {
    std::vector<Work> works;
    for (const Arrival &arrival : generate({}, lengths, options.requests, options.seed))
      works.push_back(workOf(arrival.work));
    if (Status status = keepFitting(works, [](const Work &work) { return work; }); !status)
      return status;
    for (const unsigned systems : options.systems)
      report.points.push_back({systems, std::nullopt,
                               figuresOf(*timing, studyClosed(*timing, workload.users, works, {systems, rules}),
                                         systems, report.objective)});
    return Ok{};
  }

  Status studyArrivals() {
    std::vector<Arrival> arrivals;
    if (workload.law == Workload::Law::Trace) {
      auto read = readTrace(workload.file);
      if (!read)
        return read.error();
      arrivals = std::move(*read);
      arrivals.resize(std::min(arrivals.size(), options.requests));
      stretch(arrivals, 1 / workload.compression);
    } else {
      arrivals = generate(workload, lengths, options.requests, options.seed);
    }
    for (Arrival &arrival : arrivals)
      arrival.work = workOf(arrival.work);
    if (Status status = keepFitting(arrivals, [](const Arrival &arrival) { return arrival.work; }); !status)
      return status;
    for (const unsigned systems : options.systems)
      addPoint(arrivals, systems, std::nullopt);
    for (const unsigned systems : options.systems)
      for (const double load : kLoads)
        if (options.curves)
          addCurvePoint(arrivals, systems, load);
    if (!options.slo.empty()) {
      report.searched = true;
      report.fewestSystems = fewestSystems(*timing, arrivals, {1, rules}, report.objective, kMostSystems);
    }
    return options.server.empty() ? Status(Ok{}) : askServer(arrivals);
  }

  static void stretch(std::vector<Arrival> &arrivals, double factor) {
    for (Arrival &arrival : arrivals)
      arrival.ns = std::llround(static_cast<double>(arrival.ns) * factor);
  }

  void addPoint(const std::vector<Arrival> &arrivals, unsigned systems, std::optional<double> load) {
    const std::vector<Served> served = study(*timing, arrivals, {systems, rules});
    report.points.push_back({systems, load, figuresOf(*timing, served, systems, report.objective)});
  }

  /// The same requests, faster or slower.
  void addCurvePoint(std::vector<Arrival> arrivals, unsigned systems, double load) {
    const double seconds = static_cast<double>(arrivals.back().ns) / 1e9;
    const double wanted = static_cast<double>(arrivals.size()) / (load * capacityPerSecond(*timing, arrivals, systems));
    if (seconds <= 0)
      return;
    stretch(arrivals, wanted / seconds);
    addPoint(arrivals, systems, load);
  }

  Status askServer(const std::vector<Arrival> &arrivals) {
    auto reported = sendAll(options.server, options.model, program.model.vocabulary, arrivals, options.seed);
    if (!reported)
      return reported.error();
    report.server = compare(*timing, arrivals, *reported, {options.systems.front(), rules});
    report.server->url = options.server;
    return Ok{};
  }

  const LoadOptions &options;
  isa::Program program;
  std::optional<Timing> timing;
  Workload workload;
  Lengths lengths;
  std::optional<std::int64_t> maxWaitNs;
  AdmissionRules rules;
  LoadReport report;
};

int runLoad(int argc, const char *const *argv) {
  LoadOptions options;
  CLI::App app(kAbout, "lpu-load");
  const std::string version = isa::versionLine("lpu-load");
  app.set_version_flag("--version", version);
  declare(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp &) {
    std::cout << app.help();
    return 0;
  } catch (const CLI::CallForVersion &) {
    std::cout << version << '\n';
    return 0;
  } catch (const CLI::ParseError &error) {
    return fail({"lpu-load", error.what() + std::string("; see --help")}, 2);
  }
  Study study(options);
  if (Status status = study.readOptions(); !status)
    return fail(status.error(), 2);
  return study.run();
}

} // namespace
} // namespace lpu::serve

int main(int argc, char **argv) { return lpu::serve::runLoad(argc, argv); }
