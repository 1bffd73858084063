// The compiler's table of contents.

#include "lpu/compiler/Pipelines/Pipelines.h"

#include "lpu/compiler/Conversion/Passes.h"
#include "lpu/compiler/Dialect/LLM/Chips.h"
#include "lpu/compiler/Dialect/LLM/LLM.h"
#include "lpu/compiler/Dialect/LLM/Passes.h"
#include "lpu/compiler/Dialect/Lpu/Lpu.h"
#include "lpu/compiler/Dialect/Lpu/Passes.h"
#include "lpu/compiler/Dialect/Stream/Stream.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Quant/IR/Quant.h"

namespace lpu::compiler {

void addLLMPhase(mlir::OpPassManager &passes, const PipelineOptions &options) {
  passes.addPass(llm::createQuantize(
      {options.precision.weights, options.precision.activations, options.precision.kv, options.precision.config}));
  passes.addPass(
      llm::createPlanSteps({.maxContext = options.maxContext, .maxTokens = options.maxTokens, .batch = options.batch}));
  passes.addPass(llm::createVerifyQuantized());
}

void addStreamPhase(mlir::OpPassManager &passes, const PipelineOptions &options) {
  passes.addPass(createConvertLLMToStream({options.target}));
  passes.addPass(createAllocateMemory({options.target}));
}

void addLpuPhase(mlir::OpPassManager &passes, const PipelineOptions &options) {
  passes.addPass(createConvertStreamToLpu({options.target}));
  passes.addPass(createAllocateCode({options.target}));
  passes.addPass(timed::createVerifySchedule({options.target}));
}

Stage stageOf(mlir::ModuleOp module) {
  module = llm::classModules(module).front(); // all classes are as far
  if (!module.getOps<timed::ProgramOp>().empty())
    return Stage::Lpu;
  return module.getOps<stream::ProgramOp>().empty() ? Stage::LLM : Stage::Stream;
}

bool isPlanned(mlir::ModuleOp module) { return !module.getOps<llm::StepOp>().empty(); }

void registerDialects(mlir::DialectRegistry &registry) {
  registry.insert<mlir::func::FuncDialect, mlir::quant::QuantDialect, llm::LLMDialect, stream::StreamDialect,
                  timed::LpuDialect>();
}

void registerPasses() {
  llm::registerLLMPasses();
  registerConversionPasses();
  timed::registerLpuPasses();
}

} // namespace lpu::compiler
