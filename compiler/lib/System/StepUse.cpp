// Use of queues, streams and links, counted from the words of a step.

#include "lpu/compiler/System/Figures.h"

#include <algorithm>
#include <vector>

namespace lpu::compiler {

namespace {

using isa::Field;
using isa::Opcode;

bool isControl(Opcode opcode) {
  return opcode == Opcode::Nop || opcode == Opcode::Repeat || opcode == Opcode::Sync || opcode == Opcode::Notify ||
         opcode == Opcode::Config;
}

class Counter {
public:
  Counter(const isa::Machine &machine, const isa::StepProgram &step) : machine(machine), step(step) {}

  StepUse run() {
    for (const isa::QueueCode &queue : step.queues)
      count(queue);
    return std::move(use);
  }

private:
  void count(const isa::QueueCode &queue) {
    std::vector<isa::Instruction> instructions;
    std::vector<double> times;
    for (const isa::Word &word : queue.words) {
      auto instruction = isa::decode(word);
      instructions.push_back(instruction ? *instruction : isa::Instruction{});
      times.push_back(
          isControl(instructions.back().opcode) ? 0 : 1 + static_cast<double>(instructions.back().get(Field::Copies)));
      if (instructions.back().opcode != Opcode::Repeat)
        continue;
      auto window = static_cast<std::size_t>(instructions.back().get(Field::Window));
      for (std::size_t i = times.size() - 1 - std::min(window, times.size() - 1); i + 1 < times.size(); ++i)
        if (times[i] > 0)
          times[i] += static_cast<double>(instructions.back().get(Field::Count));
    }
    double sent = 0;
    for (std::size_t i = 0; i < times.size(); ++i)
      if (times[i] > 0) {
        add(use.queues, isa::queueName(queue.queue), times[i]);
        drive(queue.queue, instructions[i], times[i]);
        sent += instructions[i].opcode == Opcode::Send ? times[i] : 0;
      }
    if (sent > 0) {
      add(use.links, isa::queueName(queue.queue), sent * machine.c2cVectorInterval);
      use.allLinks += use.links[isa::queueName(queue.queue)] / machine.c2cLinks;
    }
  }

  /// Counts what an instruction puts on streams.
  void drive(isa::QueueId queue, const isa::Instruction &instruction, double times) {
    auto put = [&](std::int64_t direction, std::int64_t stream, int count) {
      for (int i = 0; i < count; ++i)
        add(use.streams, (direction == 0 ? "e" : "w") + std::to_string(stream + i), times);
    };
    auto get = [&](Field field) { return instruction.get(field); };
    if (isa::isVxm(instruction.opcode)) {
      if (get(Field::Out))
        put(get(Field::OutDir), get(Field::OutStream), isa::widthBytes(get(Field::OutWidth)));
      return;
    }
    switch (instruction.opcode) {
    case Opcode::Mem:
      return get(Field::Rd) ? put(get(Field::RdDir), get(Field::RdStream), 1) : void();
    case Opcode::Gather:
    case Opcode::Receive:
      return put(get(Field::Dir), get(Field::Stream), 1);
    case Opcode::Accumulate: // inbound
      return get(Field::Emit) ? put(queue.side == isa::Side::East ? 1 : 0, get(Field::Stream), 4) : void();
    case Opcode::Transpose:
      return put(get(Field::DstDir), get(Field::DstStream), 16);
    case Opcode::Shift:
    case Opcode::Permute:
    case Opcode::Distribute:
    case Opcode::Rotate:
    case Opcode::SelectLanes:
      return put(get(Field::DstDir), get(Field::DstStream), 1);
    default:
      return;
    }
  }

  void add(std::map<std::string, double> &shares, const std::string &name, double cycles) const {
    shares[name] += cycles / static_cast<double>(std::max<isa::Cycle>(1, step.predictedCycles));
  }

  const isa::Machine &machine;
  const isa::StepProgram &step;
  StepUse use;
};

} // namespace

StepUse useOf(const isa::Machine &machine, const isa::StepProgram &step) { return Counter(machine, step).run(); }

} // namespace lpu::compiler
