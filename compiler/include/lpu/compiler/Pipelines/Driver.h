// What lpucc does, without its command line.
#pragma once

#include "lpu/compiler/Dialect/LLM/Precisions.h"
#include "lpu/compiler/Pipelines/PartitionModel.h"
#include "lpu/compiler/Pipelines/Pipelines.h"
#include "lpu/compiler/Reference/Calibrate.h"
#include "lpu/isa/Counts.h"
#include "lpu/isa/FileUses.h"
#include "lpu/isa/Program.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace lpu::compiler {

struct DriverOptions {
  PipelineOptions pipeline;
  PartitionRequest partition;
  std::string topology; ///< a preset or a YAML file; empty: what fits the number of chips
  std::uint32_t promptTokens =
      128;               ///< the report's time to the first token is for a prompt of so many, or of the whole context
  std::string input;     ///< .gguf, or .mlir of any stage
  std::string inputName; ///< what errors call the input: the file the user named
  std::string output;
  std::string compileTo = "lpx";   ///< llm | stream | lpu | lpx
  std::string dumpDir;             ///< empty: no dumps
  std::string report;              ///< empty: no report
  std::vector<std::string> steps;  ///< kinds or names of the steps to compile; none: all
  bool boundsOnly = false;         ///< bound every phase and schedule none; only a report is written
  int threads = 0;                 ///< of the host; 0: as many as it has
  CalibrationOptions calibration;  ///< no sequences: scales are bounds
  std::vector<isa::FileUse> reads; ///< what else was or will be read, and must not be written
  std::string provenance;          ///< what the program says of the build that made it
  /// Called as each phase begins.
  std::function<void(const std::string &)> progress = [](const std::string &) {};
};

/// What one phase of a program took, and the largest of its lower bounds.
struct PhaseReport {
  std::string name, bound;
  std::int64_t cycles = 0, boundCycles = 0;
};

/// Groups of linears of a class of chips that were mapped alike.
struct MappingReport {
  std::string chipClass, group, form;
  bool byFile = false;
  std::int64_t count = 0, streamCycles = 0;
};

struct DriverResult {
  double compileSeconds = 0;
  isa::Program program;                                      ///< only when compiled to lpx
  std::vector<std::vector<std::vector<PhaseReport>>> phases; ///< of each chip class and step
  Places places;
  std::uint32_t promptTokens = 0;
  std::optional<CalibrationSummary> calibration;
  std::vector<llm::LinearPrecision> precisions; ///< of every linear; empty when compilation went on from a later stage
  std::vector<std::vector<isa::Counts>> counts{}; ///< of each chip class and step, one chip's; only for a report
  bool boundsOnly = false;                        ///< programs have bounds and nothing else
  std::vector<MappingReport> mapping{};           ///< of decoders
  std::string contextNote{};                      ///< for the user: the context is not the model's own; or empty
};

/// Compiles and writes the output; no partial file stays behind. The error is the line a user sees.
Result<DriverResult> compileFile(const DriverOptions &options);

/// The --report document.
std::string reportJson(const DriverResult &result);
/// The same for eyes.
std::string reportTable(const DriverResult &result);

} // namespace lpu::compiler
