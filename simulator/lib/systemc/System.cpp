// Elaboration of all chips, and the course of a step: every chip's queues start
// in the same cycle, the barriers release together, and the step ends with the
// last effect on the last chip. Queue code is decoded once per class and step.
#include "System.h"

#include "../core/Deal.h"

#include <algorithm>

namespace lpu::sim {

namespace {

/// Cycles by which chips may be ahead of SystemC's time.
constexpr Cycle kWindow = 1 << 16;

/// Cycles a chip that waits for others waits to be able to run; half of what a vector is under way.
Cycle patienceOf(const isa::Machine &machine) { return (machine.latency.C2cSend + 1) / 2; }

} // namespace

System::System(sc_core::sc_module_name name, const isa::Program &program, const Options &options,
               std::unique_ptr<Trace> traceFile, std::unique_ptr<Vcd> vcdFile, Exchange *exchange)
    : sc_module(name), program(program),
      clock(options.engine == Engine::Clocked ? std::make_unique<sc_core::sc_clock>("clock", cycles(1)) : nullptr),
      trace(std::move(traceFile)), vcd(std::move(vcdFile)),
      exchange(exchange), common{program, clock.get(), options.mode == Mode::Functional}, standIn(program.chips.size()),
      peers(peersOf(program)), code(program.classes.size()),
      traffic(program.classes.size(), std::vector<std::vector<LinkTraffic>>(program.steps.size())) {
  std::vector<ChipGroup> alike = groupChips(program, options.allChips || common.functional);
  const std::vector<int> ranks = dealGroups(program, alike, exchange ? exchange->count() : 1);
  for (std::size_t i = 0; i < alike.size(); ++i) {
    for (std::uint16_t chip : alike[i].chips)
      standIn[chip] = i;
    withMemory.push_back(alike[i].chips.front());
    groups.push_back({std::move(alike[i]), ranks[i]});
  }
  if (!clock) {
    const auto here = std::ranges::count(ranks, rank());
    conductor = std::make_unique<Conductor>(std::min<int>(options.threads, static_cast<int>(here)),
                                            patienceOf(program.machine), hazard, exchange);
  }
  for (Group &group : groups)
    if (group.rank == rank())
      simulate(group);
  for (auto &steps : code)
    steps.resize(program.steps.size());
  SC_HAS_PROCESS(System);
  if (clock) {
    SC_METHOD(watch);
    sensitive << simulated.front()->chip.settled();
  } else {
    SC_METHOD(conduct);
    sensitive << turn;
  }
  dont_initialize();
  connect();
}

void System::simulate(Group &group) {
  const std::uint16_t first = group.members.chips.front();
  std::vector<bool> links;
  for (const Peer &peer : peers[first])
    links.push_back(peer.chip >= 0);
  simulated.push_back(std::make_unique<Simulated>(("chip" + std::to_string(first)).c_str(), common, classOf(first),
                                                  links, hazard, trace ? trace->addChip(first) : nullptr,
                                                  vcd ? vcd->addChip(first) : nullptr, group));
  group.here = simulated.back().get();
  if (!conductor)
    return;
  group.here->player = conductor->add(*group.here);
  group.here->chip.onReady([this] { turn.notify(sc_core::SC_ZERO_TIME); });
}

/// Each link of a simulated chip hears what stands for the chip at its other end.
/// Which chip of its group it is changes from step to step, the groups do not.
void System::connect() {
  std::vector<std::vector<std::size_t>> targets(groups.size(), std::vector<std::size_t>(program.machine.c2cLinks));
  for (std::size_t to = 0; to < groups.size(); ++to)
    for (int link = 0; link < program.machine.c2cLinks; ++link) {
      const Peer &peer = peers[groups[to].members.chips.front()][link];
      if (peer.chip < 0)
        continue;
      const std::size_t from = standIn[peer.chip];
      cables.push_back({from, peer.link, targets[from][peer.link]++, to, link});
      if (clock)
        groups[from].here->chip.link(peer.link)->addTarget(groups[to].here->chip.link(link)->wayIn());
      else
        addChannel(cables.size() - 1);
    }
}

/// A cable has a channel where it ends, and its sender has an outlet to that.
void System::addChannel(std::size_t number) {
  Cable &cable = cables[number];
  Group &from = groups[cable.from], &to = groups[cable.to];
  Outlet *outlet = nullptr;
  if (to.here) {
    cable.input = to.here->inputs.size();
    to.here->inputs.emplace_back(cable.toLink, std::make_unique<Channel>(program.machine.rowBytes()));
    Channel &channel = *to.here->inputs.back().second;
    conductor->addInput(to.here->player, channel);
    outlet = &channel;
    if (!from.here)
      exchange->addRoute(number, from.rank, channel);
  } else if (from.here) {
    outlet = &exchange->outlet(number, to.rank);
  }
  if (!from.here)
    return;
  cable.output = from.here->outputs++;
  from.here->chip.link(cable.fromLink)->addTarget(*outlet);
  conductor->addOutput(from.here->player, *outlet);
}

Status System::load() {
  std::vector<Memory *> loaded(program.classes.size()); // of the first chip of each class
  for (auto &s : simulated) {
    const isa::Chip &chip = program.chips[s->group.members.chips.front()];
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
  static_cast<void>(closeFiles()); // a run that wants its files has asked before
}

Status System::closeFiles() {
  const Status traced = trace ? trace->close() : Ok(), shown = vcd ? vcd->close() : Ok();
  trace.reset();
  vcd.reset();
  return traced ? shown : traced;
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
      step->timeline =
          Timeline::of(program.machine, step->queues,
                       Wiring(program.machine, program.classes[chipClass], memory, common.functional, trace || vcd));
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
  for (Group &group : groups) {
    group.number = representative(program, group.members, step);
    group.start = program.chips[group.number].start[step];
  }
  for (auto &s : simulated) {
    s->entered = false;
    s->monitor.begin(classOf(s->group.number).programs[step], zero, s->group.number, s->group.start);
    const DecodedStep &text = decoded(program.chips[s->group.number].chipClass, step, s->chip.memory());
    s->chip.begin(text.byNumber, text.timeline.get(), first, s->group.start);
  }
  if (conductor)
    conductor->begin();
  for (const Cable &cable : cables)
    beginCable(cable, step);
  if (exchange)
    exchange->begin(zero, hazard);
  inStep = true;
}

void System::beginCable(const Cable &cable, std::size_t step) {
  const Group &from = groups[cable.from], &to = groups[cable.to];
  const int peer = peers[to.number][cable.toLink].chip;
  const Cycle delay = program.chips[peer].start[step] - from.start;
  if (from.here)
    from.here->chip.link(cable.fromLink)->setTarget(cable.target, peer, delay);
  if (!conductor || (!from.here && !to.here))
    return;
  const LinkTraffic &sent = trafficOf(from.number, step)[cable.fromLink];
  if (from.here)
    conductor->announce(from.here->player, cable.output, sent);
  if (!to.here)
    return;
  to.here->inputs[cable.input].second->begin(sent, zero + from.start, program.machine.latency.C2cSend + delay);
  conductor->expect(to.here->player, cable.input, trafficOf(to.number, step)[cable.toLink], zero + to.start);
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
  for (auto &s : simulated) {
    if (s->entered)
      continue;
    if (s->chip.releasePending()) {
      horizon =
          std::min(horizon, s->chip.releaseCycle() + program.machine.latency.C2cSend - patienceOf(program.machine));
      continue;
    }
    s->entered = true; // or it never will be, without a notify in its first cycle (T1.4)
    s->chip.released() ? conductor->enter(s->player, now) : conductor->leave(s->player);
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
  if (exchange) {
    if (hazard.any())
      exchange->hazardAt(hazard.at);
    exchange->finish();
  }
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
  const bool clean = !hazard.any();
  for (const auto &s : simulated)
    clean ? s->chip.reportUnfinished() : s->chip.explainHazard();
}

PartResult System::run(std::size_t step) {
  begin(step);
  runToEnd();
  const bool late = !hazard.any();
  reportUnfinished();
  PartResult result = collect(step);
  result.late = late;
  if (vcd)
    vcd->endStep(result.step.cycles);
  if (trace)
    trace->endStep(step, result.step.cycles, !result.step.violation);
  return result;
}

/// What a chip did counts for every chip it stands for; each ends as much later as it starts later.
PartResult System::collect(std::size_t step) const {
  PartResult result;
  for (const auto &s : simulated)
    if (const FaultLog &own = s->monitor.faults; own.any() && (!result.step.violation || own.place() < result.place)) {
      result.place = own.place();
      result.step.violation = own.first();
    }
  result.place[0] -= zero;
  result.step.chipCycles.resize(program.chips.size());
  for (const auto &s : simulated) {
    result.step.instructions += s->monitor.instructions * s->group.members.chips.size();
    if (!s->chip.released())
      continue;
    const Cycle length = s->chip.endOfStep() - zero - s->group.start;
    result.step.counts.add(s->chip.counts(length), s->group.members.chips.size());
    for (std::uint16_t chip : s->group.members.chips)
      result.step.cycles =
          std::max(result.step.cycles, result.step.chipCycles[chip] = program.chips[chip].start[step] + length);
  }
  return result;
}

} // namespace lpu::sim
