// The compilation of a module, stage by stage: what the phases are is said in Pipelines.h, here they run.
#pragma once

#include "lpu/compiler/Pipelines/Driver.h"
#include "lpu/compiler/Support/OneLineErrors.h"

#include "mlir/IR/BuiltinOps.h"

namespace lpu::compiler {

class Compile {
public:
  /// `errors` is the handler of the module's context; it and `options` outlive this.
  Compile(const DriverOptions &options, const OneLineErrors &errors) : options(options), errors(errors) {}

  /// Brings a module that is planned and dealt as far as the options ask, and dumps every stage it reaches.
  Status lower(mlir::ModuleOp module) const;
  /// Dumps a module that has reached a stage, if dumps are wanted.
  Status dumpStage(mlir::ModuleOp module, Stage stage) const;
  /// The last error of the context's handler, at the input if it has no place.
  Error failure() const;

  /// Whether a stage is behind that at which compilation stops.
  bool isWanted(Stage stage) const;

private:
  const DriverOptions &options;
  const OneLineErrors &errors;
};

/// A module's text, as it is dumped.
std::string textOf(mlir::ModuleOp module);
/// The last net before the file: the decoded words of all steps against the rules of the machine.
Status checkWords(mlir::MLIRContext &context, const isa::Program &program, const std::string &inputName);
/// Cycles and bounds of every phase, of each chip class and step of a module of stage lpu.
std::vector<std::vector<std::vector<PhaseReport>>> phasesOf(mlir::ModuleOp module);

/// What was chosen of the mapping, as llm-choose-mapping noted it in each class.
std::vector<MappingReport> mappingOf(mlir::ModuleOp module);

} // namespace lpu::compiler
