// lpu-load: what becomes of requests under load, by the schedule a server would keep; and a server beside it.
#include "Autoscale.h"
#include "LoadClient.h"
#include "LoadEnergy.h"
#include "LoadOptions.h"
#include "LoadReport.h"
#include "SharedStudy.h"
#include "Units.h"
#include "lpu/isa/FileUses.h"
#include "lpu/isa/Files.h"
#include "lpu/isa/Version.h"
#include "lpu/rt/Loader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <memory>

namespace lpu::serve {
namespace {

/// Loads at which curves are drawn, of what keeps all users busy.
constexpr double kLoads[] = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0, 1.1};
int fail(const Error &error, int code = 1) {
  std::cerr << error.str() << std::endl;
  return code;
}

class Study {
public:
  explicit Study(const LoadOptions &options) : options(options) {}

  int run() {
    if (Status status = load(); !status)
      return fail(status.error());
    if (Status status = options.resident                        ? studyShared()
                        : workload.law == Workload::Law::Closed ? studyUsers()
                                                                : studyArrivals();
        !status)
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
    const bool isClosed = workload.law == Workload::Law::Closed;
    if (!options.server.empty() && isClosed)
      return Error{"lpu-load", "--server needs requests that come at times of their own; closed:U has none"};
    if (options.resident.has_value() != (options.programs.size() > 1))
      return Error{"lpu-load", options.resident
                                   ? "--resident is for several programs; give more of them, or leave it out"
                                   : "several programs are studied on shared chips; give --resident=CHIPS"};
    if (options.resident && (isClosed || !options.slo.empty() || !options.energy.empty()))
      return Error{"lpu-load", "--resident goes with requests that come at times of their own, and without --slo and "
                               "--energy"};
    if (options.autoscale && (isClosed || options.resident))
      return Error{"lpu-load", "--autoscale is for one program and requests that come at times of their own"};
    if (!options.models.empty() && options.models.size() != options.programs.size())
      return Error{"lpu-load", "--model must name as many models as there are programs"};
    return Ok{};
  }

private:
  Status load() {
    if (Status status = checkFiles(); !status)
      return status;
    programs.reserve(options.programs.size()); // timings point into it
    for (const std::string &path : options.programs) {
      auto loaded = rt::loadProgram(path);
      if (!loaded)
        return loaded.error();
      programs.push_back(std::move(*loaded));
      timings.push_back(std::make_unique<Timing>(programs.back()));
      if (timings.back()->isEncoder() && !options.server.empty())
        return Error{path, "is an encoder; --server compares generation only, leave it out"};
      if (Status status = checkSharing(path); !status)
        return status;
      if (options.autoscale && timings.back()->users() > 1)
        return Error{path, "serves several users together; --autoscale studies systems of one user, leave it out"};
    }
    timing = timings.front().get();
    rules.queue = options.queue;
    if (maxWaitNs)
      rules.maxWait = timing->clock().cycles(*maxWaitNs);
    if (!options.energy.empty()) {
      auto priced = LoadEnergy::create(programs.front(), *timing, options.energy);
      if (!priced)
        return priced.error();
      energy.emplace(std::move(*priced));
    }
    report.program = fmt::format("{}", fmt::join(options.programs, " "));
    report.workload = options.workload, report.seed = options.seed, report.energyTable = options.energy;
    report.context = timing->context(), report.users = timing->users();
    return Ok{};
  }

  Status checkSharing(const std::string &path) const {
    if (!options.resident)
      return Ok{};
    if (timings.back()->chips() > *options.resident)
      return Error{path, fmt::format("a system of it has {} chips, and --resident={} are there",
                                     timings.back()->chips(), *options.resident)};
    if (programs.back().machine.clockGHz != programs.front().machine.clockGHz)
      return Error{path, fmt::format("runs at {} GHz and {} at {}; programs that share chips need one clock",
                                     programs.back().machine.clockGHz, options.programs.front(),
                                     programs.front().machine.clockGHz)};
    return Ok{};
  }

