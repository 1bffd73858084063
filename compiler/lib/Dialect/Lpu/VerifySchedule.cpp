// lpu-verify-schedule: expands issues into dispatches and checks them with plain
// maps, streams, ALU results and the length here, what units hold and links carry in
// ScheduleState.h. It shares no code with scheduler, encoder or simulator: what an
// instruction does is read from its fields again.

#include "ScheduleState.h"
#include "lpu/compiler/Dialect/Lpu/Passes.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <unordered_set>

using namespace mlir;

namespace lpu::timed {
#define GEN_PASS_DEF_VERIFYSCHEDULE
#include "lpu/compiler/Dialect/Lpu/Passes.h.inc"

namespace {

using isa::Cycle;
using isa::Field;
using isa::Opcode;

constexpr std::size_t kStreams = 32 + 16;   // of a direction: those that fields name, and a group's behind the last
constexpr std::size_t kLongestWindow = 512; // Window is an 8-bit field

/// What is driven onto a stream: `tau`, the cycle in which it passes VXM, names its slot; `way` is how far downstream
/// the driver stands.
struct Value {
  Cycle tau;
  int way, producer;
  auto key() const { return std::tuple(tau, way, producer); }
};

struct Producer {
  IssueOp op;
  Cycle cycle;
  bool used;
};

class Verifier {
public:
  Verifier(const isa::Machine &machine, ProgramOp program)
      : machine(machine), program(program), memory(machine, program), mxm(machine), links(machine, program) {}

  LogicalResult run() {
    // First everything that puts a value somewhere, then everything that takes one: no order of time is needed.
    if (failed(forEachDispatch([&](Dispatch &d) { return drive(d); })) || failed(sortValues()) ||
        failed(forEachDispatch([&](Dispatch &d) { return sample(d); })))
      return failure();
    if (failed(checkUsed()) || failed(memory.finish()) || failed(mxm.finish()) || failed(links.finish()))
      return failure();
    Cycle length = end + machine.superlanes - 1;
    if (length != static_cast<Cycle>(program.getCycles()))
      return program.emitOpError("claims ") << program.getCycles() << " cycles; the last effect at " << end << " + "
                                            << machine.superlanes - 1 << " superlanes makes " << length;
    return success();
  }

private:
  LogicalResult forEachDispatch(llvm::function_ref<LogicalResult(Dispatch &)> visit) {
    for (auto queue : program.getBody().getOps<QueueOp>()) {
      isa::QueueId id = *isa::parseQueueName(queue.getQueue().str());
      int number = isa::queueNumber(machine, id);
      if (number >= isa::queueCount(machine) || isa::queueAt(machine, number) != id)
        return queue.emitOpError("machine '") << machine.name << "' has no queue " << queue.getQueue();
      Cycle free = 0;
      std::vector<Dispatch> recent; // the words before the current one, for windows
      for (auto issue : queue.getBody().getOps<IssueOp>()) {
        auto cycle = static_cast<Cycle>(issue.getCycle()), copies = static_cast<Cycle>(issue.getCount()),
             window = static_cast<Cycle>(issue.getWindow());
        if (cycle < free)
          return issue.emitOpError("dispatches at ")
                 << cycle << " while queue " << queue.getQueue() << " is busy until " << free - 1;
        if (recent.size() > kLongestWindow)
          recent.erase(recent.begin(), recent.end() - kLongestWindow / 2);
        recent.push_back({cycle, id, instructionOf(issue), issue});
        if (static_cast<Cycle>(recent.size()) < window)
          return issue.emitOpError("repeats ") << window << " words but only " << recent.size() << " stand before it";
        Dispatch first = recent.back();
        if (failed(visit(first)))
          return failure();
        for (Cycle copy = 1; copy < copies; ++copy)
          for (Cycle i = window; i > 0; --i) {
            Dispatch again = recent[recent.size() - static_cast<std::size_t>(i)];
            again.cycle += copy * window;
            step(again.instruction, copy);
            if (failed(visit(again)))
              return failure();
          }
        free = cycle + (copies - 1) * window + 1;
      }
    }
    return success();
  }

  void step(isa::Instruction &instruction, Cycle copy) const {
    auto advance = [&](Field row, Field by) {
      instruction.set(row, instruction.get(row) + copy * instruction.get(by));
    };
    if (instruction.opcode == Opcode::Mem)
      advance(Field::RdRow, Field::RdStep), advance(Field::WrRow, Field::WrStep);
    if (instruction.opcode == Opcode::Activate)
      advance(Field::LoadRow, Field::LoadStep), advance(Field::PlayRow, Field::PlayStep);
    if (instruction.opcode == Opcode::Accumulate)
      advance(Field::Row, Field::RowStep);
    if (instruction.opcode == Opcode::LoadWeights) {
      advance(Field::RowGroup, Field::RowStep);
      instruction.set(Field::RowGroup, instruction.get(Field::RowGroup) % machine.superlanes);
    }
  }

