// Events are gathered chip by chip as slices close, and appended at the end of each
// step, so that the file does not depend on who ran first. Then the closing brackets are
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

Trace::Trace(std::FILE *file, const isa::Machine &machine) : file(file) {
  fmt::print(file,
             "{{\"displayTimeUnit\":\"ns\",\"otherData\":{{\"time\":\"1 us in this trace is 1 chip cycle\","
             "\"machine\":{},\"clock_ghz\":{}}},\"traceEvents\":[\n",
             quoted(machine.name), machine.clockGHz);
  writeTail();
}

Trace::~Trace() {
  writeTail();
  std::fclose(file);
}

ChipTrace *Trace::addChip(const isa::Machine &machine, int chip) {
  chips.push_back(std::make_unique<ChipTrace>(*this, machine, chip));
  return chips.back().get();
}

void Trace::event(const std::string &json) {
  if (!first)
    std::fputs(",\n", file);
  first = false;
  std::fwrite(json.data(), 1, json.size(), file);
}

std::string Trace::slice(int chip, int track, isa::Cycle from, isa::Cycle length, const std::string &name) const {
  return fmt::format("{{\"ph\":\"X\",\"pid\":{},\"tid\":{},\"ts\":{},\"dur\":{},\"name\":{}}}", chip, track,
                     base + from, length, quoted(name));
}

void Trace::endStep(const std::string &name, isa::Cycle cycles) {
  for (auto &chip : chips) {
    chip->endStep();
    if (const std::string events = chip->takeEvents(); !events.empty())
      event(events);
  }
  event(slice(chips.empty() ? 0 : chips.front()->number(), kStepTrack, 0, cycles, name));
  base += cycles;
  writeTail();
}

ChipTrace::ChipTrace(Trace &trace, const isa::Machine &machine, int chip)
    : trace(trace), chip(chip), slices(isa::queueCount(machine)) {
  nameTracks(machine);
  trace.writeTail();
}

void ChipTrace::nameTracks(const isa::Machine &machine) {
  trace.event(fmt::format("{{\"ph\":\"M\",\"pid\":{},\"name\":\"process_name\",\"args\":{{\"name\":\"chip {}\"}}}}",
                          chip, chip));
  const auto track = [&](int id, const std::string &name) {
    trace.event(
        fmt::format("{{\"ph\":\"M\",\"pid\":{},\"tid\":{},\"name\":\"thread_name\",\"args\":{{\"name\":\"{}\"}}}}",
                    chip, id, name));
  };
  track(kStepTrack, "steps");
  for (int q = 0; q < static_cast<int>(slices.size()); ++q)
    track(q + 1, isa::queueName(isa::queueAt(machine, q)));
}

void ChipTrace::beginStep(const isa::StepProgram &program, isa::Cycle cycleZero) {
  step = &program;
  zero = cycleZero;
}

void ChipTrace::flush(int queue) {
  Open &open = slices[queue];
  if (open.label == kNoLabel)
    return;
  const bool named = static_cast<std::size_t>(open.label) < step->labels.size();
  if (!events.empty())
    events += ",\n";
  events += trace.slice(chip, queue + 1, open.first - zero, open.last + 1 - open.first,
                        named ? step->labels[open.label] : fmt::format("label {}", open.label));
  open = Open();
}

void ChipTrace::endStep() {
  for (int q = 0; q < static_cast<int>(slices.size()); ++q)
    flush(q);
}

void Trace::writeTail() {
  long at = std::ftell(file);
  std::fputs("\n]}\n", file);
  std::fflush(file);
  std::fseek(file, at, SEEK_SET);
}

} // namespace lpu::sim
