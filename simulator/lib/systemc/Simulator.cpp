// The public simulator: checks the program, elaborates one chip, and runs step
// programs in SystemC time. Queue code is decoded once per step program.
#include "Chip.h"

#include "lpu/sim/Simulator.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>

// libsystemc refers to it; programs that link the simulator have their own main.
extern "C" int sc_main(int, char *[]) { return 0; }

namespace lpu::sim {

namespace {

using isa::Binding;
using isa::Program;

struct DecodedStep {
  std::vector<DecodedQueue> queues;
  std::vector<const DecodedQueue *> byNumber;
  std::unique_ptr<Timeline> timeline; ///< event engine
};

Status checkBinding(const isa::Machine &m, const std::string &step, const Binding &b) {
  bool fits =
      b.width >= 1 && b.slice0 + b.width <= m.memSlicesPerSide && b.bank < m.memBanks &&
      std::uint64_t{b.row0} + std::uint64_t{b.items} * b.vectors <= static_cast<std::uint64_t>(m.memRowsPerBank);
  bool lanes = b.lanesUsed <= static_cast<std::uint32_t>(m.lanes()) &&
               (b.elements <= 1 || (b.lanesUsed > 0 && b.elements <= std::uint64_t{b.vectors} * b.lanesUsed));
  if (fits && lanes)
    return Ok();
  return Error{step,
               fmt::format("binding '{}' lies outside of the machine's memory; compile for this machine", b.name)};
}

Status checkProgram(const Program &program) {
  const isa::Machine &m = program.machine;
  if (program.chips.size() != 1)
    return Error{"", fmt::format("{} chips; the simulator runs one", program.chips.size())};
  for (std::size_t i = 0; i < program.steps.size(); ++i) {
    const isa::StepProgram &step = program.classes[0].programs[i];
    const std::string &name = program.steps[i].name;
    std::vector<bool> seen(isa::queueCount(m));
    for (const isa::QueueCode &code : step.queues) {
      int number = isa::queueNumber(m, code.queue);
      if (number < 0 || number >= isa::queueCount(m) || isa::queueAt(m, number) != code.queue)
        return Error{name,
                     fmt::format("the machine has no queue {}; compile for this machine", isa::queueName(code.queue))};
      if (seen[number])
        return Error{name, fmt::format("queue {} has code twice; compile again", isa::queueName(code.queue))};
      seen[number] = true;
    }
    for (const auto *bindings : {&step.inputs, &step.outputs})
      for (const Binding &binding : *bindings)
        if (Status status = checkBinding(m, name, binding); !status)
          return status;
  }
  std::vector<bool> wired(m.c2cLinks);
  for (auto [chipA, a, chipB, b] : program.wires) {
    if (a >= m.c2cLinks || b >= m.c2cLinks || wired[a] || wired[b])
      return Error{
          "", fmt::format("loopback {}-{}: no such link, or one wired twice; links are 0..{}", a, b, m.c2cLinks - 1)};
    wired[a] = wired[b] = true;
  }
  return Ok();
}

class SystemCSimulator final : public Simulator {
public:
  SystemCSimulator(const Program &program, const Options &options, std::unique_ptr<Trace> traceFile)
      : program(program), clocked(options.engine == Engine::Clocked), trace(std::move(traceFile)),
        monitor(program.machine, trace.get()),
        chip("chip", program, clocked, options.mode == Mode::Functional, monitor), steps(program.steps.size()) {}

  Status load() { return chip.memory().load(program.classes[0], program.image); }
  void elaborate() { sc_core::sc_start(sc_core::SC_ZERO_TIME); }

  void writeInput(const Binding &binding, std::span<const std::uint8_t> data) override;
  StepResult run(std::size_t index) override;
  std::vector<std::uint8_t> readOutput(const Binding &binding) const override;
  void clearState() override { chip.memory().clearState(); }
  std::array<std::uint8_t, 32> memorySha256() const override { return chip.memory().sha256(); }
  std::vector<std::uint8_t> peek(isa::Side side, int slice, int bank, int row) const override;

private:
  const DecodedStep &decoded(std::size_t index);
  void runToEnd();

