// Every path of an invocation, on the side where it belongs.

#include "DriverFiles.h"

#include "lpu/compiler/Dialect/LLM/LLM.h"
#include "lpu/compiler/Import/ModelFiles.h"

#include <filesystem>

namespace lpu::compiler {

namespace {

std::vector<isa::FileUse> reads(const DriverOptions &options, mlir::ModuleOp module) {
  std::vector<isa::FileUse> uses = options.reads;
  isa::addUse(uses, "the model", options.inputName);
  isa::addUse(uses, "--target", options.pipeline.target);
  isa::addUse(uses, "--topology", options.topology);
  isa::addUse(uses, "--quant-config", options.pipeline.precision.config);
  isa::addUse(uses, "--mapping", options.pipeline.mapping);
  if (auto source = module->getAttrOfType<mlir::StringAttr>(llm::kSourceAttr)) // of an .mlir file, too
    for (const std::string &file : modelFiles(source.str()))
      isa::addUse(uses, "the model", file);
  return uses;
}

/// Dumps are of the stages that are still to come; one more of llm, dealt over chips, even from llm.mlir.
std::vector<isa::FileUse> writes(const DriverOptions &options, Stage from) {
  std::vector<isa::FileUse> uses;
  isa::addUse(uses, "-o", options.output);
  isa::addUse(uses, "--report", options.report);
  for (Stage stage : {Stage::LLM, Stage::Stream, Stage::Lpu}) {
    bool isDone = stage < from || (stage == from && stage != Stage::LLM);
    if (!options.dumpDir.empty() && !isDone)
      isa::addUse(uses, "--dump-dir", dumpPath(options, stage));
    if (options.compileTo == stageName(stage))
      break;
  }
  return uses;
}

} // namespace

const char *stageName(Stage stage) { return stage == Stage::LLM ? "llm" : stage == Stage::Stream ? "stream" : "lpu"; }

std::string dumpPath(const DriverOptions &options, Stage stage) {
  return (std::filesystem::path(options.dumpDir) / (std::string(stageName(stage)) + ".mlir")).string();
}

Status checkFiles(const DriverOptions &options, mlir::ModuleOp module) {
  return isa::checkOutputs(reads(options, module), writes(options, stageOf(module)));
}

} // namespace lpu::compiler
