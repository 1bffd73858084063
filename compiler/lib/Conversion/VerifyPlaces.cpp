// stream-verify-places: what AllocateMemory promises, asked of the places alone. The same questions open
// convert-stream-to-lpu, for IR that was written or changed by hand.

#include "ObjectBlocks.h"
#include "TargetMachine.h"
#include "lpu/compiler/Conversion/Passes.h"

using namespace mlir;

namespace lpu::compiler {
#define GEN_PASS_DEF_VERIFYPLACES
#include "lpu/compiler/Conversion/Passes.h.inc"

namespace {

struct VerifyPlacesPass : impl::VerifyPlacesBase<VerifyPlacesPass> {
  using VerifyPlacesBase::VerifyPlacesBase;

  void runOnOperation() override {
    FailureOr<isa::Machine> machine = targetMachine(getOperation(), target);
    if (failed(machine) || failed(checkPlaced(*machine, getOperation())))
      return signalPassFailure();
    ObjectMap objects(getOperation());
    if (failed(checkAlone(*machine, objects, blocksOf(*machine, objects))))
      signalPassFailure();
  }
};

} // namespace
} // namespace lpu::compiler
