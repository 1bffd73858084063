// One case per kind of word (T3 to T7).
#include "StreamUse.h"

namespace lpu::sim {

namespace {

using isa::Opcode;

constexpr int kGroup = 16; ///< streams of an lw and of a transpose

void useOfSxm(const isa::Machine &machine, const Op &op, StreamUse &use) {
  const int streams = op.opcode == Opcode::Transpose ? kGroup : 1;
  use.sample(op.sxm.source, streams);
  if (op.opcode == Opcode::SelectLanes)
    use.sample(op.sxm.second, 1);
  use.drive(op.sxm.result, streams, isa::latencyOf(machine, op.opcode));
}

void useOfVxm(const VxmOp &op, StreamUse &use) {
  for (int i = 0; i < op.operandCount; ++i)
    if (op.operands[i].kind == isa::OperandKind::Stream)
      use.sample({op.operands[i].dir, op.operands[i].index}, op.operands[i].bytes);
  if (op.out)
    use.drive(op.result, op.outBytes, op.latency);
  use.words = true;
}

void useOfMem(const isa::Latencies &l, const Op &op, StreamUse &use) {
  switch (op.opcode) {
  case Opcode::Gather:
    use.sample(op.mapped.map, 2);
    use.drive(op.mapped.data, 1, l.MemGather);
    break;
  case Opcode::Scatter:
    use.sample(op.mapped.map, 2);
    use.sample(op.mapped.data, 1);
    break;
  default:
    if (op.mem.write)
      use.sample(op.mem.writeFrom, 1);
    if (op.mem.read)
      use.drive(op.mem.readTo, 1, l.MemRead);
  }
}

} // namespace

StreamUse streamUseOf(const isa::Machine &machine, isa::QueueId queue, const Op &op) {
  StreamUse use;
  if (op.kind != OpKind::Unit)
    return use;
  const bool east = queue.side == isa::Side::East;
  const Direction outbound = east ? Direction::East : Direction::West,
                  inbound = east ? Direction::West : Direction::East;
  const isa::Latencies &l = machine.latency;
  switch (queue.unit) {
  case isa::UnitKind::Mem:
    useOfMem(l, op, use);
    break;
  case isa::UnitKind::Vxm:
    useOfVxm(op.vxm, use);
    break;
  case isa::UnitKind::MxmW:
    use.sample({outbound, op.weights.stream}, kGroup);
    break;
  case isa::UnitKind::MxmA:
    if (op.activate.load)
      use.sample({outbound, op.activate.loadStream}, 1);
    break;
  case isa::UnitKind::MxmR:
    if (op.accumulate.emit)
      use.drive({inbound, op.accumulate.stream}, 4, l.MxmEmit);
    use.words = true;
    break;
  case isa::UnitKind::Sxm:
    useOfSxm(machine, op, use);
    break;
  case isa::UnitKind::C2c:
    if (op.opcode == Opcode::Send)
      use.sample(op.link, 1);
    else if (op.opcode == Opcode::Receive)
      use.drive(op.link, 1, l.C2cReceive);
  }
  return use;
}

} // namespace lpu::sim
