// lpucc: command line of the compiler driver.

#include "CalibrationText.h"
#include "ContextFlag.h"
#include "Heartbeat.h"
#include "PrecisionFlags.h"
#include "lpu/compiler/Import/WeightStore.h"
#include "lpu/compiler/Pipelines/Driver.h"
#include "lpu/isa/Version.h"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <unistd.h>

using namespace lpu;
using namespace lpu::compiler;

static void addChipFlags(CLI::App &app, DriverOptions &options) {
  CLI::Range countRange(std::int64_t{1}, std::int64_t{65535});
  app.add_option("--chips", options.partition.chips,
                 "so many chips; with --fit or --fastest: at most so many (default: as many as it takes)")
      ->check(countRange);
  app.add_option("--tp", options.partition.tp, "chips that share each layer (default: chosen)")->check(countRange);
  app.add_option("--pp", options.partition.pp, "groups of chips that hold consecutive layers (default: chosen)")
      ->check(countRange);
  CLI::Option *fewest =
      app.add_flag("--fit", options.partition.fit, "choose the fewest chips (default without --chips)");
  app.add_flag("--fastest", options.partition.fastest, "choose the lowest latency of a token within --chips")
      ->excludes(fewest)
      ->needs("--chips");
  app.add_option(
      "--topology", options.topology,
      "cabling of the chips: node, rail, dragonfly or a YAML file (default: node, rail for more than 8 chips)");
  app.add_option("--prompt-tokens", options.promptTokens,
                 "length of the prompt for which the report gives the time to the first token")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
}

/// How much of the work is done, and by how many.
static void addScopeFlags(CLI::App &app, DriverOptions &options) {
  app.add_option("--steps", options.steps,
                 "compile these steps only: decode, prefill, encode, or names as in the report (default: all)")
      ->delimiter(',');
  app.add_flag("--bounds-only", options.boundsOnly,
               "schedule nothing: check that the model fits, bound every phase, write only the report");
  app.add_option("--threads", options.threads, "threads of the host (default: as many as it has)")
      ->check(CLI::Range(1, 1024));
}

