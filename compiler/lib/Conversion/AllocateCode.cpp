// lpu-allocate-code: counts the words emission will write and reserves rows for
// them behind everything else, slice by slice from the outside.

#include "TargetMachine.h"
#include "lpu/compiler/Conversion/DoesNotFit.h"
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

    std::map<std::tuple<std::int64_t, std::int64_t, std::int64_t>, std::map<std::int64_t, std::int64_t>>
        taken; // (slice, side, bank): first row -> end
    for (auto region : module.getOps<timed::RegionOp>())
      for (std::uint64_t i = 0; i < region.getSlices(); ++i) {
        std::int64_t first = region.getRow(), end = first + static_cast<std::int64_t>(region.getRows());
        std::int64_t &known = taken[{region.getSlice() + i, region.getSide(), region.getBank()}][first];
        known = std::max(known, end);
      }
    OpBuilder builder(module.getContext());
    builder.setInsertionPointToStart(module.getBody());
    std::int64_t left = rows;
    auto fill = [&](std::int64_t side, std::int64_t slice, std::int64_t bank, std::int64_t first, std::int64_t end,
                    bool gap) {
      std::int64_t take = std::min(left, end - first);
      if (take <= 0)
        return;
      std::string name = fmt::format("code.{}.{}.{}", side, slice, bank) + (gap ? fmt::format(".{}", first) : "");
      timed::RegionOp::create(builder, module.getLoc(), name, "code", side, slice, 1, bank, first, take,
                              DictionaryAttr());
      left -= take;
    };
    // What is left above everything else first, then gaps.
    for (bool gaps : {false, true})
      for (std::int64_t slice = machine->memSlicesPerSide - 1; slice >= 0 && left > 0; --slice)
        for (std::int64_t side = 0; side < 2 && left > 0; ++side)
          for (std::int64_t bank = 1; bank >= 0 && left > 0; --bank) {
            std::int64_t free = 0;
            for (auto [first, end] : taken[{slice, side, bank}]) {
              if (gaps)
                fill(side, slice, bank, free, first, true);
              free = std::max(free, end);
            }
            if (!gaps)
              fill(side, slice, bank, free, machine->memRowsPerBank, false);
          }
    if (left > 0) {
      noteDoesNotFit(module, {Resource::Text, rows * machine->rowBytes(), (rows - left) * machine->rowBytes()});
      module.emitError("the model does not fit on one chip of '")
          << machine->name << "': its " << rows * machine->rowBytes() << " bytes of instruction text are "
          << left * machine->rowBytes() << " too many beside weights, KV cache and activations";
      signalPassFailure();
    }
  }
};

} // namespace
} // namespace lpu::compiler
