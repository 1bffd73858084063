// Elaboration of all chips, and the course of a step: every chip's queues start
// in the same cycle, the barriers release together, and the step ends with the
// last effect on the last chip. Queue code is decoded once per class and step.
#include "System.h"

#include <algorithm>

namespace lpu::sim {

namespace {

/// Cycles by which chips may be ahead of SystemC's time.
constexpr Cycle kWindow = 1 << 16;

/// Cycles a chip that waits for others waits to be able to run; half of what a vector is under way.
Cycle patienceOf(const isa::Machine &machine) { return (machine.latency.C2cSend + 1) / 2; }

} // namespace

System::System(sc_core::sc_module_name name, const isa::Program &program, const Options &options,
               std::unique_ptr<Trace> traceFile)
    : sc_module(name), program(program),
      clock(options.engine == Engine::Clocked ? std::make_unique<sc_core::sc_clock>("clock", cycles(1)) : nullptr),
      trace(std::move(traceFile)), common{program, clock.get(), options.mode == Mode::Functional},
      standIn(program.chips.size()), peers(peersOf(program)), code(program.classes.size()),
      traffic(program.classes.size(), std::vector<std::vector<LinkTraffic>>(program.steps.size())) {
  const bool all = options.allChips || common.functional;
  for (ChipGroup &group : groupChips(program, all)) {
    for (std::uint16_t chip : group.chips)
      standIn[chip] = simulated.size();
    const std::uint16_t first = group.chips.front();
    std::vector<bool> links;
    for (const Peer &peer : peers[first])
      links.push_back(peer.chip >= 0);
    simulated.push_back(
        std::make_unique<Simulated>(("chip" + std::to_string(first)).c_str(), common, classOf(first), links, hazard,
                                    trace ? trace->addChip(program.machine, first) : nullptr, std::move(group)));
  }
  for (auto &steps : code)
    steps.resize(program.steps.size());
  SC_HAS_PROCESS(System);
  if (clock) {
    SC_METHOD(watch);
    sensitive << simulated.front()->chip.settled();
  } else {
    const int threads = std::min(options.threads, static_cast<int>(simulated.size()));
    conductor = std::make_unique<Conductor>(threads, patienceOf(program.machine), hazard);
    for (auto &s : simulated) {
      conductor->add(*s);
      s->chip.onReady([this] { turn.notify(sc_core::SC_ZERO_TIME); });
    }
    SC_METHOD(conduct);
    sensitive << turn;
  }
  dont_initialize();
  connect();
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
      cables.push_back({from, peer.link, targets[from][peer.link]++, to, link});
      if (clock)
        simulated[from]->chip.link(peer.link)->addTarget(simulated[to]->chip.link(link)->wayIn());
      else
        addChannel(cables.back());
    }
}