  Status checkFiles() const {
    if (options.report.empty())
      return Ok{};
    if (!options.report.ends_with(".html") && !options.report.ends_with(".json"))
      return Error{options.report, "is no kind of report; give a name that ends in .html or .json"};
    std::vector<isa::FileUse> reads, writes;
    for (const std::string &path : options.programs)
      isa::addUse(reads, "the program", path);
    isa::addUse(reads, "--workload", workload.file);
    isa::addUse(writes, "--report", options.report);
    if (Status status = isa::checkOutputs(reads, writes); !status)
      return status;
    return checkWritable(options.report);
  }

  /// An encoder's answer is one step, whatever the lengths say.
  Work workOf(const Work &drawn, std::size_t model = 0) const {
    return {drawn.prompt, timings[model]->isEncoder() ? 1 : drawn.maxTokens};
  }

  /// Leaves out what the context does not hold.
  template <typename Item, typename Fits> Status keepFitting(std::vector<Item> &items, Fits fits) {
    const std::size_t before = items.size();
    std::erase_if(items, [&](const Item &item) { return !fits(item); });
    report.dropped = before - items.size();
    report.requests = items.size();
    if (items.empty())
      return Error{options.programs.front(),
                   fmt::format("none of the requests fits its context of {} positions; give shorter "
                               "--lengths, or compile with a larger --max-context",
                               timing->context())};
    return Ok{};
  }

  Status studyUsers() {
    std::vector<Work> works;
    for (const Arrival &arrival : generate({}, lengths, options.requests, options.seed))
      works.push_back(workOf(arrival.work));
    if (Status status = keepFitting(works, [&](const Work &work) { return timing->check(work); }); !status)
      return status;
    for (const unsigned systems : options.systems)
      report.points.push_back(
          {systems, std::nullopt, figures(studyClosed(*timing, workload.users, works, {systems, rules}), systems)});
    return Ok{};
  }

  Result<std::vector<Arrival>> drawArrivals() {
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
    drawModels(arrivals, programs.size(), options.seed);
    for (Arrival &arrival : arrivals)
      arrival.work = workOf(arrival.work, arrival.model);
    const auto fits = [&](const Arrival &arrival) { return timings[arrival.model]->check(arrival.work); };
    if (Status status = keepFitting(arrivals, fits); !status)
      return status.error();
    return arrivals;
  }

