// Passes over the lpu dialect; each is implemented in the file of its name.
#ifndef LPU_COMPILER_DIALECT_LPU_PASSES_TD
#define LPU_COMPILER_DIALECT_LPU_PASSES_TD

include "mlir/Pass/PassBase.td"

def VerifySchedule : Pass<"lpu-verify-schedule", "::mlir::ModuleOp"> {
  let summary = "Re-check timed instructions from their fields alone";
  let description = [{
    Closes the lpu phase. Expands every issue and checks, knowing nothing of how the schedule was made: a queue
    issues one word a cycle; a stream slot has one producer per position and every consumer finds a value on its slot;
    ALU results are read in the cycle they are visible; memory is read after it was written; the claimed length is
    the real one. Changes nothing.
  }];
  let options = [Option<"target", "target", "std::string", "\"tsp1\"", "machine: a preset or a YAML file">];
}

#endif