  /// How far downstream a queue stands: positions count eastwards.
  int wayOf(const Dispatch &d, std::int64_t direction) const {
    int position = isa::queuePosition(machine, d.queue);
    return direction == 0 ? position : -position;
  }

  std::vector<Value> &valuesOn(std::int64_t direction, std::int64_t stream) {
    return values[static_cast<std::size_t>(direction * kStreams + stream)];
  }

  void produce(Dispatch &d, std::int64_t direction, std::int64_t stream, int bytes, Cycle cycle) {
    int way = wayOf(d, direction), producer = static_cast<int>(producers.size());
    producers.push_back({d.op, cycle, false});
    for (int b = 0; b < bytes; ++b)
      valuesOn(direction, stream + b).push_back({cycle - way, way, producer});
  }

  /// By slot and then downstream, as `consume` looks for them; two values of one place are a fault.
  LogicalResult sortValues() {
    for (std::size_t stream = 0; stream < values.size(); ++stream) {
      std::vector<Value> &driven = values[stream];
      llvm::sort(driven, [](const Value &a, const Value &b) { return a.key() < b.key(); });
      auto twice = std::adjacent_find(driven.begin(), driven.end(),
                                      [](const Value &a, const Value &b) { return a.tau == b.tau && a.way == b.way; });
      if (twice == driven.end())
        continue;
      Producer &second = producers[static_cast<std::size_t>(std::next(twice)->producer)];
      bool west = stream >= kStreams;
      return second.op.emitOpError("drives stream ")
             << stream % kStreams << (west ? " west" : " east") << " at position " << (west ? -twice->way : twice->way)
             << " in cycle " << second.cycle << ", where another instruction drives it too";
    }
    return success();
  }

  LogicalResult consume(Dispatch &d, std::int64_t direction, std::int64_t stream, int bytes) {
    int way = wayOf(d, direction);
    Cycle tau = d.cycle - way;
    for (int b = 0; b < bytes; ++b) {
      // The nearest producer upstream has replaced what came from further away.
      const std::vector<Value> &driven = valuesOn(direction, stream + b);
      auto next = std::upper_bound(driven.begin(), driven.end(), std::pair(tau, way),
                                   [](auto place, const Value &v) { return place < std::pair(v.tau, v.way); });
      if (next == driven.begin() || std::prev(next)->tau != tau) {
        int position = isa::queuePosition(machine, d.queue);
        return d.op.emitOpError("reads stream ")
               << stream + b << (direction ? " west" : " east") << " at position " << position << " in cycle "
               << d.cycle << ": nothing was driven " << (direction ? "east" : "west") << " of it on slot " << d.cycle
               << (direction ? " + " : " - ") << position << " = " << tau;
      }
      producers[static_cast<std::size_t>(std::prev(next)->producer)].used = true;
    }
    return success();
  }

  /// What is driven and never read is the trace of an instruction that is missing or misplaced.
  LogicalResult checkUsed() {
    for (Producer &producer : producers)
      if (!producer.used)
        return producer.op.emitOpError("drives a value in cycle ") << producer.cycle << " that no instruction reads";
    return success();
  }

  int outward(const isa::QueueId &queue) const { return queue.side == isa::Side::East ? 0 : 1; }

  /// Everything that puts a value somewhere: streams, ALU results, memory rows.
  LogicalResult drive(Dispatch &d) {
    const isa::Instruction &i = d.instruction;
    Cycle latency = isa::latencyOf(machine, i.opcode), effect = d.cycle + latency;
    if (i.opcode == Opcode::Mem) {
      effect = d.cycle + std::max(i.get(Field::Rd) ? machine.latency.MemRead : 0,
                                  i.get(Field::Wr) ? machine.latency.MemWrite : 0);
      if (i.get(Field::Rd))
        produce(d, i.get(Field::RdDir), i.get(Field::RdStream), 1, d.cycle + machine.latency.MemRead);
    } else if (i.opcode == Opcode::Gather) {
      produce(d, i.get(Field::Dir), i.get(Field::Stream), 1, effect);
    } else if (isa::isVxm(i.opcode)) {
      if (!results.insert(key(d.queue.index, effect)).second)
        return d.op.emitOpError("makes a second result of ALU ") << d.queue.index << " visible in cycle " << effect;
      if (i.get(Field::Out))
        produce(d, i.get(Field::OutDir), i.get(Field::OutStream), isa::widthBytes(i.get(Field::OutWidth)), effect);
    } else if (i.opcode == Opcode::Activate) {
      effect = d.cycle + std::max({i.get(Field::Load) ? machine.latency.MxmLoad : 0,
                                   i.get(Field::Install) ? machine.latency.MxmInstall : 0,
                                   i.get(Field::Play) ? machine.latency.MxmPlay : 0});
    } else if (i.opcode == Opcode::Accumulate && i.get(Field::Emit)) {
      produce(d, 1 - outward(d.queue), i.get(Field::Stream), 4, effect);
    } else if (d.queue.unit == isa::UnitKind::Sxm) {
      produce(d, i.get(Field::DstDir), i.get(Field::DstStream), i.opcode == Opcode::Transpose ? 16 : 1, effect);
    }
    if (i.opcode == Opcode::Receive)
      produce(d, i.get(Field::Dir), i.get(Field::Stream), 1, effect);
    memory.drive(d), mxm.drive(d), accumulators.drive(d), links.drive(d);
    end = std::max(end, effect);
    return success();
  }