  Status studyArrivals() {
    auto drawn = drawArrivals();
    if (!drawn)
      return drawn.error();
    const std::vector<Arrival> &arrivals = *drawn;
    for (const unsigned systems : options.systems)
      addPoint(arrivals, systems, std::nullopt);
    for (const unsigned systems : options.systems)
      for (const double load : kLoads)
        if (options.curves)
          addCurvePoint(arrivals, systems, load);
    if (options.autoscale)
      report.scaling = scalingOf(arrivals);
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

  Figures figures(const std::vector<Served> &served, unsigned systems) const {
    Figures out = figuresOf(*timing, served, systems, report.objective);
    if (energy)
      out.joules = energy->perToken(served, systems);
    return out;
  }

  void addPoint(const std::vector<Arrival> &arrivals, unsigned systems, std::optional<double> load) {
    report.points.push_back({systems, load, figures(study(*timing, arrivals, {systems, rules}), systems)});
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

  ScalingReport scalingOf(const std::vector<Arrival> &arrivals) const {
    const auto describe = [&](const Scaled &scaled) {
      return ScalingPolicy{scaled.chipSeconds, scaled.mostSystems, scaled.loads,
                           figuresOf(*timing, scaled.requests, scaled.mostSystems, report.objective)};
    };
    const Scaled reactive = scaleReactively(*timing, arrivals, *options.autoscale);
    // As many systems as the reactive policy had at most, always up.
    Scaled fixed{study(*timing, arrivals, {reactive.mostSystems, {SIZE_MAX, std::nullopt}}), 0, reactive.mostSystems,
                 0};
    Cycle last = 0;
    for (const Served &one : fixed.requests)
      last = std::max(last, one.end);
    fixed.chipSeconds =
        static_cast<double>(timing->clock().nanoseconds(last)) / 1e9 * timing->chips() * fixed.mostSystems;
    return {timing->clock().nanoseconds(timing->reloadCycles()), describe(reactive),
            describe(scaleByOracle(*timing, arrivals)), describe(fixed)};
  }

  Result<std::vector<Reported>> ask(const std::vector<Arrival> &arrivals) const {
    std::vector<Destination> models;
    for (std::size_t i = 0; i < programs.size(); ++i) {
      const std::string stem = programs.size() > 1 ? std::filesystem::path(options.programs[i]).stem().string() : "";
      models.push_back({options.models.empty() ? stem : options.models[i], programs[i].model.vocabulary});
    }
    return sendAll(options.server, models, arrivals, options.seed);
  }

  Status askServer(const std::vector<Arrival> &arrivals) {
    auto reported = ask(arrivals);
    if (!reported)
      return reported.error();
    const StudyOptions own{options.systems.front(), rules};
    report.server = compare(study(*timing, withLengths(arrivals, *reported), own), *reported);
    report.server->url = options.server;
    return Ok{};
  }

  /// Several models on shared chips, beside the same ones on chips of their own.
  Status studyShared() {
    auto drawn = drawArrivals();
    if (!drawn)
      return drawn.error();
    std::vector<Tenant> tenants;
    for (const auto &one : timings)
      tenants.push_back({one.get(), options.systems.front()});
    const SharedServed swapped = studyModels(tenants, options.resident, *drawn, rules);
    report.shared = describe(*drawn, swapped, studyModels(tenants, std::nullopt, *drawn, rules));
    if (options.server.empty())
      return Ok{};
    auto reported = ask(*drawn);
    if (!reported)
      return reported.error();
    const SharedServed served = studyModels(tenants, options.resident, withLengths(*drawn, *reported), rules);
    report.server = compare(served.requests, *reported);
    report.server->url = options.server;
    return Ok{};
  }

  SharedReport describe(const std::vector<Arrival> &arrivals, const SharedServed &swapped,
                        const SharedServed &dedicated) const {
    SharedReport out;
    const auto of = [&](const SharedServed &all, std::optional<std::size_t> model) {
      std::vector<Served> own;
      for (std::size_t i = 0; i < arrivals.size(); ++i)
        if (!model || arrivals[i].model == *model)
          own.push_back(all.requests[i]);
      return figuresOf(*timing, own, options.systems.front(), report.objective);
    };
    out.chips = *options.resident;
    out.swapped = of(swapped, std::nullopt), out.dedicated = of(dedicated, std::nullopt);
    for (std::size_t i = 0; i < timings.size(); ++i) {
      const Timing &own = *timings[i];
      out.models.push_back({options.programs[i], own.chips(), own.clock().nanoseconds(own.reloadCycles()),
                            swapped.states[i].loads, of(swapped, i), of(dedicated, i)});
      out.loads += swapped.states[i].loads;
      out.dedicatedChips += own.chips() * options.systems.front();
    }
    constexpr double kNsPerHour = 3600e9;
    if (arrivals.back().ns > 0)
      out.loadsPerHour = static_cast<double>(out.loads) * kNsPerHour / static_cast<double>(arrivals.back().ns);
    return out;
  }

  const LoadOptions &options;
  std::vector<isa::Program> programs;
  std::vector<std::unique_ptr<Timing>> timings;
  const Timing *timing = nullptr; ///< of the first program
  std::optional<LoadEnergy> energy;
  Workload workload;
  Lengths lengths;
  std::optional<std::int64_t> maxWaitNs;
  AdmissionRules rules;
  LoadReport report;
};

int runLoad(int argc, const char *const *argv) {
  LoadOptions options;
  CLI::App app(kLoadAbout, "lpu-load");
  const std::string version = isa::versionLine("lpu-load");
  app.set_version_flag("--version", version);
  declareOptions(app, options);
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
