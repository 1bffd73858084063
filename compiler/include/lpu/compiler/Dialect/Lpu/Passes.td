// Passes over the lpu dialect; each is implemented in the file of its name.
#ifndef LPU_COMPILER_DIALECT_LPU_PASSES_TD
#define LPU_COMPILER_DIALECT_LPU_PASSES_TD

include "mlir/Pass/PassBase.td"

def VerifySchedule : Pass<"lpu-verify-schedule", "::mlir::ModuleOp"> {
  let summary = "Re-check timed instructions from their fields alone";
  let description = [{
    Closes the lpu phase. Expands every issue and checks, knowing nothing of how the schedule was made:
    a queue exists and issues one word a cycle; a stream slot has one producer per position, every consumer finds a value
    on its slot and every value driven is read by someone; ALU results are read in the cycle they are visible, one result
    of an ALU a cycle; rows belong to regions that may be read or written, are readable when read, and were written
    unless they started with contents; every row of an output is written; tiles are complete when installed, plays find a
    tile and a loaded row, sums are taken when they arrive; accumulators hold something when read; the claimed length is
    the real one. It cannot see a value that is merely the wrong one, such as two bytes of a vector exchanged.
    Changes nothing.
  }];
  let options = [Option<"target", "target", "std::string", "\"tsp1\"", "machine: a preset or a YAML file">];
}

#endif
