// Phases run on the module of a single chip, or on those of all classes of chips at once.

#include "Compile.h"

#include "DriverFiles.h"

#include "lpu/compiler/Conversion/Mapping.h"
#include "lpu/compiler/Dialect/LLM/Chips.h"
#include "lpu/compiler/Dialect/Lpu/Lpu.h"
#include "lpu/isa/Files.h"
#include "lpu/isa/Legality.h"

#include "mlir/IR/Threading.h"
#include "mlir/IR/Verifier.h"

#include <fmt/format.h>

#include <filesystem>

namespace lpu::compiler {

namespace fs = std::filesystem;

Error Compile::failure() const {
  Error error = errors.error();
  if (error.place.empty())
    error.place = options.inputName;
  return error;
}

bool Compile::isWanted(Stage stage) const {
  for (Stage earlier : {Stage::LLM, Stage::Stream, Stage::Lpu})
    if (earlier < stage && options.compileTo == stageName(earlier))
      return false;
  return true;
}

Status Compile::lower(mlir::ModuleOp module) const {
  PipelineOptions pipeline = options.pipeline;
  pipeline.boundsOnly = options.boundsOnly;
  for (const CompilePhase &phase : compilePhases()) {
    if (phase.to == Stage::LLM || stageOf(module) >= phase.to || !isWanted(phase.to))
      continue;
    options.progress(options.boundsOnly && phase.to == Stage::Lpu ? "bounding" : phase.progress);
    mlir::PassManager passes(module.getContext());
    passes.enableVerifier(false); // once a phase, below: verifying a scheduled module takes as long as some passes
    mlir::OpPassManager &nested = llm::isPartitioned(module) ? passes.nest<mlir::ModuleOp>() : passes;
    phase.add(nested, pipeline);
    if (mlir::failed(passes.run(module)) || mlir::failed(mlir::verify(module)))
      return failure();
    if (Status dumped = dumpStage(module, phase.to); !dumped)
      return dumped;
  }
  return Ok{};
}

Status Compile::dumpStage(mlir::ModuleOp module, Stage stage) const {
  if (options.dumpDir.empty())
    return Ok{};
  std::error_code failed;
  fs::create_directories(options.dumpDir, failed);
  if (failed)
    return Error{options.dumpDir, "cannot create the dump folder: " + failed.message()};
  return writeFileAtomically(dumpPath(options, stage), textOf(module));
}

std::string textOf(mlir::ModuleOp module) {
  std::string out;
  llvm::raw_string_ostream stream(out);
  module->print(stream);
  stream << "\n";
  return out;
}

Status checkWords(mlir::MLIRContext &context, const isa::Program &program, const std::string &inputName) {
  std::vector<isa::SystemLegality> reports(program.steps.size());
  mlir::parallelFor(&context, 0, reports.size(), [&](std::size_t i) { reports[i] = isa::checkSystem(program, i); });
  for (std::size_t i = 0; i < reports.size(); ++i) {
    auto illegal = [&](const isa::Finding &finding) {
      return Error{inputName, fmt::format("the compiler made an illegal program, please report it: {}: {}",
                                          program.steps[i].name, finding.str())};
    };
    for (const isa::LegalityReport &chip : reports[i].classes)
      if (!chip.findings.empty())
        return illegal(chip.findings.front());
    if (!reports[i].findings.empty())
      return illegal(reports[i].findings.front());
  }
  return Ok{};
}

static std::vector<PhaseReport> phasesOf(timed::ProgramOp step) {
  std::vector<PhaseReport> out;
  if (auto array = step.getPhases())
    for (auto phase : array->getAsRange<mlir::DictionaryAttr>())
      out.push_back({phase.getAs<mlir::StringAttr>("name").str(), phase.getAs<mlir::StringAttr>("bound").str(),
                     phase.getAs<mlir::IntegerAttr>("cycles").getInt(),
                     phase.getAs<mlir::IntegerAttr>("bound_cycles").getInt()});
  return out;
}

std::vector<std::vector<std::vector<PhaseReport>>> phasesOf(mlir::ModuleOp module) {
  std::vector<std::vector<std::vector<PhaseReport>>> all;
  for (mlir::ModuleOp chipClass : llm::classModules(module)) {
    all.emplace_back();
    for (auto step : chipClass.getOps<timed::ProgramOp>())
      all.back().push_back(phasesOf(step));
  }
  return all;
}

std::vector<MappingReport> mappingOf(mlir::ModuleOp module) {
  std::vector<MappingReport> all;
  for (mlir::ModuleOp chipClass : llm::classModules(module))
    if (auto groups = chipClass->getAttrOfType<mlir::ArrayAttr>(kMappingAttr))
      for (auto group : groups.getAsRange<mlir::DictionaryAttr>())
        all.push_back({llm::isPartitioned(module) ? chipClass.getSymName()->str() : "",
                       group.getAs<mlir::StringAttr>("group").str(), group.getAs<mlir::StringAttr>("form").str(),
                       group.getAs<mlir::BoolAttr>("by_file").getValue(),
                       group.getAs<mlir::IntegerAttr>("count").getInt(),
                       group.getAs<mlir::IntegerAttr>("stream_cycles").getInt()});
  return all;
}

} // namespace lpu::compiler
