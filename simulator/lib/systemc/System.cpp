// Elaboration of all chips, and the course of a step: every chip's queues start
// in the same cycle, the barriers release together, and the step ends with the
// last effect on the last chip. Queue code is decoded once per class and step.
#include "System.h"

#include <algorithm>

namespace lpu::sim {

System::System(sc_core::sc_module_name name, const isa::Program &program, const Options &options,
               std::unique_ptr<Trace> traceFile)
    : sc_module(name), program(program),
      clock(options.engine == Engine::Clocked ? std::make_unique<sc_core::sc_clock>("clock", cycles(1)) : nullptr),
      trace(std::move(traceFile)),
      common{program, clock.get(), options.mode == Mode::Functional, VectorPool(program.machine.lanes()),
             VectorPool(static_cast<std::size_t>(program.machine.lanes()) * 4, &common.rows)},
      standIn(program.chips.size()), peers(peersOf(program)), code(program.classes.size()) {
  const bool all = options.allChips || common.functional;
  for (ChipGroup &group : groupChips(program, all)) {
    for (std::uint16_t chip : group.chips)
      standIn[chip] = simulated.size();
    const std::uint16_t first = group.chips.front();
    std::vector<bool> links;
    for (const Peer &peer : peers[first])
      links.push_back(peer.chip >= 0);
    simulated.push_back(std::make_unique<Simulated>(
        ("chip" + std::to_string(first)).c_str(), common, program.classes[program.chips[first].chipClass], links, hazard,
        trace ? trace->addChip(program.machine, first) : nullptr, std::move(group)));
  }
  connect();
  for (auto &steps : code)
    steps.resize(program.steps.size());
  if (!clock)
    return;
  SC_HAS_PROCESS(System);
  SC_METHOD(watch);
  sensitive << simulated.front()->chip.settled();
  dont_initialize();
}

/// Each link of a simulated chip hears what stands for the chip at its other end.
/// Which chip of its group it is changes from step to step, the groups do not.
void System::connect() {
  std::vector<std::vector<std::size_t>> targets(simulated.size(), std::vector<std::size_t>(program.machine.c2cLinks));
  for (std::size_t to = 0; to < simulated.size(); ++to)
    for (int link = 0; link < program.machine.c2cLinks; ++link) {
      const Peer &peer = peers[simulated[to]->group.chips.front()][link];
      if (peer.chip < 0)
        continue;
      const std::size_t from = standIn[peer.chip];
      simulated[from]->chip.link(peer.link)->addTarget(*simulated[to]->chip.link(link));
      cables.push_back({from, peer.link, targets[from][peer.link]++, to, link});
    }
}

Status System::load() {
  std::vector<Memory *> loaded(program.classes.size()); // of the first chip of each class
  for (auto &s : simulated) {
    const isa::Chip &chip = program.chips[s->group.chips.front()];
    const isa::ChipClass &own = program.classes[chip.chipClass];
    Memory *&first = loaded[chip.chipClass];
    if (first && !common.functional && s->chip.memory().loadLike(*first))
      continue;
    if (!first)
      first = &s->chip.memory();
    std::optional<std::span<const std::uint8_t>> image;
    if (program.hasWeights)
      image = program.image.subspan(chip.imageOffset, own.imageBytes);
    if (Status status = s->chip.memory().load(own, image); !status)
      return status;
  }
  return Ok();
}

std::vector<std::size_t> System::chipsWithMemory() const {
  std::vector<std::size_t> chips;
  for (const auto &s : simulated)
    chips.push_back(s->group.chips.front());
  return chips;
}

/// `memory`: of a chip of this class.
const System::DecodedStep &System::decoded(std::size_t chipClass, std::size_t index, const Memory &memory) {
  std::unique_ptr<DecodedStep> &step = code[chipClass][index];
  if (!step) {
    step = std::make_unique<DecodedStep>();
    step->byNumber.resize(isa::queueCount(program.machine));
    const isa::StepProgram &text = program.classes[chipClass].programs[index];
    step->queues.reserve(text.queues.size());
    for (const isa::QueueCode &queue : text.queues) {
      step->queues.push_back(decodeQueue(program.machine, queue));
      step->byNumber[step->queues.back().number] = &step->queues.back();
    }
    if (!clock && program.residentCode)
      step->timeline = Timeline::of(
          program.machine, step->queues,
          Wiring(program.machine, program.classes[chipClass], memory, common.functional, trace != nullptr));
  }
  return *step;
}

void System::begin(std::size_t step) {
  const Cycle first = cycleNow() + 1;
  zero = first + program.machine.latency.Barrier;
  hazard = {};
  for (auto &s : simulated) {
    s->number = representative(program, s->group, step);
    const isa::Chip &chip = program.chips[s->number];
    s->start = chip.start[step];
    s->monitor.begin(program.classes[chip.chipClass].programs[step], zero, s->number, s->start);
    const DecodedStep &text = decoded(chip.chipClass, step, s->chip.memory());
    s->chip.begin(text.byNumber, text.timeline.get(), first, s->start);
  }
  for (const Cable &cable : cables) {
    const int peer = peers[simulated[cable.to]->number][cable.toLink].chip;
    simulated[cable.from]->chip.link(cable.fromLink)->setTarget(
        cable.target, peer, program.chips[peer].start[step] - simulated[cable.from]->start);
  }
  inStep = true;
}

bool System::finished(Cycle now) const {
  if (hazard.any()) // two more cycles, for what is noticed after the fact
    return now >= hazard.at + 2;
  return std::ranges::all_of(simulated, [&](const auto &s) { return s->chip.finished(now); });
}

void System::watch() {
  if (inStep && finished(cycleNow())) {
    inStep = false;
    sc_core::sc_pause();
  }
}

void System::runToEnd() {
  sc_core::sc_start(); // until no event is left (event engine) or watch pauses (clocked engine)
  if (clock || hazard.any())
    return;
  Cycle end = cycleNow();
  for (const auto &s : simulated)
    end = std::max(end, s->chip.endOfStep());
  if (end > cycleNow())
    sc_core::sc_start(cycles(end - cycleNow()), sc_core::SC_RUN_TO_TIME);
}

StepResult System::run(std::size_t step) {
  StepResult result;
  if (dead) {
    result.violation = dead;
    return result;
  }
  begin(step);
  runToEnd();
  if (!hazard.any())
    for (const auto &s : simulated)
      s->chip.reportUnfinished();
  collect(step, result);
  dead = result.violation;
  if (trace)
    trace->endStep(program.steps[step].name, result.cycles);
  return result;
}

/// What a chip did counts for every chip it stands for; each ends as much later as it starts later.
void System::collect(std::size_t step, StepResult &result) const {
  result.chipCycles.resize(program.chips.size());
  for (const auto &s : simulated) {
    result.instructions += s->monitor.instructions * s->group.chips.size();
    const std::optional<Violation> &own = s->monitor.faults.first();
    const auto rank = [](const Violation &v) { return std::pair(v.cycle, v.chip); };
    if (own && (!result.violation || rank(*own) < rank(*result.violation)))
      result.violation = own;
    if (!s->chip.released())
      continue;
    const Cycle length = (hazard.any() ? cycleNow() : s->chip.endOfStep()) - zero - s->start;
    for (std::uint16_t chip : s->group.chips)
      result.cycles = std::max(result.cycles, result.chipCycles[chip] = program.chips[chip].start[step] + length);
  }
}

} // namespace lpu::sim
