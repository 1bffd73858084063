// lpu-interpret: runs a model's quantized `llm` IR on the reference interpreter,
// or with --float the graph as imported on the float reference.
// Takes lpucc's options so that both can be called alike; those that only concern
// output of the compiler have no effect here.

#include "CalibrationText.h"
#include "ContextFlag.h"
#include "PrecisionFlags.h"
#include "lpu/compiler/Dialect/LLM/LLM.h"
#include "lpu/compiler/Dialect/LLM/Passes.h"
#include "lpu/compiler/Import/ImportModel.h"
#include "lpu/compiler/Import/ModelFiles.h"
#include "lpu/compiler/Reference/EncoderInterpreter.h"
#include "lpu/compiler/Reference/FloatInterpreter.h"
#include "lpu/compiler/Reference/Interpreter.h"
#include "lpu/compiler/Support/OneLineErrors.h"
#include "lpu/isa/FileUses.h"
#include "lpu/isa/Machine.h"
#include "lpu/isa/Npy.h"
#include "lpu/isa/Version.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Pass/PassManager.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

using namespace lpu;
using namespace lpu::compiler;

namespace {

struct Options {
  std::string model, arch, weights = "random:1", target = "tsp1", logits, tokensFile, outputDir, outputs, outputNames,
                           unused;
  std::uint64_t maxContext = 0;
  std::vector<std::int32_t> tokens, inputIds, tokenTypes;
  bool isFloat = false;
  PrecisionOptions precision;
  CalibrationFlags calibration;
};

/// Returns the exit code to leave with, or -1 to go on.
int parse(int argc, char **argv, Options &options) {
  CLI::App app("Runs the reference interpreter of the llm dialect on a GGUF model: feeds tokens, writes logits.",
               "lpu-interpret");
  auto *model = app.add_option("model", options.model, "GGUF file or Hugging Face folder");
  auto *shape = app.add_option("--arch", options.arch, "instead of a model: its shape as YAML")->excludes(model);
  app.add_option("--weights", options.weights, "weights for --arch: random:SEED")->needs(shape)->capture_default_str();
  auto *input = app.add_option_group("input", "what to feed");
  input->require_option(1);
  input->add_option("--tokens", options.tokens, "token ids to feed, separated by commas")->delimiter(',');
  input->add_option(
      "--tokens-file", options.tokensFile,
      "file with a sequence of token ids a line, separated by spaces or commas; each starts with empty caches");
  auto *ids =
      input->add_option("--input-ids", options.inputIds, "of an encoder: token ids of a sequence, separated by commas")
          ->delimiter(',');
  app.add_option("--token-type-ids", options.tokenTypes,
                 "of an encoder: token types, one for each token (default: zeros)")
      ->delimiter(',')
      ->needs(ids);
  app.add_option("--output-names", options.outputNames, "of an ONNX file: the outputs to compute (default: all)")
      ->needs(model);
  app.add_option("--output", options.outputDir,
                 "of an encoder: write output NAME to DIR/NAME.npy; the folder is made if need be")
      ->type_name("DIR")
      ->needs(ids);
  app.add_option("--outputs", options.outputs)->needs(ids)->group(""); // its older spelling, for PREFIX.NAME.npy
  app.add_flag("--float", options.isFloat, "compute with the file's own weights in fp32, nothing quantized");
  addPrecisionFlags(app, options.precision);
  addCalibrationFlags(app, options.calibration);
  app.add_option("--logits", options.logits, "write float32 [tokens, vocabulary] to this .npy file");
  addContextFlag(app, options.maxContext);
  app.add_option("--target", options.target, "machine preset or YAML file; checked, results do not depend on it");
  for (const char *name : {"-o", "--compile-to", "--dump-dir", "--report", "--chips", "--tp", "--pp"})
    app.add_option(name, options.unused, "as in lpucc; without effect here")
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.set_version_flag("--version", isa::versionLine("lpu-interpret"), "version, commit and instruction set");
  try {
    app.parse(argc, argv);
    if (options.model.empty() && options.arch.empty())
      throw CLI::RequiredError("model or --arch");
    if (!WeightStore::isWeightsChoice(options.weights))
      throw CLI::ValidationError("--weights", "'" + options.weights + "' is neither none nor random:SEED");
  } catch (const CLI::Success &success) {
    return app.exit(success);
  } catch (const CLI::ParseError &error) {
    std::fprintf(stderr, "lpu-interpret: error: %s; see --help\n", error.what());
    return 2;
  }
  if (!options.arch.empty())
    options.model = WeightStore::shapeName(options.arch, options.weights);
  if (!options.outputNames.empty())
    options.model = WeightStore::outputsName(options.model, options.outputNames);
  return -1;
}

/// Import and, unless it is to stay float, the llm stage of the pipeline; null after an emitted error.
mlir::OwningOpRef<mlir::ModuleOp> compile(mlir::MLIRContext &context, const Options &options, const WeightStore &store,
                                          const CalibrationOptions &calibration) {
  mlir::OwningOpRef<mlir::ModuleOp> module = importModel(context, store);
  if (!module)
    return nullptr;
  if (!options.isFloat && !calibration.sequences.empty())
    if (mlir::failed(calibrate(*module, calibration, options.precision)))
      return nullptr;
  std::uint64_t positions = llm::contextToPlan(*module, options.maxContext);
  mlir::PassManager passes(&context);
  if (!options.isFloat)
    passes.addPass(llm::createQuantize(
        {options.precision.weights, options.precision.activations, options.precision.kv, options.precision.config}));
  passes.addPass(llm::createPlanSteps({.maxContext = positions}));
  if (!options.isFloat)
    passes.addPass(llm::createVerifyQuantized());
  return mlir::succeeded(passes.run(*module)) ? std::move(module) : nullptr;
}

using Sequences = std::vector<std::vector<std::int32_t>>;

Result<Sequences> readSequences(const Options &options) {
  if (options.tokensFile.empty())
    return Sequences{options.tokens};
  std::ifstream file(options.tokensFile);
  if (!file)
    return Error{options.tokensFile, "cannot be read; check the path and its permissions"};
  Sequences sequences;
  for (std::string line; std::getline(file, line);) {
    std::replace(line.begin(), line.end(), ',', ' ');
    std::istringstream words(line);
    auto &sequence = sequences.emplace_back();
    for (std::int32_t id; words >> id;)
      sequence.push_back(id);
    if (!words.eof())
      return Error{options.tokensFile + ":" + std::to_string(sequences.size()),
                   "holds what is no token id; give whole numbers separated by spaces or commas"};
  }
  return sequences;
}

/// Logits of all positions of all sequences.
template <typename AnyInterpreter>
Result<std::vector<float>> feed(AnyInterpreter &interpreter, const Sequences &sequences) {
  std::vector<float> logits;
  for (const auto &tokens : sequences) {
    interpreter.reset();
    for (std::size_t position = 0; position < tokens.size(); ++position) {
      auto row = interpreter.step(tokens[position], static_cast<std::int64_t>(position));
      if (!row)
        return row.error();
      logits.insert(logits.end(), row->begin(), row->end());
    }
  }
  return logits;
}

int fail(const std::string &line) {
  std::fprintf(stderr, "%s\n", line.c_str());
  return 1;
}

template <typename AnyInterpreter>
int interpret(mlir::FailureOr<std::unique_ptr<AnyInterpreter>> interpreter, const Options &options,
              const OneLineErrors &errors) {
  if (mlir::failed(interpreter))
    return fail(errors.str());
  auto sequences = readSequences(options);
  if (!sequences)
    return fail(sequences.error().str());
  auto logits = feed(**interpreter, *sequences);
  if (!logits)
    return fail(
        Error{logits.error().place.empty() ? options.model : logits.error().place, logits.error().message}.str());
  if (options.logits.empty())
    return 0;
  auto columns = static_cast<std::size_t>((*interpreter)->vocabulary());
  Status written = writeNpy(options.logits, *logits, logits->size() / columns, columns);
  return written ? 0 : fail(written.error().str());
}

std::string outputPath(const Options &options, const EncoderOutput &output) {
  std::string name = output.name;
  std::replace(name.begin(), name.end(), '/', '_'); // stays in its folder
  return options.outputDir.empty() ? options.outputs + "." + name + ".npy"
                                   : (std::filesystem::path(options.outputDir) / (name + ".npy")).string();
}

/// Names of an encoder's outputs are known only after its run.
Status checkFiles(const Options &options, const std::vector<EncoderOutput> &outputs = {}) {
  std::vector<isa::FileUse> reads, writes;
  isa::addUse(reads, "--tokens-file", options.tokensFile);
  isa::addUse(reads, "--calibration", options.calibration.text);
  isa::addUse(reads, "--quant-config", options.precision.config);
  isa::addUse(reads, "--target", options.target);
  for (const std::string &file : modelFiles(options.model))
    isa::addUse(reads, "the model", file);
  isa::addUse(writes, "--logits", options.logits);
  for (const EncoderOutput &output : outputs)
    isa::addUse(writes, "--output", outputPath(options, output));
  return isa::checkOutputs(reads, writes);
}

int encode(mlir::ModuleOp module, const Options &options, const OneLineErrors &errors) {
  auto interpreter = EncoderInterpreter::create(module);
  if (mlir::failed(interpreter))
    return fail(errors.str());
  auto outputs = (*interpreter)->run(options.inputIds, options.tokenTypes);
  if (!outputs)
    return fail(
        Error{outputs.error().place.empty() ? options.model : outputs.error().place, outputs.error().message}.str());
  if (options.outputs.empty() && options.outputDir.empty())
    return 0;
  std::error_code failed; // which the first file reports
  if (Status distinct = checkFiles(options, *outputs); !distinct)
    return fail(distinct.error().str());
  if (!options.outputDir.empty())
    std::filesystem::create_directories(options.outputDir, failed);
  for (const EncoderOutput &output : *outputs)
    if (Status written = writeNpy(outputPath(options, output), output.values, output.rows, output.width); !written)
      return fail(written.error().str());
  return 0;
}

int run(const Options &options) {
  if (auto machine = isa::loadMachine(options.target); !machine)
    return fail(machine.error().str());
  auto calibration = readCalibration(options.calibration, options.model);
  if (!calibration)
    return fail(calibration.error().str());
  auto store = WeightStore::open(options.model);
  if (!store)
    return fail(store.error().str());
  if (Status distinct = checkFiles(options); !distinct)
    return fail(distinct.error().str());
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  OneLineErrors errors(&context);
  mlir::OwningOpRef<mlir::ModuleOp> module = compile(context, options, **store, *calibration);
  if (!module)
    return fail(errors.str());
  if (llm::isEncoder(*module) != !options.inputIds.empty())
    return fail(Error{options.model, llm::isEncoder(*module) ? "is an encoder; give its tokens by --input-ids"
                                                             : "is no encoder; give its tokens by --tokens"}
                    .str());
  if (llm::isEncoder(*module))
    return options.isFloat ? fail(Error{options.model, "is an encoder, which --float does not run; leave it out"}.str())
                           : encode(*module, options, errors);
  return options.isFloat ? interpret(FloatInterpreter::create(*module), options, errors)
                         : interpret(Interpreter::create(*module), options, errors);
}

} // namespace

int main(int argc, char **argv) {
  Options options;
  int code = parse(argc, argv, options);
  return code >= 0 ? code : run(options);
}
