// The way from llm to lpu, as phases that end in a printable stage.
#pragma once

#include "lpu/compiler/Support/Precision.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectRegistry.h"
#include "mlir/Pass/PassManager.h"

#include <cstdint>
#include <string>

namespace lpu::compiler {

/// How far a module has come.
enum class Stage {
  LLM,    ///< graph, quantized or not; steps may be missing
  Stream, ///< flows, placed or not
  Lpu,    ///< timed instructions
};

struct PipelineOptions {
  std::string target = "tsp1";
  std::uint64_t maxContext = 0; ///< 0: the model's
  std::uint64_t maxTokens = 8;  ///< tokens of a prefill step
  std::uint64_t batch = 1; ///< users whose tokens a decode step feeds together; with several there are no prefill steps
  PrecisionOptions precision;
  std::string mapping;     ///< a file with choices (MappingFile); empty: all by cost
  bool boundsOnly = false; ///< of stage lpu: bound every phase and schedule none
};

/// Quantize, plan the step programs, verify.
void addLLMPhase(mlir::OpPassManager &passes, const PipelineOptions &options);
/// Forms of linears, flows, then places, verify.
void addStreamPhase(mlir::OpPassManager &passes, const PipelineOptions &options);
/// Schedule, charge the code, verify.
void addLpuPhase(mlir::OpPassManager &passes, const PipelineOptions &options);

/// A part of the compilation: brings a module to a stage, with the verifier of that stage as its last pass. lpu-opt
/// knows each as a pipeline.
struct CompilePhase {
  Stage to;
  const char *argument, *summary; ///< of the registered pipeline
  const char *progress;           ///< what a user is told that is going on
  void (*add)(mlir::OpPassManager &passes, const PipelineOptions &options);
};
/// In their order. Between the first and the second a model is dealt over chips.
llvm::ArrayRef<CompilePhase> compilePhases();

Stage stageOf(mlir::ModuleOp module);
/// True when the llm stage has run on a module of stage LLM.
bool isPlanned(mlir::ModuleOp module);

/// Everything lpucc and lpu-opt can parse and run.
void registerDialects(mlir::DialectRegistry &registry);
void registerPasses();
void registerPipelines();

} // namespace lpu::compiler
