// The public simulator: checks the program, and moves the host's data between
// bindings and the chips' memories.
#include "System.h"

#include "../core/Sha256.h"

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

Status checkStep(const isa::Machine &m, const std::string &name, const isa::StepProgram &step) {
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
  return Ok();
}

Status checkWires(const Program &program) {
  const int links = program.machine.c2cLinks;
  std::vector<bool> wired(program.chips.size() * links);
  const auto plug = [&](std::size_t chip, int link) {
    if (chip >= program.chips.size() || link >= links || wired[chip * links + link])
      return false;
    wired[chip * links + link] = true;
    return true;
  };
  for (const isa::Wire &w : program.wires)
    if (!plug(w.chipA, w.linkA) || ((w.chipA != w.chipB || w.linkA != w.linkB) && !plug(w.chipB, w.linkB)))
      return Error{
          "", fmt::format("wire from chip {}, link {} to chip {}, link {}: no such link, or one wired twice; chips "
                          "are 0..{}, links 0..{}",
                          w.chipA, w.linkA, w.chipB, w.linkB, program.chips.size() - 1, links - 1)};
  return Ok();
}

/// A container has passed all this; programs made by hand have not.
Status checkProgram(const Program &program) {
  for (const isa::Chip &chip : program.chips)
    if (chip.chipClass >= program.classes.size() || chip.start.size() != program.steps.size())
      return Error{"", "a chip has no class, or not one start for each step; compile again"};
  for (const isa::Chip &chip : program.chips)
    if (const std::uint64_t bytes = program.classes[chip.chipClass].imageBytes, size = program.image.size();
        program.hasWeights && (chip.imageOffset > size || bytes > size - chip.imageOffset))
      return Error{"", "a chip's constants are outside of the image; compile again"};
  for (const isa::ChipClass &own : program.classes) {
    if (own.programs.size() != program.steps.size())
      return Error{own.name, "the chip class has not one program for each step; compile again"};
    for (std::size_t i = 0; i < program.steps.size(); ++i)
      if (Status status = checkStep(program.machine, program.steps[i].name, own.programs[i]); !status)
        return status;
  }
  if (program.chips.empty())
    return Error{"", "the program has no chips; compile again"};
  return checkWires(program);
}

const Binding *find(const std::vector<Binding> &bindings, std::string_view name) {
  const auto found = std::ranges::find(bindings, name, &Binding::name);
  return found == bindings.end() ? nullptr : &*found;
}

/// Chips in the order in which their outputs are joined.
std::vector<std::size_t> outputOrder(const Program &program) {
  std::vector<std::size_t> order(program.chips.size());
  for (std::size_t i = 0; i < order.size(); ++i)
    order[i] = i;
  std::ranges::stable_sort(order, {},
                           [&](std::size_t i) { return std::pair(program.chips[i].stage, program.chips[i].shard); });
  return order;
}

const std::uint8_t *bytesOf(const Memory &memory, isa::Side side, int slice, int bank, int row) {
  const MemRow &r = memory.bank(side, slice, bank)[row];
  return r.bytes ? r.bytes : memory.zeros();
}

class SystemCSimulator final : public Simulator {
public:
  SystemCSimulator(const Program &program, System &system) : program(program), system(system) {}
  ~SystemCSimulator() override { system.close(); }

  Status load() { return system.load(); }
  void elaborate() { sc_core::sc_start(sc_core::SC_ZERO_TIME); }

  void writeInput(std::size_t step, std::string_view name, std::span<const std::uint8_t> data) override;
  StepResult run(std::size_t step) override { return system.run(step); }
  std::vector<std::uint8_t> readOutput(std::size_t step, std::string_view name) const override;
  void clearState() override;
  std::array<std::uint8_t, 32> memorySha256() const override;
  std::vector<std::uint8_t> peek(std::size_t chip, isa::Side side, int slice, int bank, int row) const override;

private:
  const isa::StepProgram &programOf(std::size_t chip, std::size_t step) const {
    return program.classes[program.chips[chip].chipClass].programs[step];
  }
  void write(Memory &memory, const Binding &binding, std::span<const std::uint8_t> data) const;
  /// Elements of item k go to data + (k * elements + first) * width.
  void read(const Memory &memory, const Binding &binding, std::size_t elements, std::size_t first,
            std::vector<std::uint8_t> &data) const;

  const Program &program;
  System &system;
};

void SystemCSimulator::writeInput(std::size_t step, std::string_view name, std::span<const std::uint8_t> data) {
  for (std::size_t chip : system.chipsWithMemory())
    if (const Binding *binding = find(programOf(chip, step).inputs, name))
      write(system.memory(chip), *binding, data);
}

void SystemCSimulator::write(Memory &memory, const Binding &b, std::span<const std::uint8_t> data) const {
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
        memory.hostWrite(b.side, b.slice0 + byte, b.bank, static_cast<int>(b.row0 + k * b.vectors + v), row.data());
      }
}

std::vector<std::uint8_t> SystemCSimulator::readOutput(std::size_t step, std::string_view name) const {
  std::size_t elements = 0, items = 0, width = 0;
  const std::vector<std::size_t> order = outputOrder(program);
  for (std::size_t chip : order)
    if (const Binding *b = find(programOf(chip, step).outputs, name))
      elements += b->elements, items = b->items, width = b->width;
  std::vector<std::uint8_t> data(items * elements * width);
  std::size_t first = 0;
  for (std::size_t chip : order)
    if (const Binding *b = find(programOf(chip, step).outputs, name)) {
      read(system.memory(chip), *b, elements, first, data);
      first += b->elements;
    }
  return data;
}

void SystemCSimulator::read(const Memory &memory, const Binding &b, std::size_t elements, std::size_t offset,
                            std::vector<std::uint8_t> &data) const {
  for (std::uint32_t k = 0; k < b.items; ++k)
    for (std::uint32_t v = 0; v < b.vectors; ++v)
      for (int byte = 0; byte < b.width; ++byte) {
        const std::uint8_t *bytes =
            bytesOf(memory, b.side, b.slice0 + byte, b.bank, static_cast<int>(b.row0 + k * b.vectors + v));
        const std::size_t first = std::size_t{v} * b.lanesUsed;
        for (std::size_t l = 0; l < b.lanesUsed && first + l < b.elements; ++l)
          data[(k * elements + offset + first + l) * b.width + byte] = bytes[l];
      }
}

void SystemCSimulator::clearState() {
  for (std::size_t chip : system.chipsWithMemory())
    system.memory(chip).clearState();
}

std::array<std::uint8_t, 32> SystemCSimulator::memorySha256() const {
  Sha256 hash;
  for (std::size_t chip : system.chipsWithMemory())
    system.memory(chip).hash(hash);
  return hash.finish();
}

std::vector<std::uint8_t> SystemCSimulator::peek(std::size_t chip, isa::Side side, int slice, int bank, int row) const {
  const std::uint8_t *bytes = bytesOf(system.memory(chip), side, slice, bank, row);
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
  // Never destroyed: SystemC takes modules apart in time quadratic in their number, half a minute for hundreds of
  // chips, and after a simulator the process has nothing else to simulate.
  static System *elaborated = nullptr;
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
  elaborated = new System("system", program, options, std::move(trace));
  auto simulator = std::make_unique<SystemCSimulator>(program, *elaborated);
  if (Status status = simulator->load(); !status)
    return status.error();
  simulator->elaborate();
  return std::unique_ptr<Simulator>(std::move(simulator));
}

} // namespace lpu::sim
