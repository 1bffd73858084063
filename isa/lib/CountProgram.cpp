// Counts from decoded words, in order of dispatch. A slot of a stream (T2.3)
// remembers who drives it and how far each value has been taken; a consumer adds
// the positions that its value had not come before.
#include "lpu/isa/Counts.h"

#include "lpu/isa/Legality.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace lpu::isa {

namespace {

class Counter {
public:
  Counter(const Machine &m, const StepProgram &s, Cycle binCycles)
      : machine(m), step(s), expansion(expand(m, s, unlimited())), lanes(static_cast<std::uint64_t>(m.lanes())),
        reach(m.maxPosition()), ring(std::bit_ceil(static_cast<std::size_t>(longestLatency(m) + 4 * reach + 8))),
        slots(64 * ring) {
    result.byLabel.resize(std::max<std::size_t>(1, step.labels.size()));
    result.binCycles = binCycles;
  }

  CountedProgram run() {
    Cycle last = 0;
    for (const Dispatch &d : expansion.dispatches) {
      const Instruction &instruction = expansion.instruction(d);
      if (const Cycle latency = effectLatency(machine, instruction); latency >= 0)
        last = std::max(last, d.cycle + latency);
      begin(d);
      count(step.queues[d.queue].queue, d.cycle, instruction);
    }
    if (!step.queues.empty())
      countPower(last + machine.superlanes - 1);
    for (const Counts &label : result.byLabel)
      result.total.add(label);
    return std::move(result);
  }

private:
  /// Where an amount is booked: the label of an operation, and a bin of time.
  struct Account {
    std::size_t label = 0, bin = 0;
  };
  /// A value on a slot: where it was driven, by whom, and how many positions of its way are counted.
  struct Value {
    int position;
    Account producer;
    int hops = 0;
  };
  struct Slot {
    Cycle tau = std::numeric_limits<Cycle>::min();
    std::vector<Value> values;
  };

  const Machine &machine;
  const StepProgram &step;
  Expansion expansion;
  const std::uint64_t lanes;
  const int reach;
  const std::size_t ring;
  std::vector<Slot> slots; ///< a ring per stream
  CountedProgram result;
  Account now; ///< of the word that is looked at
  int position = 0;

  static LegalityOptions unlimited() {
    LegalityOptions options;
    options.maxDispatches = std::numeric_limits<std::size_t>::max();
    return options;
  }

  static Cycle longestLatency(const Machine &m) {
    Cycle longest = 1;
    for (const InstructionInfo &i : instructions())
      longest = std::max(longest, latencyOf(m, i.opcode));
    return std::max(longest, m.latency.MxmPlay);
  }

  void begin(const Dispatch &d) {
    const QueueCode &code = step.queues[d.queue];
    const std::size_t label = d.word < code.labels.size() ? code.labels[d.word] : 0;
    now = {label < result.byLabel.size() ? label : 0, binOf(d.cycle)};
    position = queuePosition(machine, code.queue);
  }

  std::size_t binOf(Cycle cycle) {
    if (result.binCycles <= 0)
      return 0;
    const auto bin = static_cast<std::size_t>(cycle / result.binCycles);
    if (result.byTime.size() <= bin)
      result.byTime.resize(bin + 1);
    return bin;
  }
  /// Calls `use` with every sum that `account` goes into.
  template <typename Use> void book(const Account &account, Use use) {
    use(result.byLabel[account.label]);
    if (result.binCycles > 0)
      use(result.byTime[account.bin]);
  }
  void add(Count kind, std::uint64_t amount) {
    book(now, [&](Counts &sum) { sum[kind] += amount; });
  }

  /// Superlanes are on for the whole length of the program.
  void countPower(Cycle length) {
    const auto superlanes = static_cast<std::uint64_t>(machine.superlanes);
    result.byLabel[0][Count::SuperlaneCycles] += superlanes * static_cast<std::uint64_t>(length);
    for (Cycle from = 0; result.binCycles > 0 && from < length; from += result.binCycles)
      result.byTime[binOf(from)][Count::SuperlaneCycles] +=
          superlanes * static_cast<std::uint64_t>(std::min(result.binCycles, length - from));
  }

