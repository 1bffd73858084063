// Passes from the llm dialect down to timed instructions; each is implemented in
// the file of its name.
#ifndef LPU_COMPILER_CONVERSION_PASSES_TD
#define LPU_COMPILER_CONVERSION_PASSES_TD

include "mlir/Pass/PassBase.td"

def ChooseMapping : Pass<"llm-choose-mapping", "::mlir::ModuleOp"> {
  let summary = "Choose how each group of linears comes to the planes";
  let description = [{
    Writes the form of its group on every llm.linear (`llm.form`): `pinned`, `dealt` or `swept` by what their weights
    take to stream, `grouped` and `half` where the precision wants it. A YAML file may choose between pinned and dealt
    (docs/howto/choose-a-mapping.md). What was chosen stands at the module (`lpu.mapping`), up to the report.
    A module that has it is left as it is.
  }];
  let options = [Option<"target", "target", "std::string", "\"tsp1\"", "machine: a preset or a YAML file">,
                 Option<"mapping", "mapping", "std::string", "\"\"", "YAML file with choices; none: all by cost">];
}

def ConvertLLMToStream : Pass<"convert-llm-to-stream", "::mlir::ModuleOp"> {
  let summary = "Map the quantized model onto flows, one stream.program per llm.step";
  let description = [{
    Lays every activation out over vectors of lanes, cuts weights into tiles, deals them over the four planes and
    writes each step as phases of flows. The llm operations are gone afterwards; the module keeps llm.source,
    from which constants are made at emission, and notes its machine (llm.machine, llm.machine_hash).
  }];
  let dependentDialects = ["::lpu::stream::StreamDialect"];
  let options = [Option<"target", "target", "std::string", "\"tsp1\"", "machine: a preset or a YAML file">];
}

def AllocateMemory : Pass<"stream-allocate-memory", "::mlir::ModuleOp"> {
  let summary = "Give every memory object its side, slices, bank and rows";
  let description = [{
    Tiles go to the sixteen-slice groups outside, one group per plane; vectors of activations, tables and caches to
    groups of four slices from VXM outwards, spread by their hints so that what is read together does not share a slice.
    The error of a model that does not fit says by how much.
  }];
  let options = [Option<"target", "target", "std::string", "\"tsp1\"", "machine: a preset or a YAML file">];
}

def VerifyPlaces : Pass<"stream-verify-places", "::mlir::ModuleOp"> {
  let summary = "Check that every memory object has a place of its own inside the machine";
  let description = [{
    Closes the stream stage. Every object has a place; all its rows are rows of the machine; no row is of two objects, but
    for scratch objects, which a step needs for a while only: whether two of them are ever needed at once is checked
    against the schedule.
  }];
  let options = [Option<"target", "target", "std::string", "\"tsp1\"", "machine: a preset or a YAML file">];
}

def ConvertStreamToLpu : Pass<"convert-stream-to-lpu", "::mlir::ModuleOp"> {
  let summary = "Schedule the flows of every program and write timed instructions";
  let description = [{
    Shapes every flow, derives dependences from what flows touch, bounds each phase, schedules, verifies the
    solution, and replaces stream by lpu operations. With `bounds-only` nothing is scheduled: programs have bounds,
    their lower bound as length, and no instructions.
  }];
  let dependentDialects = ["::lpu::timed::LpuDialect"];
  let options = [Option<"target", "target", "std::string", "\"tsp1\"", "machine: a preset or a YAML file">,
                 Option<"boundsOnly", "bounds-only", "bool", "false", "bound every phase and schedule none">];
}

def AllocateCode : Pass<"lpu-allocate-code", "::mlir::ModuleOp"> {
  let summary = "Charge the instruction text of all programs to memory";
  let description = [{
    Adds `code` regions for the words of every queue of every program in rows no other region uses.
    Queues hold their whole text (docs/spec/timing.md T8); these rows are where a system that
    fetches it would keep it.
  }];
  let options = [Option<"target", "target", "std::string", "\"tsp1\"", "machine: a preset or a YAML file">];
}

#endif
