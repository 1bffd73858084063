// Times of operations in a flow, worked out by hand; cycles are relative to the
// first operation on VXM. What cannot be timed is tested in
// tests/lit/stream/convert-stream-to-lpu-errors.mlir, with its diagnostics.

#include "FlowTiming.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

#include <string>

namespace lpu::compiler {
namespace {

class FlowTimingTest : public testing::Test {
protected:
  FlowTimingTest() {
    context.loadDialect<stream::StreamDialect>();
    machine = *isa::loadMachine("small");
  }

  /// Solves a flow; operations are found again by number.
  void solve(int repeat, const std::string &body) {
    std::string text = R"(
      stream.object @x role("input") planes(4) rows(64) place {side = 0 : i64, slice = 0 : i64, bank = 0 : i64, row = 0 : i64}
      stream.object @y role("scratch") planes(4) rows(64) place {side = 0 : i64, slice = 4 : i64, bank = 0 : i64, row = 0 : i64}
      stream.object @table role("constant") planes(2) rows(64) content {kind = "ones"} place {side = 1 : i64, slice = 8 : i64, bank = 1 : i64, row = 0 : i64}
      stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
        stream.phase "a" {
          stream.flow repeat()" +
                       std::to_string(repeat) + ") {\n" + body + "} } }";
    module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    ASSERT_TRUE(module);
    module->walk([&](stream::FlowOp op) { flow = op; });
    objects.emplace(*module);
    timing.emplace(machine, *objects, flow);
    ASSERT_TRUE(mlir::succeeded(timing->solve()));
  }

  mlir::Operation *op(int number) { return &*std::next(flow.getBody().front().begin(), number); }
  mlir::Value value(int number) { return op(number)->getResult(0); }
  /// Cycles from operation `a` to operation `b`.
  isa::Cycle between(int a, int b) { return timing->at(op(b)) - timing->at(op(a)); }

  mlir::MLIRContext context{mlir::MLIRContext::Threading::DISABLED};
  isa::Machine machine;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  stream::FlowOp flow;
  std::optional<ObjectMap> objects;
  std::optional<FlowTiming> timing;
};

TEST_F(FlowTimingTest, AChainOfOperations) {
  solve(1, R"(
    %x = stream.read @x[0] : !stream.vec<4>
    %e = stream.alu "exp"(%x) slots([0]) : (!stream.vec<4>) -> !stream.vec<4>
    %m = stream.alu "mulf"(%e, %e) slots([0, 1]) : (!stream.vec<4>, !stream.vec<4>) -> !stream.vec<4>
    %z = stream.alu "move"(%m) slots([0]) : (!stream.vec<4>) -> !stream.vec<4>
    stream.write %z, @y[0] : !stream.vec<4>)");
  EXPECT_EQ(between(1, 2), 12); // exp
  EXPECT_EQ(between(2, 3), 4);
  EXPECT_EQ(timing->ready(value(0)), timing->at(op(1))); // a stream arrives when it is wanted
  EXPECT_EQ(timing->ready(value(3)), timing->at(op(3)) + 4);
}

TEST_F(FlowTimingTest, OperandsFromMemoryComeWhenTheOtherOneIsThere) {
  solve(1, R"(
    %x = stream.read @x[0] : !stream.vec<4>
    %e = stream.alu "exp"(%x) slots([0]) : (!stream.vec<4>) -> !stream.vec<4>
    %y = stream.read @y[1] : !stream.vec<4>
    %z = stream.alu "addf"(%e, %y) slots([0, 1]) : (!stream.vec<4>, !stream.vec<4>) -> !stream.vec<4>
    stream.write %z, @y[0] : !stream.vec<4>)");
  EXPECT_EQ(timing->ready(value(2)) - timing->ready(value(0)), 12);
}

TEST_F(FlowTimingTest, AHeldValueWaitsInTheAccumulator) {
  // silu: the gate is needed again 4 + 12 + 4 + 12 = 32 cycles later, when its sigmoid is there.
  solve(1, R"(
    %g = stream.read @x[0] : !stream.vec<4>
    %a = stream.alu "move"(%g) slots([0]) : (!stream.vec<4>) -> !stream.vec<4>
    %n = stream.alu "mulf"(%a) slots([0, -1]) imm(3212836864) : (!stream.vec<4>) -> !stream.vec<4>
    %e = stream.alu "exp"(%n) slots([0]) : (!stream.vec<4>) -> !stream.vec<4>
    %o = stream.alu "addf"(%e) slots([0, -1]) imm(1065353216) : (!stream.vec<4>) -> !stream.vec<4>
    %s = stream.alu "recip"(%o) slots([0]) : (!stream.vec<4>) -> !stream.vec<4>
    %h = stream.alu "mulf"(%s, %a) slots([-2, 0]) init(1) : (!stream.vec<4>, !stream.vec<4>) -> !stream.vec<4>
    stream.write %h, @y[0] : !stream.vec<4>)");
  EXPECT_EQ(between(2, 6), 4 + 12 + 4 + 12);
  // Moved into the accumulator the cycle the gate is visible, in time for any later use.
  EXPECT_EQ(timing->initAt(mlir::cast<stream::AluOp>(op(6))), timing->at(op(1)) + 4);
}

TEST_F(FlowTimingTest, AnOperationWaitsForWhatItHolds) {
  // x arrives when the accumulator holds exp x': 12 cycles after x', and one more to be written.
  solve(1, R"(
    %p = stream.read @x[0] : !stream.vec<4>
    %e = stream.alu "exp"(%p) slots([0]) : (!stream.vec<4>) -> !stream.vec<4>
    %q = stream.read @x[1] : !stream.vec<4>
    %z = stream.alu "addf"(%q, %e) slots([0, -2]) init(1) : (!stream.vec<4>, !stream.vec<4>) -> !stream.vec<4>
    stream.write %z, @y[0] : !stream.vec<4>)");
  EXPECT_EQ(between(1, 3), 13);
  EXPECT_EQ(timing->ready(value(2)) - timing->ready(value(0)), 13);
}

TEST_F(FlowTimingTest, ABurstAccumulatesAndThenGoesOn) {
  solve(8, R"(
    %x = stream.read @x[0] step(1) : !stream.vec<4>
    %s = stream.alu "addf"(%x) slots([-2, 0]) init_imm(0) acc : (!stream.vec<4>) -> !stream.vec<4>
    %l = stream.last "move" of %s stagger(3) : !stream.vec<4> -> !stream.vec<4>
    %r = stream.alu "recip"(%l) slots([0]) : (!stream.vec<4>) -> !stream.vec<4>
    stream.write %r, @y[0] : !stream.vec<4>)");
  EXPECT_EQ(timing->initAt(mlir::cast<stream::AluOp>(op(1))), timing->at(op(1)) - 1);
  EXPECT_EQ(between(1, 2), 8 + 3); // eight additions, then three cycles apart
  EXPECT_EQ(between(2, 3), 4);
  EXPECT_FALSE(timing->isOnce(op(0)));
  EXPECT_FALSE(timing->isOnce(op(1)));
  EXPECT_TRUE(timing->isOnce(op(2)));
  EXPECT_TRUE(timing->isOnce(op(3)));
  EXPECT_TRUE(timing->isOnce(op(4)));
}

TEST_F(FlowTimingTest, AOnceReadInitialisesTheCycleBeforeTheBurst) {
  solve(8, R"(
    %m = stream.read @x[9] once : !stream.vec<4>
    %x = stream.read @x[0] step(1) : !stream.vec<4>
    %d = stream.alu "subf"(%x, %m) slots([0, -2]) init(1) : (!stream.vec<4>, !stream.vec<4>) -> !stream.vec<4>
    stream.write %d, @y[0] step(1) : !stream.vec<4>)");
  EXPECT_TRUE(timing->isOnce(op(0)));
  EXPECT_FALSE(timing->isOnce(op(2)));
  EXPECT_EQ(timing->ready(value(0)), timing->at(op(2)) - 1);
}

TEST_F(FlowTimingTest, AGatherGoesThereAndBack) {
  // Slices 8 and 9 stand at position 3: three cycles out, 7 for the gather, three back.
  solve(1, R"(
    %x = stream.read @x[0] : !stream.vec<4>
    %m = stream.alu "addi"(%x) slots([0, -1]) imm(0) row_of @table : (!stream.vec<4>) -> !stream.vec<2>
    %g = stream.gather %m, @table : !stream.vec<2>, !stream.vec<2>
    %y = stream.alu "cvt.f16.f32"(%g) slots([0]) : (!stream.vec<2>) -> !stream.vec<4>
    stream.write %y, @y[0] : !stream.vec<4>)");
  EXPECT_EQ(between(1, 3), 4 + 3 + 7 + 3);
}

TEST_F(FlowTimingTest, ASweepPassesTheArray) {
  // MXM stands at 9: 9 out, load 1, delay 2, play 44, emit 1, 9 back.
  solve(8, R"(
    %x = stream.read @x[0] step(1) : !stream.vec<4>
    %d = stream.alu "move"(%x) slots([0]) : (!stream.vec<4>) -> !stream.vec<4>
    %s = stream.sweep %d byte(1) plane(0) row(0) acc(511) delay(2) : !stream.vec<4>, !stream.vec<4>
    %y = stream.alu "move"(%s) slots([0]) : (!stream.vec<4>) -> !stream.vec<4>
    stream.write %y, @y[0] step(1) : !stream.vec<4>)");
  EXPECT_EQ(between(1, 3), 4 + 9 + 1 + 2 + 44 + 1 + 9);
}

} // namespace
} // namespace lpu::compiler