  /// East: a value comes from lower positions. Distance from `from` downstream to `to`.
  static int downstream(Direction dir, int from, int to) { return dir == Direction::East ? to - from : from - to; }
  int toEdge(Direction dir, int from) const { return downstream(dir, from, dir == Direction::East ? reach : -reach); }

  Slot &slotAt(Direction dir, std::int64_t stream, Cycle t) {
    const Cycle tau = dir == Direction::East ? t - position : t + position;
    const auto line = static_cast<std::size_t>(dir) * 32 + static_cast<std::size_t>(stream & 31);
    Slot &slot = slots[line * ring + (static_cast<std::size_t>(tau) & (ring - 1))];
    if (slot.tau != tau)
      slot.tau = tau, slot.values.clear();
    return slot;
  }

  /// A value's whole way, to the edge of the chip or until the next producer replaces it, is booked as tail, and taken
  /// off again where it is consumed.
  void drive(Direction dir, std::int64_t stream, int count, Cycle t) {
    for (int i = 0; i < count; ++i) {
      Slot &slot = slotAt(dir, stream + i, t);
      int next = toEdge(dir, position) + 1; // the first position that this value does not come to
      Value *before = nullptr;              // the value that would have come by here
      for (Value &other : slot.values)
        if (const int distance = downstream(dir, position, other.position); distance > 0)
          next = std::min(next, distance);
        else if (!before || distance > downstream(dir, position, before->position))
          before = &other;
      if (before)
        addTail(before->producer, -next);
      addTail(now, next - 1);
      slot.values.push_back({position, now});
    }
  }
  /// Amounts are added modulo 2^64: what is left in the end is not negative.
  void addTail(const Account &account, std::int64_t hops) {
    book(account, [&](Counts &sum) { sum[Count::StreamTailByteHops] += static_cast<std::uint64_t>(hops) * lanes; });
  }

  void sample(Direction dir, std::int64_t stream, int count, Cycle t) {
    for (int i = 0; i < count; ++i) {
      Value *nearest = nullptr;
      for (Value &value : slotAt(dir, stream + i, t).values)
        if (const int distance = downstream(dir, value.position, position);
            distance >= 0 && (!nearest || distance < downstream(dir, nearest->position, position)))
          nearest = &value;
      if (!nearest)
        continue; // not legal, so of no interest
      const int more = downstream(dir, nearest->position, position) - nearest->hops;
      if (more <= 0)
        continue;
      nearest->hops += more;
      add(Count::StreamByteHops, static_cast<std::uint64_t>(more) * lanes);
      addTail(nearest->producer, -more);
    }
  }

  static Direction direction(const Instruction &i, Field f) { return static_cast<Direction>(i.get(f)); }
  Direction outbound(QueueId queue) const { return queue.side == Side::East ? Direction::East : Direction::West; }
  Direction inbound(QueueId queue) const { return queue.side == Side::East ? Direction::West : Direction::East; }

  void count(QueueId queue, Cycle t, const Instruction &i) {
    book(now, [&](Counts &sum) { ++sum[i.opcode]; });
    if (isVxm(i.opcode))
      return vxm(t, i);
    switch (i.opcode) {
    case Opcode::Config:
    case Opcode::Deskew:
      return;
    case Opcode::IFetch:
      return sample(direction(i, Field::Dir), i.get(Field::Stream), 2, t);
    case Opcode::Mem:
      return mem(t, i);
    case Opcode::Gather:
      sample(direction(i, Field::MapDir), i.get(Field::MapStream), 2, t);
      add(Count::GatheredBytes, lanes);
      return drive(direction(i, Field::Dir), i.get(Field::Stream), 1, t + machine.latency.MemGather);
    case Opcode::Scatter:
      sample(direction(i, Field::MapDir), i.get(Field::MapStream), 2, t);
      sample(direction(i, Field::Dir), i.get(Field::Stream), 1, t);
      return add(Count::ScatteredBytes, lanes);
    case Opcode::LoadWeights:
      sample(outbound(queue), i.get(Field::Stream), 16, t);
      return add(Count::WeightBytes, 16 * lanes);
    case Opcode::Activate:
      return activate(queue, t, i);
    case Opcode::Accumulate:
      if (i.get(Field::Emit))
        drive(inbound(queue), i.get(Field::Stream), 4, t + machine.latency.MxmEmit);
      return;
    case Opcode::Send:
      sample(direction(i, Field::Dir), i.get(Field::Stream), 1, t);
      return book(now, [&](Counts &sum) { sum.countSent(queue.index, 1); });
    case Opcode::Receive:
      book(now, [&](Counts &sum) { sum.countReceived(queue.index, 1); });
      return drive(direction(i, Field::Dir), i.get(Field::Stream), 1, t + machine.latency.C2cReceive);
    default:
      return sxm(t, i);
    }
  }

