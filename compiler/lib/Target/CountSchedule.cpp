// Counts from timed instructions. What a word moves follows from its fields and
// from how often it is issued, without looking at single copies. For streams every
// drive and every sample becomes one number whose order is that of the slot, and in
// it that of positions downstream; then one pass over the sorted numbers sees each
// value between its producer and its last consumer.

#include "lpu/compiler/Target/CountSchedule.h"

#include "lpu/compiler/Dialect/LLM/Chips.h"
#include "lpu/compiler/Dialect/Lpu/Lpu.h"

#include "mlir/IR/Threading.h"

#include <algorithm>
#include <array>
#include <bit>

using namespace mlir;

namespace lpu::compiler {

namespace {

using isa::Count;
using isa::Counts;
using isa::Cycle;
using isa::Direction;
using isa::Field;
using isa::Opcode;

constexpr int kStreams = 32;
constexpr int kGroup = 16; ///< streams of an lw and of a transpose

/// The dispatches of one issue: `count` of them, `interval` cycles apart.
struct Burst {
  Cycle first = 0;
  std::int64_t count = 1, interval = 1;
};

class ScheduleCounter {
public:
  ScheduleCounter(const isa::Machine &machine, timed::ProgramOp program) : machine(machine), program(program) {}

  Counts run() {
    for (auto queue : program.getBody().getOps<timed::QueueOp>())
      countQueue(queue);
    for (std::vector<std::uint64_t> &events : slots)
      countWays(events);
    if (!program.getBody().getOps<timed::QueueOp>().empty())
      counts[Count::SuperlaneCycles] = static_cast<std::uint64_t>(machine.superlanes) * program.getCycles();
    return std::move(counts);
  }

private:
  struct Word {
    isa::Instruction instruction;
    Burst burst;
  };

  /// A window's copies repeat the issues in front of it as well.
  void countQueue(timed::QueueOp op) {
    queue = *isa::parseQueueName(op.getQueue().str());
    position = isa::queuePosition(machine, queue);
    std::vector<Word> words;
    for (auto issue : op.getBody().getOps<timed::IssueOp>()) {
      const auto copies = static_cast<std::int64_t>(issue.getCount()) - 1,
                 window = static_cast<std::int64_t>(issue.getWindow());
      words.push_back({timed::instructionOf(issue), {static_cast<Cycle>(issue.getCycle()), 1, 1}});
      for (auto word = words.end() - std::min<std::int64_t>(window, static_cast<std::int64_t>(words.size()));
           word != words.end() && copies > 0; ++word)
        word->burst.count += copies, word->burst.interval = window;
    }
    for (const Word &word : words)
      countWord(word.instruction, word.burst);
  }

  std::uint64_t bytes(const Burst &burst, int vectors = 1) const {
    return static_cast<std::uint64_t>(burst.count) * static_cast<std::uint64_t>(vectors) *
           static_cast<std::uint64_t>(machine.rowBytes());
  }
  Direction outbound() const { return queue.side == isa::Side::East ? Direction::East : Direction::West; }
  Direction inbound() const { return queue.side == isa::Side::East ? Direction::West : Direction::East; }

  void countWord(const isa::Instruction &i, const Burst &burst) {
    counts[i.opcode] += static_cast<std::uint64_t>(burst.count);
    switch (queue.unit) {
    case isa::UnitKind::Mem:
      return countMem(i, burst);
    case isa::UnitKind::Vxm:
      return countVxm(i, burst);
    case isa::UnitKind::MxmW:
      counts[Count::WeightBytes] += bytes(burst, kGroup);
      return sample(burst, outbound(), i.get(Field::Stream), kGroup);
    case isa::UnitKind::MxmA:
      return countActivate(i, burst);
    case isa::UnitKind::MxmR:
      if (i.get(Field::Emit))
        drive(burst, inbound(), i.get(Field::Stream), 4, machine.latency.MxmEmit);
      return;
    case isa::UnitKind::Sxm:
      return countSxm(i, burst);
    case isa::UnitKind::C2c:
      return countLink(i, burst);
    }
  }