  const Program &program;
  const bool clocked;
  std::unique_ptr<Trace> trace;
  StepMonitor monitor;
  Chip chip;
  std::vector<std::unique_ptr<DecodedStep>> steps;
  std::optional<Violation> dead; ///< a hazard ended the run for good
};

const DecodedStep &SystemCSimulator::decoded(std::size_t index) {
  std::unique_ptr<DecodedStep> &step = steps[index];
  if (!step) {
    step = std::make_unique<DecodedStep>();
    step->byNumber.resize(isa::queueCount(program.machine));
    const isa::StepProgram &text = program.classes[0].programs[index];
    step->queues.reserve(text.queues.size());
    for (const isa::QueueCode &code : text.queues) {
      step->queues.push_back(decodeQueue(program.machine, code));
      step->byNumber[step->queues.back().number] = &step->queues.back();
    }
    if (!clocked && program.residentCode)
      step->timeline = std::make_unique<Timeline>(program.machine, step->queues);
  }
  return *step;
}

void SystemCSimulator::runToEnd() {
  sc_core::sc_start(); // until no event is left (event engine) or the chip pauses (clocked engine)
  if (!clocked && !monitor.faults.any() && chip.endOfStep() > cycleNow())
    sc_core::sc_start(cycles(chip.endOfStep() - cycleNow()), sc_core::SC_RUN_TO_TIME);
}

StepResult SystemCSimulator::run(std::size_t index) {
  StepResult result;
  if (dead) {
    result.violation = dead;
    return result;
  }
  const Cycle start = cycleNow() + 1;
  monitor.begin(program.steps[index].name, program.classes[0].programs[index], start + program.machine.latency.Barrier);
  const DecodedStep &code = decoded(index);
  chip.begin(code.byNumber, code.timeline.get(), start);
  runToEnd();
  if (!monitor.faults.any())
    chip.reportParked();
  result.violation = dead = monitor.faults.first();
  result.instructions = monitor.instructions;
  if (chip.barrier().done()) {
    sc_core::sc_time last = dead ? sc_core::sc_time_stamp() : cycles(chip.endOfStep());
    result.cycles = toCycles(last - chip.barrier().releaseTime());
  }
  if (trace)
    trace->endStep(result.cycles);
  return result;
}

void SystemCSimulator::writeInput(const Binding &b, std::span<const std::uint8_t> data) {
  const std::size_t lanes = program.machine.lanes();
  std::vector<std::uint8_t> row(lanes);
  for (std::uint32_t k = 0; k < b.items; ++k)
    for (std::uint32_t v = 0; v < b.vectors; ++v)
      for (int byte = 0; byte < b.width; ++byte) {
        std::fill(row.begin(), row.end(), 0);
        for (std::size_t l = 0; l < lanes; ++l) {
          std::size_t element = b.elements == 1 ? 0 : std::size_t{v} * b.lanesUsed + l;
          std::size_t at = (std::size_t{k} * b.elements + element) * b.width + byte;
          bool used = b.elements == 1 || (l < b.lanesUsed && element < b.elements);
          if (used && at < data.size())
            row[l] = data[at];
        }
        chip.memory().hostWrite(b.side, b.slice0 + byte, b.bank, static_cast<int>(b.row0 + k * b.vectors + v),
                                row.data());
      }
}

std::vector<std::uint8_t> SystemCSimulator::readOutput(const Binding &b) const {
  std::vector<std::uint8_t> data(std::size_t{b.items} * b.elements * b.width);
  for (std::uint32_t k = 0; k < b.items; ++k)
    for (std::uint32_t v = 0; v < b.vectors; ++v)
      for (int byte = 0; byte < b.width; ++byte) {
        const MemRow &row = chip.memory().bank(b.side, b.slice0 + byte, b.bank)[b.row0 + k * b.vectors + v];
        const std::uint8_t *bytes = row.bytes ? row.bytes : chip.memory().zeros();
        std::size_t first = std::size_t{v} * b.lanesUsed;
        for (std::size_t l = 0; l < b.lanesUsed && first + l < b.elements; ++l)
          data[(std::size_t{k} * b.elements + first + l) * b.width + byte] = bytes[l];
      }
  return data;
}

std::vector<std::uint8_t> SystemCSimulator::peek(isa::Side side, int slice, int bank, int row) const {
  const MemRow &r = chip.memory().bank(side, slice, bank)[row];
  const std::uint8_t *bytes = r.bytes ? r.bytes : chip.memory().zeros();
  return {bytes, bytes + program.machine.rowBytes()};
}

/// SystemC prints a banner and warnings of its own; the run's output is ours.
void quietSystemC() {
  setenv("SYSTEMC_DISABLE_COPYRIGHT_MESSAGE", "1", 1);
  sc_core::sc_report_handler::set_actions(sc_core::SC_INFO, sc_core::SC_DO_NOTHING);
  sc_core::sc_report_handler::set_actions(sc_core::SC_WARNING, sc_core::SC_DO_NOTHING);
}

} // namespace

Result<std::unique_ptr<Simulator>> Simulator::create(const Program &program, const Options &options) {
  static bool elaborated = false;
  if (elaborated)
    return Error{"", "a process can hold one simulator only, SystemC elaborates once; start another process"};
  if (Status status = checkProgram(program); !status)
    return status.error();
  if (options.mode == Mode::Functional && !program.hasWeights)
    return Error{"", "the program has no weights to compute with; run it with --mode=timing, or compile it with "
                     "--weights=random:SEED"};
  std::unique_ptr<Trace> trace;
  if (!options.tracePath.empty()) {
    auto opened = Trace::open(options.tracePath, program.machine);
    if (!opened)
      return opened.error();
    trace = std::move(*opened);
  }
  quietSystemC();
  elaborated = true;
  auto simulator = std::make_unique<SystemCSimulator>(program, options, std::move(trace));
  if (Status status = simulator->load(); !status)
    return status.error();
  simulator->elaborate();
  return std::unique_ptr<Simulator>(std::move(simulator));
}

} // namespace lpu::sim
