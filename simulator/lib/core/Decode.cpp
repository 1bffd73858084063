// Words to Ops. Everything about a word that does not depend on when it
// dispatches is checked here once: opcode of the right queue, aligned stream
// groups (T2.6), REPEAT windows (T1.3b to T1.3d), operand kinds and widths. A word that
// fails keeps its reason in `problem` and faults when its turn comes.
#include "Op.h"

#include "lpu/isa/Assembler.h"

#include <bit>

namespace lpu::sim {

namespace {

using isa::Field;
using isa::Instruction;
using isa::Opcode;
using isa::OperandKind;
using isa::UnitKind;

struct Decoder {
  const isa::Machine &machine;
  isa::QueueId queue;
  const Instruction &in;
  Op &op;

  std::int64_t get(Field f) const { return in.get(f); }
  StreamRef ref(Field dir, Field stream) const {
    return {static_cast<Direction>(get(dir)), static_cast<std::uint8_t>(get(stream))};
  }
  void check(bool ok, const char *problem) {
    if (!ok && !op.problem)
      op.problem = problem;
  }
  void checkGroup(std::int64_t stream, int bytes) {
    check(stream % bytes == 0,
          bytes == 2 ? "a 2-byte group starts at an even stream" : "a 4-byte group starts at a stream divisible by 4");
  }

  void mem() {
    op.mem = MemOp{get(Field::Rd) != 0,
                   get(Field::Wr) != 0,
                   static_cast<std::uint8_t>(get(Field::RdBank)),
                   static_cast<std::uint8_t>(get(Field::WrBank)),
                   ref(Field::RdDir, Field::RdStream),
                   ref(Field::WrDir, Field::WrStream),
                   static_cast<std::int16_t>(get(Field::RdRow)),
                   static_cast<std::int16_t>(get(Field::RdStep)),
                   static_cast<std::int16_t>(get(Field::WrRow)),
                   static_cast<std::int16_t>(get(Field::WrStep))};
  }

  void mapped() {
    op.mapped = MappedOp{static_cast<std::uint8_t>(get(Field::Bank)), static_cast<std::uint8_t>(get(Field::MapLane)),
                         ref(Field::MapDir, Field::MapStream), ref(Field::Dir, Field::Stream)};
    checkGroup(get(Field::MapStream), 2);
  }

  VxmOperand operand(Field kind, Field index, Field dir, Field width) {
    VxmOperand o{static_cast<OperandKind>(get(kind)), static_cast<std::uint8_t>(get(index)), 1,
                 static_cast<Direction>(get(dir))};
    switch (o.kind) {
    case OperandKind::None:
      check(false, "an operand the operation reads is missing");
      break;
    case OperandKind::Stream:
      check(get(width) <= 2, "width code 3 is not defined");
      o.bytes = static_cast<std::uint8_t>(isa::widthBytes(get(width)));
      if (get(width) <= 2)
        checkGroup(o.index, o.bytes);
      break;
    case OperandKind::Alu:
      check(o.index < machine.vxmAlus, "no such ALU");
      break;
    case OperandKind::Immediate:
    case OperandKind::Accumulator:
      break;
    default:
      check(false, "operand kind is not defined");
    }
    return o;
  }

  void vxm() {
    op.vxm = VxmOp{};
    VxmOp &v = op.vxm;
    v.operandCount = static_cast<std::uint8_t>(isa::info(in.opcode).operands);
    v.operands[0] = operand(Field::AKind, Field::AIndex, Field::ADir, Field::AWidth);
    if (v.operandCount > 1)
      v.operands[1] = operand(Field::BKind, Field::BIndex, Field::BDir, Field::BWidth);
    if (v.operandCount > 2)
      v.operands[2] = operand(Field::CKind, Field::CIndex, Field::CDir, Field::CWidth);
    v.latency = static_cast<std::int32_t>(isa::latencyOf(machine, in.opcode));
    v.accumulate = get(Field::AccWrite) != 0;
    v.immediate = static_cast<std::uint32_t>(get(Field::Imm));
    v.out = get(Field::Out) != 0;
    v.result = ref(Field::OutDir, Field::OutStream);
    if (!v.out)
      return;
    check(get(Field::OutWidth) <= 2, "width code 3 is not defined");
    v.outBytes = static_cast<std::uint8_t>(isa::widthBytes(get(Field::OutWidth) & 3));
    if (get(Field::OutWidth) <= 2)
      checkGroup(v.result.stream, v.outBytes);
  }