  void mem(Cycle t, const Instruction &i) {
    if (i.get(Field::Wr)) {
      sample(direction(i, Field::WrDir), i.get(Field::WrStream), 1, t);
      add(Count::SramWrittenBytes, lanes);
    }
    if (i.get(Field::Rd)) {
      add(Count::SramReadBytes, lanes);
      drive(direction(i, Field::RdDir), i.get(Field::RdStream), 1, t + machine.latency.MemRead);
    }
  }

  void activate(QueueId queue, Cycle t, const Instruction &i) {
    if (i.get(Field::Load))
      sample(outbound(queue), i.get(Field::LoadStream), 1, t);
    if (!i.get(Field::Play))
      return;
    const auto all = (std::uint64_t{1} << machine.superlanes) - 1;
    const auto superlanes =
        static_cast<std::uint64_t>(std::popcount(static_cast<std::uint64_t>(i.get(Field::Mask)) & all));
    const std::uint64_t products = superlanes * static_cast<std::uint64_t>(machine.lanesPerSuperlane) * lanes;
    if (!i.get(Field::Fp16))
      add(Count::ProductsInt8, products);
    else if (queue.index % 2 == 0)
      add(Count::ProductsFp16, products);
  }

  void vxm(Cycle t, const Instruction &i) {
    const InstructionInfo &of = info(i.opcode);
    const Field operands[3][4] = {{Field::AKind, Field::ADir, Field::AIndex, Field::AWidth},
                                  {Field::BKind, Field::BDir, Field::BIndex, Field::BWidth},
                                  {Field::CKind, Field::CDir, Field::CIndex, Field::CWidth}};
    for (int k = 0; k < of.operands; ++k)
      if (static_cast<OperandKind>(i.get(operands[k][0])) == OperandKind::Stream)
        sample(direction(i, operands[k][1]), i.get(operands[k][2]), widthBytes(i.get(operands[k][3])), t);
    add(of.latency == "VxmSpecial" ? Count::VxmSpecial : Count::VxmSimple, lanes);
    if (i.get(Field::Out))
      drive(direction(i, Field::OutDir), i.get(Field::OutStream), widthBytes(i.get(Field::OutWidth)),
            t + latencyOf(machine, i.opcode));
  }

  void sxm(Cycle t, const Instruction &i) {
    const bool across = i.opcode == Opcode::Shift || i.opcode == Opcode::Permute;
    const bool transpose = i.opcode == Opcode::Transpose;
    const int streams = transpose ? 16 : 1;
    sample(direction(i, Field::SrcDir), i.get(Field::SrcStream), streams, t);
    if (i.opcode == Opcode::SelectLanes)
      sample(direction(i, Field::Src2Dir), i.get(Field::Src2Stream), 1, t);
    add(across      ? Count::SxmAcrossBytes
        : transpose ? Count::SxmTransposeBytes
                    : Count::SxmWithinBytes,
        static_cast<std::uint64_t>(streams) * lanes);
    drive(direction(i, Field::DstDir), i.get(Field::DstStream), streams, t + latencyOf(machine, i.opcode));
  }
};

} // namespace

CountedProgram countProgram(const Machine &machine, const StepProgram &step, Cycle binCycles) {
  return Counter(machine, step, binCycles).run();
}

Counts countStep(const Program &program, std::size_t step) {
  Counts all;
  for (std::size_t c = 0; c < program.classes.size(); ++c) {
    const auto chips = std::ranges::count(program.chips, c, &Chip::chipClass);
    if (chips > 0)
      all.add(countProgram(program.machine, program.classes[c].programs[step]).total,
              static_cast<std::uint64_t>(chips));
  }
  return all;
}

} // namespace lpu::isa
