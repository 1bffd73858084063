// Which scratch objects may share rows, on programs of a few phases.

#include "Lifetimes.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

#include <string>

namespace lpu::compiler {
namespace {

class LifetimesTest : public testing::Test {
protected:
  LifetimesTest() { context.loadDialect<stream::StreamDialect>(); }

  /// A program of phases that are given as the bodies of their flows, a burst of `repeat` each.
  void build(std::initializer_list<std::string> phases, int repeat = 1) {
    std::string text = R"(
      stream.object @in role("input") planes(4) rows(8)
      stream.object @a role("scratch") planes(4) rows(8)
      stream.object @b role("scratch") planes(4) rows(8)
      stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {)";
    for (const std::string &body : phases)
      text += "stream.phase \"x\" { stream.flow repeat(" + std::to_string(repeat) + ") {" + body + "} }\n";
    module = mlir::parseSourceString<mlir::ModuleOp>(text + "}", &context);
    ASSERT_TRUE(module);
  }
  bool overlap() {
    auto object = [&](const char *name) {
      return mlir::cast<stream::ObjectOp>(mlir::SymbolTable::lookupSymbolIn(*module, name));
    };
    return Lifetimes(*module).overlap(object("a"), object("b"));
  }
  static std::string move(const std::string &from, const std::string &to) {
    return "%v = stream.read @" + from +
           " : !stream.vec<4>\n%m = stream.alu \"move\"(%v) slots([0]) : (!stream.vec<4>) -> "
           "!stream.vec<4>\nstream.write %m, @" +
           to + " : !stream.vec<4>\n";
  }

  mlir::MLIRContext context{mlir::MLIRContext::Threading::DISABLED};
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

TEST_F(LifetimesTest, WhatIsReadLaterIsKept) {
  build({move("in[0]", "a[0]"), move("in[0]", "b[0]"), move("a[0]", "b[1]")});
  EXPECT_TRUE(overlap());
}

TEST_F(LifetimesTest, WhatIsReadForTheLastTimeIsFreeBehindThePhase) {
  build({move("in[0]", "a[0]"), move("a[0]", "in[1]"), move("in[0]", "b[0]"), move("b[0]", "in[2]")});
  EXPECT_FALSE(overlap());
}

TEST_F(LifetimesTest, WithinAPhaseNothingIsFree) {
  build({move("in[0]", "a[0]"), move("a[0]", "b[0]"), move("b[0]", "in[1]")});
  EXPECT_TRUE(overlap());
}

TEST_F(LifetimesTest, RowsThatAreWrittenAgainNeedNotBeKept) {
  build({move("in[0]", "a[0]"), move("a[0]", "in[1]"), move("in[0]", "b[0]"), move("b[0]", "in[2]"),
         move("in[0]", "a[0]"), move("a[0]", "in[1]")});
  EXPECT_FALSE(overlap());
}

TEST_F(LifetimesTest, RowsThatAreNotWrittenAgainAre) {
  build({move("in[0]", "a[1]"), move("in[0]", "b[0]"), move("b[0]", "in[2]"), move("in[0]", "a[0]"),
         move("a[1]", "in[1]")});
  EXPECT_TRUE(overlap());
}

TEST_F(LifetimesTest, EveryRowOfABurstCounts) {
  build({move("in[0] step(1)", "a[0] step(1)"), move("in[0]", "b[0]"), move("a[0] step(1)", "in[0] step(1)")}, 4);
  EXPECT_TRUE(overlap());
}

} // namespace
} // namespace lpu::compiler
