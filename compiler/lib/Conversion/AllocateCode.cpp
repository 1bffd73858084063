// lpu-allocate-code: counts the words emission will write and reserves rows for
// them behind everything else, slice by slice from the outside.

#include "TargetMachine.h"
#include "lpu/compiler/Conversion/Passes.h"
#include "lpu/compiler/Dialect/Lpu/Lpu.h"
#include "lpu/compiler/Target/QueueWords.h"

#include "mlir/IR/Builders.h"

#include <fmt/format.h>

using namespace mlir;

namespace lpu::compiler {
#define GEN_PASS_DEF_ALLOCATECODE
#include "lpu/compiler/Conversion/Passes.h.inc"

namespace {

struct AllocateCodePass : impl::AllocateCodeBase<AllocateCodePass> {
  using AllocateCodeBase::AllocateCodeBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    FailureOr<isa::Machine> machine = targetMachine(module, target);
    if (failed(machine))
      return signalPassFailure();
    std::int64_t words = 0;
    module.walk([&](timed::QueueOp queue) { words += static_cast<std::int64_t>(queueWords(queue).size()); });
    std::int64_t rows = (words * 16 + machine->rowBytes() - 1) / machine->rowBytes();

    // Rows are handed out from the bottom, so what is left of a bank is above its fill mark.
    std::map<std::tuple<std::int64_t, std::int64_t, std::int64_t>, std::int64_t> fill; // (slice, side, bank)
    for (auto region : module.getOps<timed::RegionOp>())
      for (std::uint64_t i = 0; i < region.getSlices(); ++i) {
        auto &mark = fill[{region.getSlice() + i, region.getSide(), region.getBank()}];
        mark = std::max<std::int64_t>(mark, region.getRow() + region.getRows());
      }
    OpBuilder builder(module.getContext());
    builder.setInsertionPointToStart(module.getBody());
    std::int64_t left = rows;
    for (std::int64_t slice = machine->memSlicesPerSide - 1; slice >= 0 && left > 0; --slice)
      for (std::int64_t side = 0; side < 2 && left > 0; ++side)
        for (std::int64_t bank = 1; bank >= 0 && left > 0; --bank) {
          std::int64_t mark = fill[{slice, side, bank}], take = std::min(left, machine->memRowsPerBank - mark);
          if (take <= 0)
            continue;
          timed::RegionOp::create(builder, module.getLoc(), fmt::format("code.{}.{}.{}", side, slice, bank), "code", side, slice, 1, bank,
                                  mark, take, DictionaryAttr());
          left -= take;
        }
    if (left > 0) {
      module.emitError("the model does not fit on one chip of '")
          << machine->name << "': its " << rows * machine->rowBytes() << " bytes of instruction text are " << left * machine->rowBytes()
          << " too many beside weights, KV cache and activations";
      signalPassFailure();
    }
  }
};

} // namespace
} // namespace lpu::compiler
