// VXM (T4): operand kinds, latencies, chaining, accumulators.
#include "Bench.h"

#include "lpu/isa/Numerics.h"

#include <bit>

namespace lpu::test {
namespace {

class Vxm : public BothEngines {};
LPU_BOTH_ENGINES(Vxm);

// T4.2: simple operations drive at t + VxmSimple (4), at position 0.
TEST_P(Vxm, SimpleResultAfterFourCycles) {
  auto build = [](isa::Cycle delay) {
    Bench b;
    b.at(10, "vxm.3", "addi a=imm b=imm imm=21 out=e4:1");
    b.store(kEast, 0, "e4", 0, 10 + delay);
    return b.finish();
  };
  EXPECT_EQ(legal(build(4), {{kEast, 0, 1, 0}})[0], ProgramBuilder().fill(42));
  illegal(build(3), "empty-stream", 14, "mem.e0");
  illegal(build(5), "empty-stream", 16, "mem.e0");
}

// T4.2: exp, tanh, rsqrt, recip take VxmSpecial (12).
TEST_P(Vxm, SpecialResultAfterTwelveCycles) {
  for (const char *op : {"exp", "tanh", "rsqrt", "recip"})
    for (isa::Cycle delay : {11, 12, 13}) {
      Bench b;
      b.at(10, "vxm.3", std::string(op) + " a=imm imm=2.0f out=w8:4");
      b.store(kWest, 0, "w11", 0, 10 + delay);
      if (delay == 12)
        legal(b.finish());
      else
        illegal(b.finish(), "empty-stream", 11 + delay, "mem.w0");
    }
}

// T4.1: stream operands of 1 and 2 bytes are sign-extended, 4 bytes are taken as they are.
TEST_P(Vxm, StreamOperandsAreSignExtended) {
  Bench b;
  for (int i = 0; i < 4; ++i)
    b.feed(kEast, i, "w" + std::to_string(i), b.fill(i == 0 ? 0x80 : 0xF0 + i), 0, 20);
  b.at(20, "vxm.0", "move a=w0:1 out=e0:4");
  b.at(20, "vxm.1", "move a=w0:2 out=e4:4");
  b.at(20, "vxm.2", "move a=w0:4 out=e8:4");
  std::vector<RowRef> refs;
  for (int i = 0; i < 12; ++i)
    refs.push_back(b.store(kEast, 4 + i, "e" + std::to_string(i), 0, 24));
  auto rows = legal(b.finish(), refs);
  EXPECT_EQ(Bench::words(rows, 0)[5], -128);
  EXPECT_EQ(Bench::words(rows, 4)[5], static_cast<std::int16_t>(0xF180));
  EXPECT_EQ(Bench::words(rows, 8)[5], static_cast<std::int32_t>(0xF3F2F180));
}

// T4.2: OutWidth drives the low bytes only.
TEST_P(Vxm, NarrowResultsDriveTheLowBytes) {
  Bench b;
  b.at(10, "vxm.0", "move a=imm imm=0x04030201 out=e0:2");
  RowRef low = b.store(kEast, 0, "e0", 0, 14), high = b.store(kEast, 1, "e1", 0, 14);
  auto rows = legal(b.finish(), {low, high});
  EXPECT_EQ(rows[0][0], 1);
  EXPECT_EQ(rows[1][0], 2);
  Bench c;
  c.at(10, "vxm.0", "move a=imm imm=0x04030201 out=e0:2");
  c.store(kEast, 2, "e2", 0, 14);
  illegal(c.finish(), "empty-stream", 15, "mem.e2");
}

// T4.1: the result of another ALU is there in exactly one cycle.
TEST_P(Vxm, ChainedResultIsVisibleInExactlyOneCycle) {
  auto build = [](const char *first, isa::Cycle delay) {
    Bench b;
    b.at(10, "vxm.9", std::string(first) + " a=imm b=imm imm=20");
    b.at(10 + delay, "vxm.2", "addi a=alu9 b=imm imm=2 out=e4:1");
    b.store(kEast, 0, "e4", 0, 14 + delay);
    return b.finish();
  };
  EXPECT_EQ(legal(build("addi", 4), {{kEast, 0, 1, 0}})[0][0], 42);
  illegal(build("addi", 3), "empty-operand", 13, "vxm.2");
  illegal(build("addi", 5), "empty-operand", 15, "vxm.2");
}
TEST_P(Vxm, ChainedSpecialResultAfterTwelveCycles) {
  for (isa::Cycle delay : {4, 11, 12, 13}) {
    Bench b;
    b.at(10, "vxm.9", "recip a=imm imm=0.5f");
    b.at(10 + delay, "vxm.2", "move a=alu9");
    if (delay == 12)
      legal(b.finish());
    else
      illegal(b.finish(), "empty-operand", 10 + delay, "vxm.2");
  }
}

// Two results of one ALU in one cycle: fine unless somebody reads "the" result.
TEST_P(Vxm, AmbiguousResultCannotBeRead) {
  for (bool read : {false, true}) {
    Bench b;
    b.at(10, "vxm.9", "exp a=imm");
    b.at(18, "vxm.9", "move a=imm");
    if (read)
      b.at(22, "vxm.2", "move a=alu9");
    if (read)
      illegal(b.finish(), "issue-conflict", 22, "vxm.2");
    else
      legal(b.finish());
  }
}

// T4.3: the accumulator is visible from t + 1 on, whatever the latency.
TEST_P(Vxm, AccumulatorIsVisibleOneCycleLater) {
  Bench b;
  b.at(10, "vxm.0", "move a=imm imm=5 accwrite=1");
  b.at(11, "vxm.0", "addi a=acc b=imm imm=6 accwrite=1");
  b.at(12, "vxm.0", "addi a=acc b=acc out=e0:1");
  b.at(13, "vxm.0", "recip a=imm imm=0.5f accwrite=1");
  b.at(14, "vxm.0", "move a=acc out=e4:4");
  RowRef sum = b.store(kEast, 0, "e0", 0, 16), top = b.store(kEast, 1, "e7", 0, 18);
  auto rows = legal(b.finish(), {sum, top});
  EXPECT_EQ(rows[0][0], 22);
  EXPECT_EQ(rows[1][0], std::bit_cast<std::uint32_t>(2.0f) >> 24);
}
TEST_P(Vxm, AccumulatorMustBeWrittenInThisStep) {
  Bench b;
  b.at(10, "vxm.0", "move a=acc accwrite=1");
  illegal(b.finish(), "empty-operand", 10, "vxm.0");
  Bench c;
  c.at(10, "vxm.0", "move a=imm accwrite=1");
  c.nextStep();
  c.at(4, "vxm.0", "move a=acc");
  illegal(c.finish(), "empty-operand", 4, "vxm.0");
}

// Every operation computes what the machine's numerics say, through streams.
TEST_P(Vxm, EveryOperationFollowsTheNumerics) {
  const std::int32_t a = std::bit_cast<std::int32_t>(1.75f), b = std::bit_cast<std::int32_t>(-0.375f), c = 77;
  auto bytes = [](std::int32_t v, int i) { return v >> (8 * i) & 0xFF; };
  for (const isa::InstructionInfo &op : isa::instructions()) {
    if (!isa::isVxm(op.opcode))
      continue;
    Bench bench;
    for (int i = 0; i < 4; ++i) {
      bench.feed(kEast, i, "w" + std::to_string(i), bench.fill(bytes(a, i)), 0, 20);
      bench.feed(kEast, 4 + i, "w" + std::to_string(4 + i), bench.fill(bytes(b, i)), 0, 20);
    }
    std::string text(op.mnemonic);
    text += op.operands == 1 ? " a=w0:4" : op.operands == 2 ? " a=w0:4 b=w4:4" : " a=w0:4 b=w4:4 c=imm imm=77";
    bench.at(20, "vxm.0", text + " out=e0:4");
    std::vector<RowRef> refs;
    isa::Cycle latency = isa::latencyOf(bench.machine, op.opcode);
    for (int i = 0; i < 4; ++i)
      refs.push_back(bench.store(kEast, 8 + i, "e" + std::to_string(i), 0, 20 + latency));
    auto rows = legal(bench.finish(), refs);
    EXPECT_EQ(static_cast<std::uint32_t>(Bench::words(rows)[63]),
              isa::vxmOp(op.opcode, static_cast<std::uint32_t>(a), static_cast<std::uint32_t>(b), c))
        << op.mnemonic;
  }
}

// An ALU the machine does not have, an operand that is not given.
TEST_P(Vxm, IllegalOperands) {
  for (const char *text : {"move a=alu16", "addi a=imm", "move"}) {
    Bench b;
    b.at(5, "vxm.0", text);
    illegal(b.finish(), "illegal-encoding", 5, "vxm.0");
  }
}

} // namespace
} // namespace lpu::test
