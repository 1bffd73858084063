// Events are appended as slices close. After each step the closing brackets are
// written and the file position moves back in front of them, so that what is on
// disk is valid JSON whenever the run ends.
#include "Trace.h"

#include <fmt/format.h>

namespace lpu::sim {

namespace {

constexpr int kStepTrack = 0; ///< thread ids of queues start at 1

std::string quoted(const std::string &text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\')
      out += '\\', out += c;
    else if (static_cast<unsigned char>(c) < 0x20)
      out += fmt::format("\\u{:04x}", static_cast<int>(c));
    else
      out += c;
  }
  return out + '"';
}

} // namespace

Result<std::unique_ptr<Trace>> Trace::open(const std::string &path, const isa::Machine &machine) {
  std::FILE *file = std::fopen(path.c_str(), "wb");
  if (!file)
    return Error{path, "cannot write the trace; choose a writable path"};
  return std::unique_ptr<Trace>(new Trace(file, machine));
}

Trace::Trace(std::FILE *file, const isa::Machine &machine) : file(file), slices(isa::queueCount(machine)) {
  fmt::print(file,
             "{{\"displayTimeUnit\":\"ns\",\"otherData\":{{\"time\":\"1 us in this trace is 1 chip cycle\","
             "\"machine\":{},\"clock_ghz\":{}}},\"traceEvents\":[\n",
             quoted(machine.name), machine.clockGHz);
  nameTracks(machine);
  writeTail();
}

Trace::~Trace() {
  writeTail();
  std::fclose(file);
}

void Trace::nameTracks(const isa::Machine &machine) {
  event("{\"ph\":\"M\",\"pid\":0,\"name\":\"process_name\",\"args\":{\"name\":\"chip 0\"}}");
  event(fmt::format("{{\"ph\":\"M\",\"pid\":0,\"tid\":{},\"name\":\"thread_name\",\"args\":{{\"name\":\"steps\"}}}}",
                    kStepTrack));
  for (int q = 0; q < static_cast<int>(slices.size()); ++q)
    event(fmt::format("{{\"ph\":\"M\",\"pid\":0,\"tid\":{},\"name\":\"thread_name\",\"args\":{{\"name\":\"{}\"}}}}",
                      q + 1, isa::queueName(isa::queueAt(machine, q))));
}

void Trace::event(const std::string &json) {
  if (!first)
    std::fputs(",\n", file);
  first = false;
  std::fwrite(json.data(), 1, json.size(), file);
}

void Trace::beginStep(const std::string &stepName, const isa::StepProgram &program, isa::Cycle cycleZero) {
  name = stepName;
  step = &program;
  zero = cycleZero;
}

void Trace::flush(int queue) {
  Open &open = slices[queue];
  if (open.label == kNoLabel)
    return;
  std::string name = static_cast<std::size_t>(open.label) < step->labels.size() ? step->labels[open.label]
                                                                                : fmt::format("label {}", open.label);
  event(fmt::format("{{\"ph\":\"X\",\"pid\":0,\"tid\":{},\"ts\":{},\"dur\":{},\"name\":{}}}", queue + 1,
                    base + open.first - zero, open.last + 1 - open.first, quoted(name)));
  open = Open();
}

void Trace::endStep(isa::Cycle cycles) {
  for (int q = 0; q < static_cast<int>(slices.size()); ++q)
    flush(q);
  event(fmt::format("{{\"ph\":\"X\",\"pid\":0,\"tid\":{},\"ts\":{},\"dur\":{},\"name\":{}}}", kStepTrack, base, cycles,
                    quoted(name)));
  base += cycles;
  writeTail();
}

void Trace::writeTail() {
  long at = std::ftell(file);
  std::fputs("\n]}\n", file);
  std::fflush(file);
  std::fseek(file, at, SEEK_SET);
}

} // namespace lpu::sim
