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
#include "mlir/Pass/PassRegistry.h"

namespace lpu::compiler {

void addLLMPhase(mlir::OpPassManager &passes, const PipelineOptions &options) {
  passes.addPass(llm::createQuantize(
      {options.precision.weights, options.precision.activations, options.precision.kv, options.precision.config}));
  passes.addPass(
      llm::createPlanSteps({.maxContext = options.maxContext, .maxTokens = options.maxTokens, .batch = options.batch}));
  passes.addPass(llm::createVerifyQuantized());
}

void addStreamPhase(mlir::OpPassManager &passes, const PipelineOptions &options) {
  passes.addPass(createChooseMapping({options.target, options.mapping}));
  passes.addPass(createConvertLLMToStream({options.target}));
  passes.addPass(createAllocateMemory({options.target}));
  passes.addPass(createVerifyPlaces({options.target}));
}

void addLpuPhase(mlir::OpPassManager &passes, const PipelineOptions &options) {
  passes.addPass(createConvertStreamToLpu({options.target, options.boundsOnly}));
  if (options.boundsOnly) // there are no instructions to charge or to verify
    return;
  passes.addPass(createAllocateCode({options.target}));
  passes.addPass(timed::createVerifySchedule({options.target}));
}

llvm::ArrayRef<CompilePhase> compilePhases() {
  static constexpr CompilePhase kPhases[] = {
      {Stage::LLM, "lpu-to-llm", "Quantize a model and plan its steps", "quantizing", addLLMPhase},
      {Stage::Stream, "lpu-to-stream", "Map a planned model onto flows and give its objects places",
       "mapping onto flows", addStreamPhase},
      {Stage::Lpu, "lpu-to-lpu", "Schedule placed flows and charge their instruction text", "scheduling", addLpuPhase},
  };
  return kPhases;
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

namespace {

/// Options of the registered pipelines, as far as a text can say them.
struct RegisteredOptions : mlir::PassPipelineOptions<RegisteredOptions> {
  Option<std::string> target{*this, "target", llvm::cl::desc("machine: a preset or a YAML file"),
                             llvm::cl::init("tsp1")};
  Option<std::uint64_t> maxContext{*this, "max-context", llvm::cl::desc("positions; 0: the model's"),
                                   llvm::cl::init(0)};
  Option<std::uint64_t> maxTokens{*this, "max-tokens", llvm::cl::desc("tokens of a prefill step"), llvm::cl::init(8)};
  Option<std::uint64_t> batch{*this, "batch", llvm::cl::desc("users whose tokens a decode step feeds together"),
                              llvm::cl::init(1)};
  Option<std::string> mapping{*this, "mapping", llvm::cl::desc("YAML file with choices of the mapping"),
                              llvm::cl::init("")};
  Option<bool> boundsOnly{*this, "bounds-only", llvm::cl::desc("bound every phase and schedule none"),
                          llvm::cl::init(false)};

  PipelineOptions get() const {
    PipelineOptions options;
    options.target = target, options.maxContext = maxContext, options.maxTokens = maxTokens, options.batch = batch,
    options.mapping = mapping, options.boundsOnly = boundsOnly;
    return options;
  }
};

} // namespace

void registerPipelines() {
  for (const CompilePhase &phase : compilePhases())
    mlir::PassPipelineRegistration<RegisteredOptions>(
        phase.argument, phase.summary,
        [add = phase.add](mlir::OpPassManager &passes, const RegisteredOptions &options) {
          add(passes, options.get());
        });
}

void registerPasses() {
  llm::registerLLMPasses();
  registerConversionPasses();
  timed::registerLpuPasses();
}

} // namespace lpu::compiler