  void countMem(const isa::Instruction &i, const Burst &burst) {
    auto dir = [&](Field f) { return Direction(i.get(f)); };
    if (i.opcode == Opcode::Gather || i.opcode == Opcode::Scatter) {
      sample(burst, dir(Field::MapDir), i.get(Field::MapStream), 2);
      if (i.opcode == Opcode::Scatter)
        sample(burst, dir(Field::Dir), i.get(Field::Stream), 1);
      else
        drive(burst, dir(Field::Dir), i.get(Field::Stream), 1, machine.latency.MemGather);
      counts[i.opcode == Opcode::Gather ? Count::GatheredBytes : Count::ScatteredBytes] += bytes(burst);
      return;
    }
    if (i.get(Field::Rd)) {
      drive(burst, dir(Field::RdDir), i.get(Field::RdStream), 1, machine.latency.MemRead);
      counts[Count::SramReadBytes] += bytes(burst);
    }
    if (i.get(Field::Wr)) {
      sample(burst, dir(Field::WrDir), i.get(Field::WrStream), 1);
      counts[Count::SramWrittenBytes] += bytes(burst);
    }
  }

  void countVxm(const isa::Instruction &i, const Burst &burst) {
    auto operand = [&](Field kind, Field dir, Field index, Field width) {
      if (isa::OperandKind(i.get(kind)) == isa::OperandKind::Stream)
        sample(burst, Direction(i.get(dir)), i.get(index), isa::widthBytes(i.get(width)));
    };
    operand(Field::AKind, Field::ADir, Field::AIndex, Field::AWidth);
    operand(Field::BKind, Field::BDir, Field::BIndex, Field::BWidth);
    operand(Field::CKind, Field::CDir, Field::CIndex, Field::CWidth);
    const bool special =
        i.opcode == Opcode::Exp || i.opcode == Opcode::Tanh || i.opcode == Opcode::Rsqrt || i.opcode == Opcode::Recip;
    counts[special ? Count::VxmSpecial : Count::VxmSimple] += bytes(burst);
    if (i.get(Field::Out))
      drive(burst, Direction(i.get(Field::OutDir)), i.get(Field::OutStream), isa::widthBytes(i.get(Field::OutWidth)),
            isa::latencyOf(machine, i.opcode));
  }

  void countActivate(const isa::Instruction &i, const Burst &burst) {
    if (i.get(Field::Load))
      sample(burst, outbound(), i.get(Field::LoadStream), 1);
    const bool upper = queue.index % 2;
    if (!i.get(Field::Play) || (i.get(Field::Fp16) && upper))
      return;
    const std::uint64_t mask = static_cast<std::uint64_t>(i.get(Field::Mask)) &
                               ((std::uint64_t{1} << machine.superlanes) - 1),
                        lanes = static_cast<std::uint64_t>(std::popcount(mask)) *
                                static_cast<std::uint64_t>(machine.lanesPerSuperlane);
    counts[i.get(Field::Fp16) ? Count::ProductsFp16 : Count::ProductsInt8] += lanes * bytes(burst);
  }

  void countSxm(const isa::Instruction &i, const Burst &burst) {
    const int streams = i.opcode == Opcode::Transpose ? kGroup : 1;
    const bool across = i.opcode == Opcode::Shift || i.opcode == Opcode::Permute;
    counts[streams == kGroup ? Count::SxmTransposeBytes
           : across          ? Count::SxmAcrossBytes
                             : Count::SxmWithinBytes] += bytes(burst, streams);
    sample(burst, Direction(i.get(Field::SrcDir)), i.get(Field::SrcStream), streams);
    if (i.opcode == Opcode::SelectLanes)
      sample(burst, Direction(i.get(Field::Src2Dir)), i.get(Field::Src2Stream), 1);
    drive(burst, Direction(i.get(Field::DstDir)), i.get(Field::DstStream), streams, isa::latencyOf(machine, i.opcode));
  }