  void weights() {
    op.weights =
        WeightsOp{static_cast<std::uint8_t>(get(Field::Stream)), static_cast<std::uint8_t>(get(Field::RowGroup)),
                  static_cast<std::int16_t>(get(Field::RowStep)), get(Field::Packed) != 0};
    check(op.weights.stream % 16 == 0, "lw takes streams 0..15 or 16..31");
    check(!op.weights.packed || machine.mxmInt4Expand,
          "this machine's lw does not expand packed int4 (mxm.int4_expand)");
  }

  void activate() {
    op.activate = ActivateOp{get(Field::Load) != 0,
                             get(Field::Play) != 0,
                             get(Field::Install) != 0,
                             get(Field::Fp16) != 0,
                             static_cast<std::uint8_t>(get(Field::LoadStream)),
                             static_cast<std::int16_t>(get(Field::LoadRow)),
                             static_cast<std::int16_t>(get(Field::LoadStep)),
                             static_cast<std::int16_t>(get(Field::PlayRow)),
                             static_cast<std::int16_t>(get(Field::PlayStep)),
                             static_cast<std::uint32_t>(get(Field::Mask))};
    if (op.activate.fp16)
      half();
  }

  /// T5.6: half of a pass of fp16 values.
  void half() {
    const std::uint64_t all = (std::uint64_t{1} << machine.superlanes) - 1;
    check(op.activate.play, "fp16 without a play stands for nothing");
    check((queue.index ^ 1) < machine.mxmPlanesPerSide, "this plane has no other to sum fp16 values with");
    check(std::popcount(op.activate.mask & all) <= machine.superlanes / 2,
          "a pass of fp16 values takes half of the superlanes at most");
  }

  void accumulate() {
    op.accumulate =
        AccumulateOp{static_cast<isa::AccMode>(get(Field::AccMode)), get(Field::Emit) != 0,
                     static_cast<std::uint8_t>(get(Field::Stream)), static_cast<std::int16_t>(get(Field::Row)),
                     static_cast<std::int16_t>(get(Field::RowStep))};
    if (op.accumulate.emit)
      checkGroup(op.accumulate.stream, 4);
  }

  void sxm() {
    op.sxm = SxmOp{ref(Field::SrcDir, Field::SrcStream), ref(Field::Src2Dir, Field::Src2Stream),
                   ref(Field::DstDir, Field::DstStream), static_cast<std::int16_t>(get(Field::Amount)),
                   static_cast<std::uint8_t>(get(Field::Map))};
    if (in.opcode == Opcode::Transpose)
      check(op.sxm.source.stream % 16 == 0 && op.sxm.result.stream % 16 == 0,
            "transpose takes streams 0..15 or 16..31");
    check(sxmQueueTakes(in.opcode), "this SXM queue does not execute this opcode (T6)");
  }

  bool sxmQueueTakes(Opcode opcode) const {
    int transposeEnd = machine.sxmTransposeQueues;
    int permuteEnd = transposeEnd + machine.sxmPermuteQueues;
    int distributeEnd = permuteEnd + machine.sxmDistributeQueues;
    if (queue.index < transposeEnd)
      return opcode == Opcode::Transpose;
    if (queue.index < permuteEnd)
      return opcode == Opcode::Permute || opcode == Opcode::Shift;
    if (queue.index < distributeEnd)
      return opcode == Opcode::Distribute;
    return opcode == Opcode::Rotate || opcode == Opcode::SelectLanes;
  }