  /// Everything that takes a value finds one.
  LogicalResult sample(Dispatch &d) {
    const isa::Instruction &i = d.instruction;
    LogicalResult done = success();
    if (failed(memory.sample(d)) || failed(mxm.sample(d)) || failed(accumulators.sample(d)))
      return failure();
    if (i.opcode == Opcode::Mem) {
      if (i.get(Field::Wr))
        done = consume(d, i.get(Field::WrDir), i.get(Field::WrStream), 1);
    } else if (i.opcode == Opcode::Gather || i.opcode == Opcode::Scatter) {
      done = consume(d, i.get(Field::MapDir), i.get(Field::MapStream), 2);
      if (i.opcode == Opcode::Scatter && succeeded(done))
        done = consume(d, i.get(Field::Dir), i.get(Field::Stream), 1);
    } else if (isa::isVxm(i.opcode)) {
      done = checkOperands(d);
    } else if (i.opcode == Opcode::LoadWeights) {
      done = consume(d, outward(d.queue), i.get(Field::Stream), 16);
    } else if (i.opcode == Opcode::Activate && i.get(Field::Load)) {
      done = consume(d, outward(d.queue), i.get(Field::LoadStream), 1);
    } else if (i.opcode == Opcode::Send) {
      done = consume(d, i.get(Field::Dir), i.get(Field::Stream), 1);
    } else if (d.queue.unit == isa::UnitKind::Sxm) {
      done = consume(d, i.get(Field::SrcDir), i.get(Field::SrcStream), i.opcode == Opcode::Transpose ? 16 : 1);
    }
    return done;
  }

  LogicalResult checkOperands(Dispatch &d) {
    static constexpr Field kinds[] = {Field::AKind, Field::BKind, Field::CKind},
                           indices[] = {Field::AIndex, Field::BIndex, Field::CIndex},
                           dirs[] = {Field::ADir, Field::BDir, Field::CDir},
                           widths[] = {Field::AWidth, Field::BWidth, Field::CWidth};
    for (int slot = 0; slot < 3; ++slot) {
      auto kind = static_cast<isa::OperandKind>(d.instruction.get(kinds[slot]));
      std::int64_t index = d.instruction.get(indices[slot]);
      if (kind == isa::OperandKind::Stream &&
          failed(consume(d, d.instruction.get(dirs[slot]), index, isa::widthBytes(d.instruction.get(widths[slot])))))
        return failure();
      if (kind == isa::OperandKind::Alu && !results.count(key(index, d.cycle)))
        return d.op.emitOpError("reads ALU ")
               << index << " in cycle " << d.cycle << ", when no result of it is visible";
    }
    return success();
  }

  static std::int64_t key(std::int64_t unit, Cycle cycle) { return cycle * 64 + unit; }

  const isa::Machine &machine;
  ProgramOp program;
  std::array<std::vector<Value>, 2 * kStreams> values; ///< by direction and stream
  std::vector<Producer> producers;
  std::unordered_set<std::int64_t> results; ///< key(ALU, cycle)
  MemoryState memory;
  MxmState mxm;
  AccumulatorState accumulators;
  LinkState links;
  Cycle end = 0;
};

struct VerifySchedulePass : impl::VerifyScheduleBase<VerifySchedulePass> {
  using VerifyScheduleBase::VerifyScheduleBase;

  void runOnOperation() override {
    auto machine = isa::loadMachine(target);
    if (!machine) {
      const Error &error = machine.error();
      getOperation().emitError(error.place.empty() ? error.message : error.place + ": " + error.message);
      return signalPassFailure();
    }
    for (auto program : getOperation().getOps<ProgramOp>())
      if (failed(Verifier(*machine, program).run()))
        return signalPassFailure();
    markAllAnalysesPreserved(); // nothing changed, so the operations need no verifying
  }
};

} // namespace
} // namespace lpu::timed