  void countLink(const isa::Instruction &i, const Burst &burst) {
    const auto vectors = static_cast<std::uint64_t>(burst.count);
    if (i.opcode == Opcode::Send) {
      counts.countSent(queue.index, vectors);
      sample(burst, Direction(i.get(Field::Dir)), i.get(Field::Stream), 1);
    } else if (i.opcode == Opcode::Receive) {
      counts.countReceived(queue.index, vectors);
      drive(burst, Direction(i.get(Field::Dir)), i.get(Field::Stream), 1, machine.latency.C2cReceive);
    }
  }

  void drive(const Burst &burst, Direction dir, std::int64_t stream, int count, Cycle latency) {
    note(burst, dir, stream, count, latency, false);
  }
  void sample(const Burst &burst, Direction dir, std::int64_t stream, int count) {
    note(burst, dir, stream, count, 0, true);
  }

  /// An event is (slot, positions downstream from where the direction begins, drive before sample).
  void note(const Burst &burst, Direction dir, std::int64_t stream, int count, Cycle latency, bool isSample) {
    const bool east = dir == Direction::East;
    const Cycle reach = machine.maxPosition(), place = reach + (east ? position : -position);
    const Cycle slot = burst.first + latency + (east ? -position : position) + reach; // not negative
    for (std::int64_t i = stream; i < stream + count; ++i) {
      std::vector<std::uint64_t> &events = slots[(east ? 0 : kStreams) + static_cast<std::size_t>(i % kStreams)];
      for (std::int64_t copy = 0; copy < burst.count; ++copy)
        events.push_back(static_cast<std::uint64_t>(slot + copy * burst.interval) << kPlaceBits |
                         static_cast<std::uint64_t>(place) << 1 | (isSample ? 1 : 0));
    }
  }

  /// Between a drive and the next one of its slot, or the edge, the last sample ends the way that is used.
  void countWays(std::vector<std::uint64_t> &events) {
    std::sort(events.begin(), events.end());
    const std::uint64_t row = static_cast<std::uint64_t>(machine.rowBytes()),
                        edge = 2 * static_cast<std::uint64_t>(machine.maxPosition());
    auto placeOf = [](std::uint64_t event) { return event >> 1 & ((1 << (kPlaceBits - 1)) - 1); };
    for (std::size_t i = 0; i < events.size();) {
      const std::uint64_t slot = events[i] >> kPlaceBits, from = placeOf(events[i]);
      std::uint64_t taken = from, end = edge;
      for (++i; i < events.size() && events[i] >> kPlaceBits == slot && events[i] & 1; ++i)
        taken = placeOf(events[i]);
      if (i < events.size() && events[i] >> kPlaceBits == slot)
        end = placeOf(events[i]) - 1;
      counts[Count::StreamByteHops] += row * (taken - from);
      counts[Count::StreamTailByteHops] += row * (end - taken);
    }
  }

  static constexpr int kPlaceBits = 13; ///< twice the outermost position of any machine, and the kind of event

  const isa::Machine &machine;
  timed::ProgramOp program;
  isa::QueueId queue;
  int position = 0;
  std::array<std::vector<std::uint64_t>, 2 * kStreams> slots;
  Counts counts;
};

} // namespace

std::vector<std::vector<Counts>> countSchedules(ModuleOp module, const isa::Machine &machine) {
  std::vector<std::vector<Counts>> counts;
  std::vector<std::pair<timed::ProgramOp, std::pair<std::size_t, std::size_t>>> programs;
  for (ModuleOp chipClass : llm::classModules(module)) {
    counts.emplace_back();
    for (auto program : chipClass.getOps<timed::ProgramOp>()) {
      programs.push_back({program, {counts.size() - 1, counts.back().size()}});
      counts.back().emplace_back();
    }
  }
  mlir::parallelFor(module.getContext(), 0, programs.size(), [&](std::size_t i) {
    auto [program, place] = programs[i];
    counts[place.first][place.second] = ScheduleCounter(machine, program).run();
  });
  return counts;
}

} // namespace lpu::compiler