void System::addChannel(Cable &cable) {
  Simulated &from = *simulated[cable.from], &to = *simulated[cable.to];
  cable.output = from.outputs++;
  cable.input = to.inputs.size();
  Channel &channel =
      *to.inputs.emplace_back(cable.toLink, std::make_unique<Channel>(program.machine.rowBytes())).second;
  from.chip.link(cable.fromLink)->addTarget(channel);
  conductor->addOutput(static_cast<int>(cable.from), channel);
  conductor->addInput(static_cast<int>(cable.to), channel);
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

void System::close() {
  if (conductor)
    conductor->stop();
  trace.reset();
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

const std::vector<LinkTraffic> &System::trafficOf(std::size_t chip, std::size_t step) {
  std::vector<LinkTraffic> &links = traffic[program.chips[chip].chipClass][step];
  if (links.empty())
    links = sim::trafficOf(program, classOf(chip).programs[step]);
  return links;
}

void System::begin(std::size_t step) {
  const Cycle first = cycleNow() + 1;
  zero = first + program.machine.latency.Barrier;
  hazard.clear();
  for (auto &s : simulated) {
    s->number = representative(program, s->group, step);
    s->entered = false;
    const isa::Chip &chip = program.chips[s->number];
    s->start = chip.start[step];
    s->monitor.begin(program.classes[chip.chipClass].programs[step], zero, s->number, s->start);
    const DecodedStep &text = decoded(chip.chipClass, step, s->chip.memory());
    s->chip.begin(text.byNumber, text.timeline.get(), first, s->start);
  }
  if (conductor)
    conductor->begin();
  for (const Cable &cable : cables)
    beginCable(cable, step);
  inStep = true;
}

void System::beginCable(const Cable &cable, std::size_t step) {
  Simulated &from = *simulated[cable.from], &to = *simulated[cable.to];
  const int peer = peers[to.number][cable.toLink].chip;
  const Cycle delay = program.chips[peer].start[step] - from.start;
  from.chip.link(cable.fromLink)->setTarget(cable.target, peer, delay);
  if (!conductor)
    return;
  const LinkTraffic &sent = trafficOf(from.number, step)[cable.fromLink];
  const LinkTraffic &received = trafficOf(to.number, step)[cable.toLink];
  to.inputs[cable.input].second->begin(sent, zero + from.start, program.machine.latency.C2cSend + delay);
  conductor->announce(static_cast<int>(cable.from), cable.output, sent);
  conductor->expect(static_cast<int>(cable.to), cable.input, received, zero + to.start);
}

/// A chip whose release is to come sends nothing before it, so the others can run that long and as much longer as
/// nobody misses what it sends then. Until a step's releases are over SystemC's time goes from one to the next.
void System::conduct() {
  const Cycle now = cycleNow();
  if (nextTurn == now) { // a release of this cycle may not be complete yet
    nextTurn = Player::kNever;
    return turn.notify(sc_core::SC_ZERO_TIME);
  }
  Cycle horizon = now + kWindow;
  for (std::size_t i = 0; i < simulated.size(); ++i) {
    Simulated &s = *simulated[i];
    if (s.entered)
      continue;
    if (s.chip.releasePending()) {
      horizon =
          std::min(horizon, s.chip.releaseCycle() + program.machine.latency.C2cSend - patienceOf(program.machine));
      continue;
    }
    s.entered = true; // or it never will be, without a notify in its first cycle (T1.4)
    s.chip.released() ? conductor->enter(static_cast<int>(i), now) : conductor->leave(static_cast<int>(i));
  }
  nextTurn = conductor->run(horizon);
  if (nextTurn != Player::kNever)
    turn.notify(cycles(nextTurn - now));
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
  if (clock)
    return;
  for (auto &s : simulated)
    s->take(Player::kNever);
  if (hazard.any())
    return;
  Cycle end = cycleNow();
  for (const auto &s : simulated)
    end = std::max(end, s->chip.endOfStep());
  if (end > cycleNow())
    sc_core::sc_start(cycles(end - cycleNow()), sc_core::SC_RUN_TO_TIME);
}

void System::reportUnfinished() {
  const bool late = !hazard.any();
  for (const auto &s : simulated)
    late ? s->chip.reportUnfinished() : s->chip.explainHazard();
}

StepResult System::run(std::size_t step) {
  StepResult result;
  if (dead) {
    result.violation = dead;
    return result;
  }
  begin(step);
  runToEnd();
  reportUnfinished();
  collect(step, result);
  dead = result.violation;
  if (trace)
    trace->endStep(program.steps[step].name, result.cycles);
  return result;
}

/// What a chip did counts for every chip it stands for; each ends as much later as it starts later.
void System::collect(std::size_t step, StepResult &result) const {
  std::tuple<Cycle, int, int> first;
  for (const auto &s : simulated)
    if (const FaultLog &own = s->monitor.faults; own.any() && (!result.violation || own.place() < first)) {
      first = own.place();
      result.violation = own.first();
    }
  result.chipCycles.resize(program.chips.size());
  if (result.violation) { // how far each chip has got then depends on the host
    result.cycles = result.violation->cycle;
    return;
  }
  for (const auto &s : simulated) {
    result.instructions += s->monitor.instructions * s->group.chips.size();
    if (!s->chip.released())
      continue;
    const Cycle length = s->chip.endOfStep() - zero - s->start;
    for (std::uint16_t chip : s->group.chips)
      result.cycles = std::max(result.cycles, result.chipCycles[chip] = program.chips[chip].start[step] + length);
  }
}

} // namespace lpu::sim
