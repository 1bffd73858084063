// MXM planes and VXM accumulators as the schedule verifier follows them: tiles
// are complete when installed, plays find a tile and a row, sums are taken in
// the cycle they arrive, and nothing is read that was never written
// (timing.md T4.3, T5).

#include "ScheduleState.h"

#include <algorithm>

using namespace mlir;

namespace lpu::timed {

using isa::Cycle;
using isa::Field;
using isa::Opcode;

namespace {

bool isMxm(isa::UnitKind unit) {
  return unit == isa::UnitKind::MxmW || unit == isa::UnitKind::MxmA || unit == isa::UnitKind::MxmR;
}

void noteFirst(std::map<std::int64_t, Cycle> &rows, std::int64_t row, Cycle cycle) {
  auto [entry, isNew] = rows.try_emplace(row, cycle);
  if (!isNew)
    entry->second = std::min(entry->second, cycle);
}

/// Loads come in order of time: those dispatched after `since` and before `until`.
template <typename Loads> auto loadsBetween(const Loads &loads, Cycle since, Cycle until) {
  auto earlier = [](const auto &load, Cycle cycle) { return load.cycle < cycle; };
  auto first = std::lower_bound(loads.begin(), loads.end(), since + 1, earlier);
  return llvm::make_range(first, std::lower_bound(first, loads.end(), until, earlier));
}

/// The last install before `cycle`, or −1.
Cycle installBefore(const std::vector<Cycle> &installs, Cycle cycle) {
  auto at = std::lower_bound(installs.begin(), installs.end(), cycle);
  return at == installs.begin() ? -1 : *std::prev(at);
}

} // namespace

const MxmState::Plane &MxmState::planeOf(const Dispatch &d) const {
  return planes[d.queue.index + (d.queue.side == isa::Side::East ? 0 : machine.mxmPlanesPerSide)];
}

void MxmState::drive(const Dispatch &d) {
  if (!isMxm(d.queue.unit))
    return;
  auto &plane = const_cast<Plane &>(planeOf(d));
  const isa::Instruction &i = d.instruction;
  if (i.opcode == Opcode::LoadWeights)
    for (std::int64_t more = 0; more <= i.get(Field::Packed); ++more)
      plane.loads.push_back({d.cycle, (i.get(Field::RowGroup) + more) % machine.superlanes, d.op});
  if (i.opcode == Opcode::Activate) {
    if (i.get(Field::Install))
      plane.installs.push_back(d.cycle);
    if (i.get(Field::Load))
      noteFirst(plane.activations, i.get(Field::LoadRow), d.cycle);
    Cycle arrival = d.cycle + machine.latency.MxmPlay;
    if (i.get(Field::Play) && i.get(Field::Fp16))
      plane.halves[arrival] = i.get(Field::Mask);
    if (i.get(Field::Play) && !(i.get(Field::Fp16) && isUpper(d)))
      plane.sums.insert(arrival);
  }
  if (i.opcode == Opcode::Accumulate && i.get(Field::AccMode)) {
    plane.takes.insert(d.cycle);
    noteFirst(plane.accumulators, i.get(Field::Row), d.cycle);
    if (static_cast<isa::AccMode>(i.get(Field::AccMode)) == isa::AccMode::Overwrite)
      plane.overwrites[i.get(Field::Row)].push_back(d.cycle);
  }
}

LogicalResult MxmState::sample(const Dispatch &d) const {
  if (!isMxm(d.queue.unit))
    return success();
  const Plane &plane = planeOf(d);
  const isa::Instruction &i = d.instruction;
  if (i.opcode == Opcode::LoadWeights)
    return loadWeights(d, plane);
  if (i.opcode == Opcode::Accumulate)
    return accumulate(d, plane);
  if (i.opcode != Opcode::Activate)
    return success();
  if (i.get(Field::Install) && failed(install(d, plane)))
    return failure();
  if (i.get(Field::Fp16) && failed(half(d)))
    return failure();
  return i.get(Field::Play) ? play(d, plane) : success();
}

const MxmState::Plane *MxmState::otherPlane(const Dispatch &d) const {
  if ((d.queue.index ^ 1) >= machine.mxmPlanesPerSide)
    return nullptr;
  Dispatch other = d;
  other.queue.index ^= 1;
  return &planeOf(other);
}

/// One plane's half of a pass of fp16 values (T5.6).
LogicalResult MxmState::half(const Dispatch &d) const {
  const isa::Instruction &i = d.instruction;
  if (!i.get(Field::Play))
    return d.op.emitOpError("says fp16 in cycle ") << d.cycle << ", but plays nothing";
  const Plane *other = otherPlane(d);
  if (!other)
    return d.op.emitOpError("plays fp16 values in cycle ") << d.cycle << " in a plane that has no other";
  std::int64_t played =
      llvm::popcount(static_cast<std::uint64_t>(i.get(Field::Mask)) & ((std::uint64_t{1} << machine.superlanes) - 1));
  if (played > machine.superlanes / 2)
    return d.op.emitOpError("plays fp16 values of ")
           << played << " superlanes in cycle " << d.cycle << "; a pass takes " << machine.superlanes / 2;
  auto counterpart = other->halves.find(d.cycle + machine.latency.MxmPlay);
  if (counterpart == other->halves.end())
    return d.op.emitOpError("plays one half of fp16 values in cycle ")
           << d.cycle << "; the other plane of the side plays none";
  if (counterpart->second != i.get(Field::Mask))
    return d.op.emitOpError("plays one half of fp16 values in cycle ")
           << d.cycle << " with another mask than the other plane of the side";
  return success();
}

LogicalResult MxmState::loadWeights(const Dispatch &d, const Plane &plane) const {
  std::int64_t packed = d.instruction.get(Field::Packed), first = d.instruction.get(Field::RowGroup);
  if (packed && !machine.mxmInt4Expand)
    return d.op.emitOpError("loads packed int4 weights in cycle ")
           << d.cycle << ", which machine '" << machine.name << "' does not expand";
  Cycle since = installBefore(plane.installs, d.cycle);
  for (const Load &load : loadsBetween(plane.loads, since, d.cycle))
    if (load.group == first || (packed && load.group == (first + 1) % machine.superlanes))
      return d.op.emitOpError("loads row group ")
             << load.group << " in cycle " << d.cycle << ", which was loaded in cycle " << load.cycle
             << " and is not installed yet";
  return success();
}

LogicalResult MxmState::finish() const {
  for (const Plane &plane : planes)
    if (!plane.loads.empty())
      if (Load last = plane.loads.back(); plane.installs.empty() || plane.installs.back() < last.cycle)
        return last.op.emitOpError("loads weights in cycle ") << last.cycle << ", which no install puts to use";
  return success();
}

LogicalResult MxmState::install(const Dispatch &d, const Plane &plane) const {
  Cycle since = installBefore(plane.installs, d.cycle);
  auto loads = loadsBetween(plane.loads, since, d.cycle + 1);
  if (loads.empty() || loads.begin()->cycle == d.cycle)
    return d.op.emitOpError("installs in cycle ") << d.cycle << " a tile of which nothing was loaded before"
                                                  << (since < 0 ? "" : " since the install before it");
  Cycle last = std::prev(loads.end())->cycle;
  if (Cycle complete = last + machine.latency.MxmLoadWeights, plays = d.cycle + machine.latency.MxmInstall;
      complete > plays)
    return d.op.emitOpError("installs in cycle ")
           << d.cycle << " a tile that is complete from " << last << " + " << machine.latency.MxmLoadWeights << " = "
           << complete << "; its plays begin in cycle " << plays;
  return success();
}

LogicalResult MxmState::play(const Dispatch &d, const Plane &plane) const {
  std::int64_t row = d.instruction.get(Field::PlayRow);
  if (d.instruction.get(Field::Install))
    return d.op.emitOpError("installs and plays in cycle ") << d.cycle << "; one word does one of them";
  if (plane.installs.empty() || plane.installs.front() + machine.latency.MxmInstall > d.cycle)
    return d.op.emitOpError("plays in cycle ") << d.cycle << ", before any tile is installed";
  auto loaded = plane.activations.find(row);
  if (loaded == plane.activations.end())
    return d.op.emitOpError("plays activation row ")
           << row << " in cycle " << d.cycle << ", which no instruction loads";
  if (Cycle ready = loaded->second + machine.latency.MxmLoad; ready > d.cycle)
    return d.op.emitOpError("plays activation row ")
           << row << " in cycle " << d.cycle << ", first loaded in cycle " << loaded->second << " and playable from "
           << loaded->second << " + " << machine.latency.MxmLoad << " = " << ready;
  if (Cycle arrival = d.cycle + machine.latency.MxmPlay;
      !(d.instruction.get(Field::Fp16) && isUpper(d)) && !plane.takes.count(arrival))
    return d.op.emitOpError("plays in cycle ") << d.cycle << ", but no acc takes the sum in cycle " << d.cycle << " + "
                                               << machine.latency.MxmPlay << " = " << arrival;
  return success();
}

LogicalResult MxmState::accumulate(const Dispatch &d, const Plane &plane) const {
  auto mode = static_cast<isa::AccMode>(d.instruction.get(Field::AccMode));
  std::int64_t row = d.instruction.get(Field::Row);
  if (mode != isa::AccMode::None && !plane.sums.count(d.cycle))
    return d.op.emitOpError("takes a sum in cycle ")
           << d.cycle << ", but nothing was played in cycle " << d.cycle << " - " << machine.latency.MxmPlay << " = "
           << d.cycle - machine.latency.MxmPlay;
  if (mode == isa::AccMode::Overwrite || (mode == isa::AccMode::None && !d.instruction.get(Field::Emit)))
    return success();
  auto written = plane.accumulators.find(row);
  if (written != plane.accumulators.end() && written->second < d.cycle)
    return format(d, plane);
  auto diagnostic = d.op.emitOpError(mode != isa::AccMode::None ? "adds to" : "emits")
                    << " accumulator row " << row << " in cycle " << d.cycle;
  if (written == plane.accumulators.end())
    return diagnostic << ", which no instruction writes";
  return diagnostic << ", first written in cycle " << written->second << " and readable from " << written->second + 1;
}

/// What is added is of the format of the sum and of the row (T5.7).
LogicalResult MxmState::format(const Dispatch &d, const Plane &plane) const {
  auto mode = static_cast<isa::AccMode>(d.instruction.get(Field::AccMode));
  if (mode == isa::AccMode::None)
    return success();
  std::int64_t row = d.instruction.get(Field::Row);
  bool fp32 = mode == isa::AccMode::AddF;
  auto name = [](bool isFloat) { return isFloat ? "fp32" : "int32"; };
  if (bool sum = plane.halves.count(d.cycle); sum != fp32)
    return d.op.emitOpError("adds ") << name(fp32) << " in cycle " << d.cycle << ", but the sum that arrives is "
                                     << name(sum);
  auto overwrites = plane.overwrites.find(row);
  if (overwrites == plane.overwrites.end())
    return success(); // an addition before the first one is in error already
  auto next = std::lower_bound(overwrites->second.begin(), overwrites->second.end(), d.cycle);
  if (bool held = next != overwrites->second.begin() && plane.halves.count(*std::prev(next)); held != fp32)
    return d.op.emitOpError("adds ") << name(fp32) << " in cycle " << d.cycle << " to accumulator row " << row
                                     << ", which holds " << name(held);
  return success();
}

void AccumulatorState::drive(const Dispatch &d) {
  if (!isa::isVxm(d.instruction.opcode) || !d.instruction.get(Field::AccWrite))
    return;
  auto [entry, isNew] = firstWrite.try_emplace(d.queue.index, d.cycle);
  if (!isNew)
    entry->second = std::min(entry->second, d.cycle);
}

LogicalResult AccumulatorState::sample(const Dispatch &d) const {
  if (!isa::isVxm(d.instruction.opcode))
    return success();
  for (Field kind : {Field::AKind, Field::BKind, Field::CKind})
    if (d.instruction.get(kind) == static_cast<int>(isa::OperandKind::Accumulator)) {
      auto written = firstWrite.find(d.queue.index);
      if (written == firstWrite.end() || written->second >= d.cycle)
        return d.op.emitOpError("reads the accumulator of ALU ")
               << d.queue.index << " in cycle " << d.cycle << ", before anything is written to it";
    }
  return success();
}

} // namespace lpu::timed
