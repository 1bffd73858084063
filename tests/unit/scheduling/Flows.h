// Hand-made flows, on a machine whose numbers are those of the small preset.
#pragma once

#include "lpu/compiler/Scheduling/ListScheduler.h"

#include "lpu/isa/Machine.h"

#include <gtest/gtest.h>

#include <string>

namespace lpu::compiler::sched {

inline isa::Machine small() {
  isa::Machine machine; // tsp1's numbers …
  machine.name = "small";
  machine.superlanes = 4, machine.memSlicesPerSide = 28, machine.memRowsPerBank = 1024; // … but for these
  return machine;
}

inline int queue(const isa::Machine &machine, const std::string &name) {
  return isa::queueNumber(machine, *isa::parseQueueName(name));
}

/// An issue of `opcode` on `queue`.
inline Issue issue(const isa::Machine &machine, const std::string &name, Cycle at, isa::Opcode opcode, int count = 1) {
  Issue result;
  result.queue = queue(machine, name), result.at = at, result.count = count, result.instruction.opcode = opcode;
  return result;
}

/// A memory read (5 cycles to its effect).
inline Issue read(const isa::Machine &machine, const std::string &name, Cycle at, int count = 1) {
  Issue result = issue(machine, name, at, isa::Opcode::Mem, count);
  result.instruction.set(isa::Field::Rd, 1);
  return result;
}

/// A memory write (2 cycles to its effect).
inline Issue write(const isa::Machine &machine, const std::string &name, Cycle at, int count = 1) {
  Issue result = issue(machine, name, at, isa::Opcode::Mem, count);
  result.instruction.set(isa::Field::Wr, 1);
  return result;
}

/// An operation on ALU use `alu` of the flow.
inline Issue alu(int alu, Cycle at, isa::Opcode opcode = isa::Opcode::Move, int count = 1) {
  Issue result;
  result.alu = alu, result.at = at, result.count = count, result.instruction.opcode = opcode;
  return result;
}

inline FlowShape flowOf(const isa::Machine &machine, const std::string &label, std::vector<Issue> issues) {
  FlowShape flow;
  flow.label = label, flow.issues = std::move(issues);
  int alus = 0;
  for (const Issue &i : flow.issues)
    alus = std::max(alus, i.alu + 1);
  flow.alus.resize(static_cast<std::size_t>(alus));
  flow.normalize(machine);
  return flow;
}

inline Access memory(int object, std::int64_t low, std::int64_t high, bool write, Cycle first, Cycle last,
                     Cycle visible = 2) {
  return {Access::Kind::Memory, object, low, high, write, first, last, visible};
}

/// Lets a tile into the weight buffer of `plane` and installs it elsewhere.
inline FlowShape tileLoad(const isa::Machine &machine, int plane, const std::string &memQueue, int rows) {
  FlowShape flow = flowOf(machine, "tile", {read(machine, memQueue, 0, rows)});
  flow.tileLoad = true;
  flow.accesses.push_back({Access::Kind::WeightBuffer, plane, 0, 0, true, 5, 5 + rows - 1, 1});
  return flow;
}

inline FlowShape install(const isa::Machine &machine, int plane) {
  Issue word = issue(machine, "mxm.e" + std::to_string(plane) + ".a", 0, isa::Opcode::Activate);
  word.instruction.set(isa::Field::Install, 1);
  FlowShape flow = flowOf(machine, "install", {word});
  flow.accesses.push_back({Access::Kind::WeightBuffer, plane, 0, 0, false, 0, 0, 1});
  flow.accesses.push_back({Access::Kind::Array, plane, 0, 0, true, 0, 0, 1});
  return flow;
}

} // namespace lpu::compiler::sched