int main(int argc, char **argv) {
  DriverOptions options;
  std::string arch, weights = "none", outputNames;
  CLI::App app("Compiles a model for a Groq-style LPU: a statically scheduled program whose length in cycles is known "
               "exactly. A model is a GGUF file (of a split one the first part), a Hugging Face folder (config.json, "
               "*.safetensors, tokenizer.json), an encoder as an ONNX file, a shape as YAML (--arch), or an .mlir file "
               "dumped at any stage.\n\n"
               "  lpucc model.gguf -o model.lpx                       compile for one tsp1 chip\n"
               "  lpucc path/to/folder -o model.lpx                   the same from safetensors\n"
               "  lpucc encoder.onnx -o model.lpx                     a BERT or its like\n"
               "  lpucc model.gguf -o model.lpx --max-context=128     smaller KV cache, fewer programs\n"
               "  lpucc model.gguf -o model.lpx --chips=8             eight chips, arranged for the lowest latency\n"
               "  lpucc model.gguf -o model.lpx --tp=2 --pp=4         two chips share each layer, four groups of them\n"
               "  lpucc model.gguf -o model.lpx --batch=4             four users decode together\n"
               "  lpucc model.gguf -o model.lpx --fastest --chips=16  the partition with the lowest latency on at most "
               "16 chips\n"
               "  lpucc model.gguf -o m.mlir --compile-to=stream      stop at an intermediate stage\n"
               "  lpucc --arch=models/arch/llama-3-8b.yaml -o m.lpx   a shape, without weights, to time it\n"
               "  lpucc dumps/stream.mlir -o model.lpx                go on from a dumped stage\n",
               "lpucc");
  auto *model = app.add_option("model", options.input,
                               "GGUF file, Hugging Face folder, ONNX file, or an .mlir file dumped at any stage");
  auto *shape =
      app.add_option("--arch", arch, "instead of a model: its shape as YAML (see models/arch)")->excludes(model);
  app.add_option("--weights", weights,
                 "weights for --arch: none (to time programs) or random:SEED (to run them as well)")
      ->needs(shape)
      ->capture_default_str();
  app.add_option("-o,--output", options.output, "file to write");
  app.add_option("--output-names", outputNames, "of an ONNX file: the outputs to compile, separated by commas")
      ->needs(model);
  app.add_option("--target", options.pipeline.target, "machine: a preset (tsp1, small, tsp1-int4) or a YAML file")
      ->capture_default_str();
  addContextFlag(app, options.pipeline.maxContext);
  app.add_option("--batch", options.pipeline.batch,
                 "users whose tokens a decode step feeds together, each with a KV cache of their own")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{65535}))
      ->capture_default_str();
  addPrecisionFlags(app, options.pipeline.precision);
  app.add_option("--mapping", options.pipeline.mapping,
                 "YAML file with choices of the mapping that cost makes otherwise (default: none)");
  CalibrationFlags calibration;
  addCalibrationFlags(app, calibration);
  addChipFlags(app, options);
  app.add_option("--compile-to", options.compileTo,
                 "stop at this stage and write it as text: llm, stream, lpu; lpx is the program")
      ->check(CLI::IsMember({"llm", "stream", "lpu", "lpx"}))
      ->capture_default_str();
  app.add_option("--dump-dir", options.dumpDir, "write llm.mlir, stream.mlir and lpu.mlir into this folder");
  app.add_option("--report", options.report, "write sizes, predicted cycles, counts and bounds as JSON");
  addScopeFlags(app, options);
  options.provenance = lpu::isa::versionLine("lpucc");
  app.set_version_flag("--version", options.provenance, "version, commit and instruction set");
  try {
    app.parse(argc, argv);
    if (options.input.empty() && arch.empty())
      throw CLI::RequiredError("model or --arch");
    if (options.output.empty() && !options.boundsOnly)
      throw CLI::RequiredError("--output");
    if (options.boundsOnly && (options.report.empty() || !options.output.empty() || options.compileTo != "lpx"))
      throw CLI::ValidationError("--bounds-only", "only a report is written; give --report and no --output or "
                                                  "--compile-to");
    if (!WeightStore::isWeightsChoice(weights))
      throw CLI::ValidationError("--weights", "'" + weights + "' is neither none nor random:SEED");
  } catch (const CLI::Success &success) {
    return app.exit(success);
  } catch (const CLI::ParseError &error) {
    std::fprintf(stderr, "lpucc: error: %s; see lpucc --help\n", error.what());
    return 2;
  }
  isa::addUse(options.reads, "--calibration", calibration.text);
  options.inputName = arch.empty() ? options.input : arch;
  if (!arch.empty())
    options.input = WeightStore::shapeName(arch, weights);
  if (!outputNames.empty())
    options.input = WeightStore::outputsName(options.input, outputNames);
  auto sequences = readCalibration(calibration, options.input);
  if (!sequences) {
    std::fprintf(stderr, "%s\n", sequences.error().str().c_str());
    return 1;
  }
  options.calibration = std::move(*sequences);
  bool terminal = isatty(STDERR_FILENO);
  Heartbeat heartbeat("lpucc", terminal);
  options.progress = [&](const std::string &phase) { heartbeat.begins(phase); };
  auto result = compileFile(options);
  heartbeat.stop();
  if (!result) {
    std::fprintf(stderr, "%s\n", result.error().str().c_str());
    return 1;
  }
  if (app.count("--calibration-method") > 0 && calibration.text.empty())
    std::fprintf(stderr, "lpucc: note: --calibration-method has no effect without --calibration\n");
  if (!outputNames.empty() && !options.inputName.ends_with(".onnx"))
    std::fprintf(stderr, "lpucc: note: --output-names has no effect on what is no ONNX file\n");
  if (!result->contextNote.empty())
    std::fprintf(stderr, "lpucc: %s\n", result->contextNote.c_str());
  if (options.compileTo == "lpx" && !options.boundsOnly && (terminal || isatty(STDOUT_FILENO)))
    std::fprintf(stderr, "%s\n  compiled in %.2f s\n", reportTable(*result).c_str(), result->compileSeconds);
  return 0;
}
