// lpu-interpret: runs a model's quantized `llm` IR on the reference interpreter.
// Takes lpucc's options so that both can be called alike; those that only concern
// output of the compiler have no effect here.

#include "lpu/compiler/Dialect/LLM/Passes.h"
#include "lpu/compiler/Import/ImportGguf.h"
#include "lpu/compiler/Reference/Interpreter.h"
#include "lpu/compiler/Support/Npy.h"
#include "lpu/compiler/Support/OneLineErrors.h"
#include "lpu/isa/Machine.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Pass/PassManager.h"

#include <CLI/CLI.hpp>

#include <cstdio>

using namespace lpu;
using namespace lpu::compiler;

namespace {

struct Options {
  std::string model, target = "tsp1", logits, unused;
  std::uint64_t maxContext = 0;
  std::vector<std::int32_t> tokens;
};

/// Returns the exit code to leave with, or -1 to go on.
int parse(int argc, char **argv, Options &options) {
  CLI::App app("Runs the reference interpreter of the llm dialect on a GGUF model: feeds tokens, writes logits.",
               "lpu-interpret");
  app.add_option("model", options.model, "GGUF model file")->required();
  app.add_option("--tokens", options.tokens, "token ids to feed, separated by commas")->delimiter(',')->required();
  app.add_option("--logits", options.logits, "write float32 [tokens, vocabulary] to this .npy file");
  app.add_option("--max-context", options.maxContext, "positions the KV caches hold (0: the model's context)");
  app.add_option("--target", options.target, "machine preset or YAML file; checked, results do not depend on it");
  for (const char *name : {"-o", "--compile-to", "--dump-dir", "--report"})
    app.add_option(name, options.unused, "as in lpucc; without effect here")
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success &success) {
    return app.exit(success);
  } catch (const CLI::ParseError &error) {
    std::fprintf(stderr, "lpu-interpret: error: %s; see --help\n", error.what());
    return 2;
  }
  return -1;
}

/// Import and the llm phase of the pipeline; null after an emitted error.
mlir::OwningOpRef<mlir::ModuleOp> compile(mlir::MLIRContext &context, const Options &options) {
  mlir::OwningOpRef<mlir::ModuleOp> module = importGguf(context, options.model);
  if (!module)
    return nullptr;
  mlir::PassManager passes(&context);
  passes.addPass(llm::createQuantize());
  passes.addPass(llm::createPlanSteps({.maxContext = options.maxContext}));
  passes.addPass(llm::createVerifyQuantized());
  return mlir::succeeded(passes.run(*module)) ? std::move(module) : nullptr;
}

Result<std::vector<float>> feed(Interpreter &interpreter, const std::vector<std::int32_t> &tokens) {
  std::vector<float> logits;
  for (std::size_t position = 0; position < tokens.size(); ++position) {
    auto row = interpreter.step(tokens[position], static_cast<std::int64_t>(position));
    if (!row)
      return row.error();
    logits.insert(logits.end(), row->begin(), row->end());
  }
  return logits;
}

int fail(const std::string &line) {
  std::fprintf(stderr, "%s\n", line.c_str());
  return 1;
}

int run(const Options &options) {
  if (auto machine = isa::loadMachine(options.target); !machine)
    return fail(machine.error().str());
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  OneLineErrors errors(&context);
  mlir::OwningOpRef<mlir::ModuleOp> module = compile(context, options);
  if (!module)
    return fail(errors.str());
  auto interpreter = Interpreter::create(*module);
  if (mlir::failed(interpreter))
    return fail(errors.str());
  auto logits = feed(**interpreter, options.tokens);
  if (!logits)
    return fail(
        Error{logits.error().place.empty() ? options.model : logits.error().place, logits.error().message}.str());
  if (options.logits.empty())
    return 0;
  Status written =
      writeNpy(options.logits, *logits, options.tokens.size(), static_cast<std::size_t>((*interpreter)->vocabulary()));
  return written ? 0 : fail(written.error().str());
}

} // namespace

int main(int argc, char **argv) {
  Options options;
  int code = parse(argc, argv, options);
  return code >= 0 ? code : run(options);
}
