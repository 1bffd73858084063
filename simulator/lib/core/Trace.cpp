// Slices are gathered chip by chip as they close, and written at the end of each
// step, so that the file does not depend on who ran first. Curves follow from the
// words of the step's program, which is what was executed: counts say so.
#include "Trace.h"

#include <fmt/format.h>

namespace lpu::sim {

namespace {
constexpr int kStepTrack = 0; ///< tracks of queues start at 1
} // namespace

Trace::Trace(std::unique_ptr<TraceWriter> to, const isa::Program &program, isa::EnergyModel model)
    : writer(std::move(to)), program(program), model(std::move(model)), links(program.chips.size()) {
  for (const isa::Wire &wire : program.wires)
    ++links[wire.chipA], ++links[wire.chipB];
}

Status Trace::close() { return writer->close(); }

ChipTrace *Trace::addChip(int chip) {
  std::vector<std::string> tracks = {"steps"};
  for (int q = 0; q < isa::queueCount(program.machine); ++q)
    tracks.push_back(isa::queueName(isa::queueAt(program.machine, q)));
  writer->addChip(chip, tracks, curveNames());
  writer->finish();
  chips.push_back(std::make_unique<ChipTrace>(program.machine, chip));
  return chips.back().get();
}

void Trace::writeSlices(ChipTrace &chip) {
  for (int q = 0; q < static_cast<int>(chip.slices.size()); ++q)
    chip.flush(q);
  for (const ChipTrace::Slice &slice : chip.done)
    writer->slice(chip.chip, slice.queue + 1, base + slice.first, slice.length, chip.nameOf(slice.label));
  chip.done.clear();
}

/// A value holds until the next one; what does not change is not written again.
void Trace::writeCurves(const ChipTrace &own, std::size_t step) {
  const int chip = own.number();
  auto known = activities.find({chip, step});
  if (known == activities.end()) {
    auto made =
        activityOf(program.machine, program.classes[program.chips[chip].chipClass].programs[step], model, links[chip]);
    if (!made)
      return; // its formulas had values when the trace was opened
    known = activities.emplace(std::pair(chip, step), std::move(*made)).first;
  }
  const Activity &activity = known->second;
  std::array<double, kCurves> now = activity.idle;
  for (int c = 0; c < kCurves; ++c)
    writer->counter(chip, c, base, now[c]);
  const auto change = [&](isa::Cycle at, const std::array<double, kCurves> &values) {
    for (int c = 0; c < kCurves; ++c)
      if (values[c] != now[c])
        writer->counter(chip, c, at, now[c] = values[c]);
  };
  isa::Cycle at = base + own.start;
  for (const auto &values : activity.values) {
    change(at, values);
    at += activity.bin;
  }
  change(at, activity.idle);
}

void Trace::endStep(std::size_t step, isa::Cycle cycles, bool whole) {
  for (auto &chip : chips) {
    writeSlices(*chip);
    if (whole)
      writeCurves(*chip, step);
  }
  writer->slice(chips.empty() ? 0 : chips.front()->number(), kStepTrack, base, cycles, program.steps[step].name);
  base += cycles;
  writer->finish();
}

ChipTrace::ChipTrace(const isa::Machine &machine, int chip) : chip(chip), slices(isa::queueCount(machine)) {}

void ChipTrace::beginStep(const isa::StepProgram &program, isa::Cycle cycleZero, isa::Cycle programStart) {
  step = &program;
  zero = cycleZero;
  start = programStart;
}

void ChipTrace::flush(int queue) {
  Open &open = slices[queue];
  if (open.label == kNoLabel)
    return;
  done.push_back({queue, open.label, open.first - zero, open.last + 1 - open.first});
  open = Open();
}

std::string ChipTrace::nameOf(int label) const {
  const bool named = static_cast<std::size_t>(label) < step->labels.size();
  return named ? step->labels[label] : fmt::format("label {}", label);
}

} // namespace lpu::sim
