// What a failed pass had no room for: noted at its module, found from the module of all chips.

#include "lpu/compiler/Conversion/DoesNotFit.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/OwningOpRef.h"

#include <gtest/gtest.h>

namespace lpu::compiler {
namespace {

TEST(DoesNotFit, TheGravestOfAllClassesCounts) {
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  mlir::OpBuilder builder(&context);
  mlir::OwningOpRef<mlir::ModuleOp> system = mlir::ModuleOp::create(builder.getUnknownLoc());
  EXPECT_FALSE(doesNotFit(*system).has_value());
  builder.setInsertionPointToStart(system->getBody());
  auto first = mlir::ModuleOp::create(builder, builder.getUnknownLoc()),
       second = mlir::ModuleOp::create(builder, builder.getUnknownLoc());

  noteDoesNotFit(first, {Resource::Queue, 2, 1});
  EXPECT_EQ(doesNotFit(*system), (DoesNotFit{Resource::Queue, 2, 1}));
  noteDoesNotFit(second, {Resource::Memory, 500, 300});
  EXPECT_EQ(doesNotFit(*system), (DoesNotFit{Resource::Memory, 500, 300}));
  noteDoesNotFit(first, {Resource::Memory, 700, 300});
  EXPECT_EQ(doesNotFit(*system), (DoesNotFit{Resource::Memory, 700, 300}));
  EXPECT_EQ(doesNotFit(second), (DoesNotFit{Resource::Memory, 500, 300}));
}

TEST(DoesNotFit, MoreChipsHelpWhereBytesAreShort) {
  EXPECT_TRUE(helpsToShare(Resource::Memory));
  EXPECT_TRUE(helpsToShare(Resource::Text));
  EXPECT_FALSE(helpsToShare(Resource::Queue));
  EXPECT_FALSE(helpsToShare(Resource::BankRows));
}

} // namespace
} // namespace lpu::compiler