  /// `before`: the words in front of this REPEAT.
  void repeat(const std::vector<Op> &before) {
    op.repeat =
        RepeatOp{static_cast<std::uint32_t>(get(Field::Count)), static_cast<std::uint32_t>(get(Field::Interval)),
                 static_cast<std::uint32_t>(get(Field::Window)), 0};
    std::size_t window = op.repeat.window;
    check(window >= 1, "a repeat window holds at least one word");
    check(window <= before.size(), "the repeat window reaches before the queue's first word");
    if (op.problem)
      return;
    std::uint32_t span = 1;
    for (std::size_t i = before.size() - window; i < before.size(); ++i) {
      bool allowed =
          before[i].kind == OpKind::Unit || before[i].kind == OpKind::Nop || before[i].kind == OpKind::Config;
      check(allowed, "a repeat window may not hold sync, notify, repeat or ifetch");
      check(before[i].copies == 0, "a repeat window may not hold a word that carries copies");
      if (i + 1 < before.size())
        span += before[i].gap;
    }
    op.repeat.span = span;
    check(op.repeat.interval >= span, "the repeat interval is shorter than its window");
  }

  void link() { op.link = ref(Field::Dir, Field::Stream); }

  void dispatchKind(const std::vector<Op> &before) {
    op.kind = OpKind::Unit;
    op.copies = static_cast<std::uint16_t>(get(Field::Copies));
    op.gap = 1 + static_cast<std::uint32_t>(get(Field::Wait));
    if (isa::isVxm(in.opcode))
      return vxm();
    switch (in.opcode) {
    case Opcode::Nop:
      op.kind = OpKind::Nop;
      op.gap = static_cast<std::uint32_t>(get(Field::Count));
      return check(op.gap >= 1, "nop counts at least 1");
    case Opcode::Repeat:
      op.kind = OpKind::Repeat;
      return repeat(before);
    case Opcode::Sync:
      op.kind = OpKind::Sync;
      return;
    case Opcode::Notify:
      op.kind = OpKind::Notify;
      return;
    case Opcode::Config:
      op.kind = OpKind::Config;
      return check(get(Field::Mode) == 0, "mode 0 is the only one");
    case Opcode::IFetch:
      op.kind = OpKind::IFetch;
      link();
      return checkGroup(op.link.stream, 2);
    case Opcode::Mem:
      return mem();
    case Opcode::Gather:
    case Opcode::Scatter:
      return mapped();
    case Opcode::LoadWeights:
      return weights();
    case Opcode::Activate:
      return activate();
    case Opcode::Accumulate:
      return accumulate();
    case Opcode::Send:
    case Opcode::Receive:
      return link();
    case Opcode::Deskew:
      return;
    default:
      return sxm();
    }
  }
};

} // namespace

void decodeOp(const isa::Machine &machine, isa::QueueId queue, const isa::Word &word, std::uint16_t label,
              std::vector<Op> &ops) {
  Op op;
  op.raw = word;
  op.label = label;
  auto instruction = isa::decode(word);
  if (!instruction) {
    op.problem = "the word does not decode";
  } else {
    op.opcode = instruction->opcode;
    if (isa::accepts(queue.unit, op.opcode))
      Decoder{machine, queue, *instruction, op}.dispatchKind(ops);
    else
      op.problem = "this unit does not execute this opcode";
  }
  if (op.problem) {
    op.kind = OpKind::Illegal;
    op.gap = 1;
    op.copies = 0;
  }
  ops.push_back(op);
}

std::string describe(const Op &op) {
  auto instruction = isa::decode(op.raw);
  return instruction ? isa::disassemble(*instruction) : instruction.error().message;
}

} // namespace lpu::sim
