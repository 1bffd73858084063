// Fork, run, send the outcome back as length-prefixed fields.
#include "RunHelper.h"

#include "lpu/isa/CountsJson.h"

#include <cstring>
#include <numeric>
#include <sys/wait.h>
#include <unistd.h>

namespace lpu::test {

namespace {

void put(std::string &out, const std::string &field) {
  std::uint64_t size = field.size();
  out.append(reinterpret_cast<const char *>(&size), sizeof size);
  out += field;
}
void put(std::string &out, std::int64_t value) { put(out, std::to_string(value)); }

struct Reader {
  const std::string &data;
  std::size_t at = 0;
  std::string text() {
    std::uint64_t size = 0;
    std::memcpy(&size, data.data() + at, sizeof size);
    at += sizeof size + size;
    return data.substr(at - size, size);
  }
  std::int64_t number() { return std::stoll(text()); }
};

/// What `body` returns in a child process; empty if the child died.
std::string inChild(const std::function<std::string()> &body) {
  int ends[2];
  if (pipe(ends) != 0)
    return "";
  pid_t child = fork();
  if (child == 0) {
    std::string out = body();
    const char *next = out.data();
    for (std::size_t left = out.size(); left > 0;) {
      ssize_t n = write(ends[1], next, left);
      if (n <= 0)
        _exit(1);
      next += n, left -= static_cast<std::size_t>(n);
    }
    _exit(0);
  }
  close(ends[1]);
  std::string result;
  char buffer[65536];
  for (ssize_t n; (n = read(ends[0], buffer, sizeof buffer)) > 0;)
    result.append(buffer, static_cast<std::size_t>(n));
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? result : "";
}

std::string report(sim::Simulator &simulator, const std::vector<RowRef> &rows, const std::vector<int> &order) {
  std::string out;
  sim::StepResult last;
  put(out, "");
  put(out, static_cast<std::int64_t>(order.size()));
  for (int step : order) {
    last = simulator.run(static_cast<std::size_t>(step));
    put(out, last.cycles);
  }
  put(out, static_cast<std::int64_t>(last.instructions));
  put(out, static_cast<std::int64_t>(last.chipCycles.size()));
  for (isa::Cycle cycles : last.chipCycles)
    put(out, cycles);
  put(out, isa::countsJson(last.counts).dump());
  sim::Violation v = last.violation.value_or(sim::Violation());
  put(out, v.category), put(out, v.queue), put(out, v.instruction), put(out, v.detail), put(out, v.cycle),
      put(out, static_cast<std::int64_t>(v.chip));
  auto digest = simulator.memorySha256();
  put(out, std::string(digest.begin(), digest.end()));
  for (const RowRef &r : rows) {
    Row row = simulator.peek(r.chip, r.side, r.slice, r.bank, r.row);
    put(out, std::string(row.begin(), row.end()));
  }
  return out;
}

} // namespace

std::string inSimulator(const isa::Program &program, const sim::Options &options,
                        const std::function<std::string(sim::Simulator &)> &body) {
  return inChild([&] {
    auto simulator = sim::Simulator::create(program, options);
    return simulator ? body(**simulator) : "error: " + simulator.error().str();
  });
}

Outcome simulate(const isa::Program &program, const sim::Options &options, const std::vector<RowRef> &rows,
                 const std::vector<int> &order) {
  std::vector<int> steps = order;
  if (steps.empty()) {
    steps.resize(program.steps.size());
    std::iota(steps.begin(), steps.end(), 0);
  }
  std::string data = inChild([&] {
    auto simulator = sim::Simulator::create(program, options);
    if (simulator)
      return report(**simulator, rows, steps);
    std::string out;
    put(out, simulator.error().str());
    return out;
  });
  Outcome outcome;
  if (data.empty())
    return outcome;
  outcome.crashed = false;
  Reader in{data};
  outcome.error = in.text();
  if (!outcome.error.empty())
    return outcome;
  for (std::int64_t n = in.number(); n > 0; --n)
    outcome.cycles.push_back(in.number());
  outcome.instructions = static_cast<std::uint64_t>(in.number());
  for (std::int64_t n = in.number(); n > 0; --n)
    outcome.chipCycles.push_back(in.number());
  outcome.counts = in.text();
  outcome.category = in.text(), outcome.queue = in.text(), outcome.instruction = in.text(), outcome.detail = in.text();
  outcome.at = in.number();
  outcome.chip = static_cast<int>(in.number());
  outcome.digest = in.text();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::string bytes = in.text();
    outcome.rows.emplace_back(bytes.begin(), bytes.end());
  }
  return outcome;
}

Outcome BothEngines::run(isa::Program program, const std::vector<RowRef> &rows) const {
  Outcome outcome = simulate(program, options(), rows);
  EXPECT_FALSE(outcome.crashed);
  EXPECT_EQ(outcome.error, "");
  return outcome;
}

std::vector<Row> BothEngines::legal(isa::Program program, const std::vector<RowRef> &rows) const {
  Outcome outcome = run(std::move(program), rows);
  EXPECT_EQ(outcome.category, "") << outcome.queue << " t=" << outcome.at << ": " << outcome.detail;
  return outcome.rows;
}

void BothEngines::illegal(isa::Program program, const std::string &category, isa::Cycle at,
                          const std::string &queue) const {
  Outcome outcome = run(std::move(program));
  EXPECT_EQ(outcome.category, category) << outcome.detail;
  EXPECT_EQ(outcome.at, at) << outcome.detail;
  EXPECT_EQ(outcome.queue, queue) << outcome.detail;
  EXPECT_NE(outcome.detail, "");
}

} // namespace lpu::test
