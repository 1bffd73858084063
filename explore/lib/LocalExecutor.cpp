// Children of this process, waited for by poll: no threads, so that fork is safe.
#include "Child.h"
#include "lpu/isa/TemporaryFolder.h"

#include "lpu/explore/Executor.h"
#include "lpu/explore/Measured.h"
#include "lpu/isa/Files.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <fmt/format.h>
#include <list>
#include <poll.h>
#include <unistd.h>

namespace lpu::explore {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

std::string hostName() {
  char name[256] = "";
  gethostname(name, sizeof name - 1);
  return name;
}

/// Paths of this machine are not part of a reason: the same point has the same reason everywhere.
std::string replaced(std::string text, const std::string &from, const std::string &to) {
  for (std::size_t at = 0; !from.empty() && (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

class LocalExecutor final : public Executor {
public:
  LocalExecutor(std::size_t jobs, Limits limits) : jobs(jobs), limits(std::move(limits)) {}

  bool hasRoom() const override { return children.size() < jobs; }
  std::size_t running() const override { return children.size(); }

  Status start(const Task &task) override {
    Result<TemporaryFolder> scratch = TemporaryFolder::create("lpu-explore");
    if (!scratch)
      return scratch.error();
    if (Status written = writeFileAtomically(*scratch / "machine.yaml", task.machine); !written)
      return written;
    std::vector<std::string> command = {limits.compiler, "--target=machine.yaml", "--report=report.json",
                                        "--threads=1"};
    if (task.kind == Kind::Bounds)
      command.push_back("--bounds-only");
    else
      command.insert(command.end(), {"-o", "/dev/null"});
    command.insert(command.end(), task.arguments.begin(), task.arguments.end());
    Result<Child> child = Child::start(command, scratch->path(), limits.memoryBytes);
    if (!child)
      return child.error();
    children.push_back({task, std::move(*scratch), std::move(*child), Clock::now()});
    return Ok{};
  }

  std::optional<StoredResult> wait(double seconds) override {
    const Clock::time_point until =
        Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    while (true) {
      std::vector<pollfd> ends;
      for (const Running &r : children)
        ends.push_back({r.child.descriptor(), POLLIN, 0});
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(std::min(until, nextTimeout()) - Clock::now());
      poll(ends.data(), ends.size(), static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
      std::size_t i = 0;
      for (auto own = children.begin(); own != children.end(); ++own, ++i) {
        const bool isLate = limits.timeoutSeconds > 0 && Clock::now() >= timeoutOf(*own);
        if (!(ends[i].revents & POLLIN) && !isLate)
          continue;
        StoredResult result = finish(*own, !(ends[i].revents & POLLIN));
        children.erase(own);
        return result;
      }
      if (Clock::now() >= until)
        return std::nullopt;
    }
  }

private:
  struct Running {
    Task task;
    TemporaryFolder scratch;
    Child child;
    Clock::time_point began;
  };

  Clock::time_point timeoutOf(const Running &r) const {
    return r.began + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(limits.timeoutSeconds));
  }
  Clock::time_point nextTimeout() const {
    Clock::time_point next = Clock::time_point::max();
    if (limits.timeoutSeconds > 0)
      for (const Running &r : children)
        next = std::min(next, timeoutOf(r));
    return next;
  }

  StoredResult finish(Running &r, bool isLate) const {
    if (isLate)
      r.child.kill();
    const ChildEnd end = r.child.reap();
    StoredResult result;
    result.key = r.task.key, result.kind = r.task.kind, result.build = r.task.build;
    result.cpuSeconds = end.cpuSeconds, result.peakBytes = end.peakBytes, result.host = hostName();
    if (isLate)
      fail(result, fmt::format("took longer than {} s; allow more with --timeout", limits.timeoutSeconds));
    else if (!end.hasExited)
      result.hasCrashed = true,
      fail(result, fmt::format("the compiler was ended by a signal: {}; it may need more memory (--memory)",
                               strsignal(end.code)));
    else if (end.code == 1 && end.lastLine.find("error: ") != std::string::npos)
      result.outcome = Outcome::Infeasible, result.reason = reasonOf(end.lastLine, r.task);
    else if (end.code != 0)
      fail(result, end.lastLine.empty() ? fmt::format("the compiler left with exit code {}", end.code)
                                        : reasonOf(end.lastLine, r.task));
    else
      readReport(r, result);
    return result;
  }

  static void fail(StoredResult &result, std::string reason) {
    result.outcome = Outcome::Failed, result.reason = std::move(reason);
  }
  static std::string reasonOf(const std::string &line, const Task &task) {
    return replaced(replaced(line, task.model, task.spelled), "error: ", "");
  }

  static void readReport(const Running &r, StoredResult &result) {
    const Result<std::string> text = readFile(r.scratch / "report.json");
    if (!text)
      return fail(result, "the compiler left no report");
    // A compiler that is replaced while a study runs would mix two in one table.
    if (const Json report = Json::parse(*text, nullptr, false);
        !report.is_object() || report.value("build", std::string()) != r.task.build)
      return fail(result, "the compiler is not the one that the run began with; run again");
    const Result<Measured> measured = measuredFromReport(*text);
    if (!measured)
      return fail(result, measured.error().message);
    result.measured = writeMeasured(*measured);
  }

  std::size_t jobs;
  Limits limits;
  std::list<Running> children;
};

} // namespace

std::unique_ptr<Executor> makeLocalExecutor(std::size_t jobs, const Limits &limits) {
  return std::make_unique<LocalExecutor>(jobs, limits);
}

std::string writeTask(const Task &t) {
  return Json{{"key", t.key},
              {"bounds", t.kind == Kind::Bounds},
              {"build", t.build},
              {"machine", t.machine},
              {"model", t.model},
              {"spelled", t.spelled},
              {"arguments", t.arguments}}
      .dump();
}
Task readTask(const std::string &json) {
  const Json in = Json::parse(json);
  return {in["key"],      in["bounds"] ? Kind::Bounds : Kind::Schedule,
          in["build"],    in["machine"],
          in["model"],    in["spelled"],
          in["arguments"]};
}
std::string writeResult(const StoredResult &r) {
  return Json{
      {"key", r.key},       {"bounds", r.kind == Kind::Bounds}, {"build", r.build},      {"outcome", r.outcome},
      {"reason", r.reason}, {"measured", r.measured},           {"cpu_s", r.cpuSeconds}, {"peak_bytes", r.peakBytes},
      {"host", r.host},     {"crashed", r.hasCrashed}}
      .dump(-1, ' ', false, Json::error_handler_t::replace);
}
StoredResult readResult(const std::string &json) {
  const Json in = Json::parse(json);
  return {in["key"],    in["bounds"] ? Kind::Bounds : Kind::Schedule,
          in["build"],  in["outcome"],
          in["reason"], in["measured"],
          in["cpu_s"],  in["peak_bytes"],
          in["host"],   in["crashed"]};
}

} // namespace lpu::explore
