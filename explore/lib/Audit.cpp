// Predictions against the simulator: points are compiled again, with a program this time, and run in timing mode up to
// the step that their costs are of.
#include "Child.h"
#include "lpu/isa/TemporaryFolder.h"

#include "lpu/explore/Session.h"
#include "lpu/isa/CountsJson.h"
#include "lpu/isa/Files.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <fmt/format.h>
#include <set>

namespace lpu::explore {
namespace {

using Json = nlohmann::ordered_json;

class Auditor {
public:
  Auditor(Session &session, const AuditOptions &options, std::string compiler, std::string simulator)
      : session(session), options(options), compiler(std::move(compiler)), simulator(std::move(simulator)) {}

  Result<bool> run() {
    bool isGood = true;
    const std::set<std::size_t> numbers = chosen();
    if (numbers.empty())
      return Error{session.store->path(), "has no measured point, so there is nothing to audit; 'run' goes on, and "
                                          "'status --failed' says why points are not there"};
    for (const std::size_t number : numbers) {
      const Row &row = session.end.rows[number];
      const Result<std::vector<Measured>> jobs = measuredOf(session, row);
      if (!jobs)
        return jobs.error();
      const Point point = makePoint(*session.study, row.values, session.build);
      for (std::size_t i = 0; i < jobs->size(); ++i) {
        const std::string wrong = auditJob(point, point.jobs[i], (*jobs)[i]);
        isGood &= wrong.empty();
        std::printf("point %zu, %s: %s\n", number, session.study->workloads[i].name.c_str(),
                    wrong.empty() ? fmt::format("{} cycles and all counts as simulated", (*jobs)[i].cycles).c_str()
                                  : wrong.c_str());
        std::fflush(stdout);
      }
    }
    return isGood;
  }

private:
  Session &session;
  AuditOptions options;
  std::string compiler, simulator;

  /// The frontier, and every so many-th of the others.
  std::set<std::size_t> chosen() const {
    const std::vector<std::size_t> front = frontierRows(*session.study, session.end.rows);
    std::set<std::size_t> numbers(front.begin(), front.end());
    double due = options.share > 0 ? 1 : 0; // the first of the others is in any sample
    for (std::size_t i = 0; i < session.end.rows.size(); ++i) {
      if (session.end.rows[i].state != State::Done || numbers.contains(i))
        continue;
      if (due >= 1)
        numbers.insert(i), due -= 1;
      due += options.share;
    }
    return numbers;
  }

  /// What is wrong; empty: nothing.
  std::string auditJob(const Point &point, const Job &job, const Measured &expected) const {
    const Result<TemporaryFolder> scratch = TemporaryFolder::create("lpu-explore");
    if (!scratch)
      return scratch.error().str();
    if (Status written = writeFileAtomically(*scratch / "machine.yaml", isa::writeMachine(point.machine)); !written)
      return written.error().str();
    const Workload &workload = session.study->workloads[job.workload];
    std::vector<std::string> command = {compiler,
                                        workload.isShape ? "--arch=" + workload.path : workload.path,
                                        "--target=machine.yaml",
                                        "--report=compiled.json",
                                        "--threads=1",
                                        "-o",
                                        "program.lpx"};
    command.insert(command.end(), job.arguments.begin(), job.arguments.end());
    if (const std::string wrong = carryOut(command, *scratch); !wrong.empty())
      return "compiler: " + wrong;
    const Result<std::string> compiled = readFile(*scratch / "compiled.json");
    if (!compiled)
      return compiled.error().str();
    command = {simulator, "program.lpx", "--mode=timing", "--report=run.json"};
    const std::vector<std::string> input = inputFor(Json::parse(*compiled, nullptr, false), expected);
    command.insert(command.end(), input.begin(), input.end());
    if (const std::string wrong = carryOut(command, *scratch); !wrong.empty())
      return "simulator: " + wrong;
    const Result<std::string> run = readFile(*scratch / "run.json");
    return run ? compare(Json::parse(*run, nullptr, false), expected) : run.error().str();
  }

  /// A prompt that leaves the buckets before behind, so that the next token is fed by the step in question.
  static std::vector<std::string> inputFor(const Json &compiled, const Measured &expected) {
    if (expected.kind == "encode") {
      std::string ids = "1";
      for (std::uint64_t i = 1; i < expected.tokens; ++i)
        ids += ",1";
      return {"--input-ids=" + ids};
    }
    std::uint64_t before = 0;
    for (const Json &step : compiled.at("system").at("steps"))
      if (const std::uint64_t context = step.at("context"); step.at("kind") == "decode" && context < expected.context)
        before = std::max(before, context);
    return {fmt::format("--prompt-tokens={}", before + 1), "-n", "2", "--ignore-eos"};
  }

  std::string carryOut(const std::vector<std::string> &command, const TemporaryFolder &scratch) const {
    Result<Child> child = Child::start(command, scratch.path(), options.memoryBytes);
    if (!child)
      return child.error().message;
    if (!child->waitFor(options.timeoutSeconds))
      return fmt::format("took longer than {} s; allow more with --timeout", options.timeoutSeconds);
    const ChildEnd end = child->reap();
    return end.hasExited && end.code == 0 ? "" : end.lastLine.empty() ? "ended without a word" : end.lastLine;
  }

  static std::string compare(const Json &run, const Measured &expected) {
    bool isThere = false;
    for (const Json &step : run.at("steps")) {
      if (step.at("simulated_cycles") != step.at("predicted_cycles"))
        return fmt::format("step {} took {} cycles, predicted are {}", step.at("program").get<std::string>(),
                           step.at("simulated_cycles").get<isa::Cycle>(),
                           step.at("predicted_cycles").get<isa::Cycle>());
      if (step.at("program") != expected.step)
        continue;
      isThere = true;
      if (step.at("simulated_cycles") != expected.cycles)
        return fmt::format("step {} took {} cycles, the store has {}", expected.step,
                           step.at("simulated_cycles").get<isa::Cycle>(), expected.cycles);
      const Result<isa::Counts> counts = isa::countsFromJson(step.at("counts"));
      if (!counts)
        return counts.error().message;
      if (const std::string wrong = isa::difference(*counts, expected.counts); !wrong.empty())
        return "counts differ: " + wrong;
    }
    return isThere ? "" : fmt::format("step {} was not reached", expected.step);
  }
};

} // namespace

Result<bool> auditStore(Session &session, const AuditOptions &options) {
  const Result<std::string> compiler = findTool("lpucc"), simulator = findTool("lpu-run");
  if (!compiler)
    return compiler.error();
  if (!simulator)
    return simulator.error();
  try {
    return Auditor(session, options, *compiler, *simulator).run();
  } catch (const std::exception &e) { // a report that is not as expected
    return Error{*simulator, std::string("left a report that cannot be read: ") + e.what()};
  }
}

} // namespace lpu::explore
