// Moves the host's data between bindings and the chips' memories.
#include "Part.h"

#include "CheckProgram.h"

#include <algorithm>
#include <cstdlib>

// libsystemc refers to it; programs that link the simulator have their own main.
extern "C" int sc_main(int, char *[]) { return 0; }

namespace lpu::sim {

using isa::Binding;
using isa::Program;

namespace {

const std::uint8_t *bytesOf(const Memory &memory, isa::Side side, int slice, int bank, int row) {
  const MemRow &r = memory.bank(side, slice, bank)[row];
  return r.bytes ? r.bytes : memory.zeros();
}

/// SystemC prints a banner and warnings of its own; the run's output is ours.
void quietSystemC() {
  setenv("SYSTEMC_DISABLE_COPYRIGHT_MESSAGE", "1", 1);
  sc_core::sc_report_handler::set_actions(sc_core::SC_INFO, sc_core::SC_DO_NOTHING);
  sc_core::sc_report_handler::set_actions(sc_core::SC_WARNING, sc_core::SC_DO_NOTHING);
}

Result<std::unique_ptr<Trace>> openTrace(const Program &program, const Options &options) {
  auto model = isa::loadEnergyModel(options.energyModel);
  if (!model)
    return model.error();
  if (auto watts = isa::typicalStaticWatts(*model, program.machine); !watts)
    return watts.error();
  auto writer = options.traceFormat == TraceFormat::Perfetto ? openPerfettoTrace(options.tracePath)
                                                             : openJsonTrace(options.tracePath, program.machine);
  if (!writer)
    return writer.error();
  return std::make_unique<Trace>(std::move(*writer), program, std::move(*model));
}

Result<std::unique_ptr<Vcd>> openVcd(const Program &program, const Waveforms &asked) {
  VcdOptions options{asked.from, asked.to, {}};
  for (const std::string &text : asked.streams) {
    auto probe = parseProbe(program.machine, text);
    if (!probe)
      return probe.error();
    options.probes.push_back(*probe);
  }
  return Vcd::open(asked.path, program.machine, std::move(options));
}

} // namespace

const Binding *findBinding(const std::vector<Binding> &bindings, std::string_view name) {
  const auto found = std::ranges::find(bindings, name, &Binding::name);
  return found == bindings.end() ? nullptr : &*found;
}

Result<std::unique_ptr<Part>> Part::create(const Program &program, const Options &options, Exchange *exchange) {
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
    auto opened = openTrace(program, options);
    if (!opened)
      return opened.error();
    trace = std::move(*opened);
  }
  std::unique_ptr<Vcd> vcd;
  if (!options.vcd.path.empty()) {
    auto opened = openVcd(program, options.vcd);
    if (!opened)
      return opened.error();
    vcd = std::move(*opened);
  }
  quietSystemC();
  elaborated = new System("system", program, options, std::move(trace), std::move(vcd), exchange);
  std::unique_ptr<Part> part(new Part(program, *elaborated));
  if (Status status = elaborated->load(); !status)
    return status.error();
  sc_core::sc_start(sc_core::SC_ZERO_TIME);
  return part;
}

void Part::write(std::size_t step, std::string_view name, std::span<const std::uint8_t> data) {
  for (std::size_t chip : system.chipsWithMemory())
    if (const Binding *binding = holds(chip) ? findBinding(programOf(program, chip, step).inputs, name) : nullptr)
      write(system.memory(chip), *binding, data);
}

void Part::write(Memory &memory, const Binding &b, std::span<const std::uint8_t> data) const {
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

std::vector<std::uint8_t> Part::read(std::size_t chip, const Binding &b) const {
  const Memory &memory = system.memory(chip);
  std::vector<std::uint8_t> data(std::size_t{b.items} * b.elements * b.width);
  for (std::uint32_t k = 0; k < b.items; ++k)
    for (std::uint32_t v = 0; v < b.vectors; ++v)
      for (int byte = 0; byte < b.width; ++byte) {
        const std::uint8_t *bytes =
            bytesOf(memory, b.side, b.slice0 + byte, b.bank, static_cast<int>(b.row0 + k * b.vectors + v));
        const std::size_t first = std::size_t{v} * b.lanesUsed;
        for (std::size_t l = 0; l < b.lanesUsed && first + l < b.elements; ++l)
          data[(std::size_t{k} * b.elements + first + l) * b.width + byte] = bytes[l];
      }
  return data;
}

void Part::clearState() {
  for (std::size_t chip : system.chipsWithMemory())
    if (holds(chip))
      system.memory(chip).clearState();
}

std::vector<std::uint8_t> Part::peek(std::size_t chip, isa::Side side, int slice, int bank, int row) const {
  const std::uint8_t *bytes = bytesOf(system.memory(chip), side, slice, bank, row);
  return {bytes, bytes + program.machine.rowBytes()};
}

} // namespace lpu::sim
