// convert-llm-to-stream: one stream.program per llm.step, sharing one pool of
// memory objects; the llm dialect leaves the module.

#include "EncoderLowering.h"
#include "ProgramLowering.h"
#include "TargetMachine.h"
#include "lpu/compiler/Conversion/Mapping.h"
#include "lpu/compiler/Conversion/Passes.h"

using namespace mlir;

namespace lpu::compiler {
#define GEN_PASS_DEF_CONVERTLLMTOSTREAM
#include "lpu/compiler/Conversion/Passes.h.inc"

namespace {

struct ConvertLLMToStreamPass : impl::ConvertLLMToStreamBase<ConvertLLMToStreamPass> {
  using ConvertLLMToStreamBase::ConvertLLMToStreamBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    FailureOr<isa::Machine> machine = targetMachine(module, target);
    if (failed(machine))
      return signalPassFailure();
    func::FuncOp forward = llm::forwardFunction(module);
    if (!forward) {
      module.emitError("there is no @forward to lower; run llm-quantize and llm-plan-steps first");
      return signalPassFailure();
    }
    if (failed(chooseMapping(module, *machine, MappingFile()))) // of what is still open
      return signalPassFailure();
    std::int64_t most = std::max(prefillTokens(*machine, module), chunkTokens(*machine, module));
    ObjectPool pool(module, *machine);
    for (llm::StepOp step : llvm::to_vector(module.getOps<llm::StepOp>())) {
      if (llm::isEncoder(module)) {
        if (failed(EncoderLowering(module, *machine, pool, step).run(forward)))
          return signalPassFailure();
        continue;
      }
      if (auto tokens = static_cast<std::int64_t>(step.getTokens() * step.getUsers().value_or(1)); tokens > most) {
        step.emitError("feeds ") << tokens << " tokens, but the activation rows of '" << machine->name
                                 << "' hold the widest layer for " << most;
        return signalPassFailure();
      }
      if (failed(ProgramLowering(module, *machine, pool, step).run(forward)))
        return signalPassFailure();
    }
    for (Operation &op : llvm::make_early_inc_range(*module.getBody()))
      if (mlir::isa<func::FuncOp>(op) || mlir::isa<llm::LLMDialect>(op.getDialect()))
        op.erase();
  }
};

} // namespace
} // namespace lpu::compiler
