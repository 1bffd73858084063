// Elaboration: modules are made in the order of queue numbers and bound to the
// chip's channels; nothing here depends on a particular machine.
#include "Chip.h"

#include <algorithm>

namespace lpu::sim {

namespace {

/// SystemC names may not hold dots.
std::string moduleName(const char *prefix, int number) { return prefix + std::to_string(number); }

} // namespace

Chip::Chip(sc_core::sc_module_name name, Common &common, const isa::ChipClass &chipClass,
           const std::vector<bool> &wired, StepMonitor &monitor)
    : sc_module(name), machine(common.program.machine), rows(machine.lanes()),
      words(static_cast<std::size_t>(machine.lanes()) * 4, &rows),
      sram(machine), context{machine, chipClass, monitor.faults, rows, words, common.functional},
      monitor(monitor), modules{context, monitor, nullptr} {
  if (common.clock) {
    clockedStreams = std::make_unique<ClockedStreams>("streams", machine);
    clockedStreams->clock(*common.clock);
    clockedStreams->showIn(monitor.vcd);
  } else {
    slotStreams = std::make_unique<SlotStreams>("streams", machine);
    calendar = std::make_unique<Calendar>("calendar", machine, monitor.faults, 2 * isa::queueCount(machine));
    modules.calendar = calendar.get();
  }
  barrierModule = std::make_unique<Barrier>("barrier", machine);
  buildQueues(common.program);
  buildLinks(wired);
}

isa::Counts Chip::counts(Cycle length) const {
  isa::Counts counts = monitor.counts;
  if (const Timeline *timeline = calendar ? calendar->steps() : nullptr)
    counts.add(timeline->wires().counts);
  streams().file().way().addTo(counts, machine.rowBytes());
  counts[isa::Count::SuperlaneCycles] =
      static_cast<std::uint64_t>(machine.superlanes) * static_cast<std::uint64_t>(length);
  return counts;
}

bool Chip::finished(Cycle now) const {
  const auto arrived = [&](const std::unique_ptr<Link> &link) { return !link || link->lastArrival() < now; };
  return monitor.running == 0 && !barrierModule->pending() && now >= endOfStep() && std::ranges::all_of(links, arrived);
}

StreamIf &Chip::streams() const {
  if (clockedStreams)
    return *clockedStreams;
  return *slotStreams;
}

void Chip::buildQueues(const isa::Program &program) {
  for (int number = 0; number < isa::queueCount(machine); ++number) {
    icus.push_back(
        std::make_unique<IcuModule>(moduleName("icu", number).c_str(), program, number, modules.calendar, monitor));
    icus.back()->barrier(*barrierModule);
    QueueModule &unit = buildUnit(number);
    unit.icu(*icus.back());
    unit.streams(streams());
    if (!calendar)
      continue;
    icus.back()->setEntry(calendar->add(unit));
    calendar->addQueue(unit);
  }
}

QueueModule &Chip::buildUnit(int number) {
  switch (isa::queueAt(machine, number).unit) {
  case isa::UnitKind::Mem:
    mems.push_back(std::make_unique<MemModule>(moduleName("mem", number).c_str(), modules, sram, number));
    return *mems.back();
  case isa::UnitKind::Vxm:
    alus.push_back(std::make_unique<AluModule>(moduleName("alu", number).c_str(), modules, aluCores, number));
    aluCores.push_back(&alus.back()->alu());
    return *alus.back();
  case isa::UnitKind::MxmW:
    planes.push_back(std::make_unique<MxmModule>(moduleName("mxm", number).c_str(), modules, number));
    if (isa::queueAt(machine, number).index % 2 == 1)
      planes.back()->pairWith(*planes[planes.size() - 2]);
    return planes.back()->queue(0);
  case isa::UnitKind::MxmA:
    return planes.back()->queue(1);
  case isa::UnitKind::MxmR:
    return planes.back()->queue(2);
  case isa::UnitKind::Sxm:
    sxms.push_back(std::make_unique<SxmModule>(moduleName("sxm", number).c_str(), modules, number));
    return *sxms.back();
  case isa::UnitKind::C2c:
    break;
  }
  c2cs.push_back(std::make_unique<C2cModule>(moduleName("c2c", number).c_str(), modules, number));
  return *c2cs.back();
}

void Chip::buildLinks(const std::vector<bool> &wired) {
  links.resize(wired.size());
  for (std::size_t i = 0; i < wired.size(); ++i)
    if (wired[i]) {
      links[i] = std::make_unique<Link>(moduleName("link", static_cast<int>(i)).c_str());
      c2cs[i]->link(*links[i]);
    }
}

void Chip::begin(const std::vector<const DecodedQueue *> &code, const Timeline *timeline, isa::Cycle at,
                 isa::Cycle start) {
  streams().file().reset();
  for (auto &alu : alus)
    alu->alu().reset();
  for (auto &plane : planes)
    plane->reset();
  for (auto &c2c : c2cs)
    c2c->unit().reset();
  barrierModule->begin(start);
  if (calendar)
    calendar->begin(timeline);
  if (timeline) {
    const Wiring &wires = timeline->wires();
    context.registers.grow(wires.rowRegisters, context.rows, wires.wordRegisters, context.words);
    context.registers.image = sram.imageBytes();
  }
  for (std::size_t q = 0; q < icus.size(); ++q)
    icus[q]->begin(code[q], at);
}

void Chip::take(int number, Channel &channel, Cycle now) {
  channel.take(rows, [&](LinkFifo::Entry entry) { c2cs[number]->accept(std::move(entry), now); });
}

void Chip::explainHazard() const {
  for (const auto &c2c : c2cs)
    c2c->unit().explainEmpty();
}

void Chip::reportUnfinished() const {
  for (const auto &icu : icus)
    icu->reportParked();
  if (monitor.faults.any())
    return;
  for (const auto &c2c : c2cs)
    c2c->unit().checkLost();
}

} // namespace lpu::sim
