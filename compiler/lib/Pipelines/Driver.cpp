// The driver: input of any stage, the phases that are left, a dump after each,
// and the output. When a model does not fit, it looks for the largest context
// that does, so that the error can name it.

#include "lpu/compiler/Pipelines/Driver.h"

#include "lpu/compiler/Conversion/Passes.h"
#include "lpu/compiler/Dialect/LLM/LLM.h"
#include "lpu/compiler/Dialect/LLM/Passes.h"
#include "lpu/compiler/Dialect/Lpu/Lpu.h"
#include "lpu/compiler/Import/ImportModel.h"
#include "lpu/compiler/Pipelines/ContextSearch.h"
#include "lpu/compiler/Support/OneLineErrors.h"
#include "lpu/compiler/Target/EmitProgram.h"
#include "lpu/isa/Legality.h"
#include "lpu/isa/PendingName.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>

namespace lpu::compiler {

namespace {

namespace fs = std::filesystem;

class Driver {
public:
  explicit Driver(const DriverOptions &options) : options(options), context(makeRegistry(), mlir::MLIRContext::Threading::DISABLED), errors(&context) {
    context.printOpOnDiagnostic(false);
  }

  Result<DriverResult> run() {
    auto begin = std::chrono::steady_clock::now();
    auto loaded = isa::loadMachine(options.pipeline.target);
    if (!loaded)
      return loaded.error();
    machine = std::move(*loaded);
    if (Status read = readInput(); !read)
      return read.error();
    for (Stage stage : {Stage::LLM, Stage::Stream, Stage::Lpu}) {
      if (stageOf(*module) < stage || (stage == Stage::LLM && stageOf(*module) == Stage::LLM))
        if (Status done = enter(stage); !done)
          return done.error();
      if (options.compileTo == name(stage))
        return finishText(begin);
    }
    options.progress("writing the program");
    auto program = emitProgram(*module, machine);
    if (!program)
      return Error{program.error().place.empty() ? options.input : program.error().place, program.error().message};
    if (Status legal = checkWords(*program); !legal)
      return legal.error();
    DriverResult result{seconds(begin), std::move(*program), {phases()}, {}, options.promptTokens};
    if (Status written = writeOutputs(result); !written)
      return written.error();
    return result;
  }

private:
  static mlir::DialectRegistry makeRegistry() {
    mlir::DialectRegistry registry;
    registerDialects(registry);
    return registry;
  }
  static const char *name(Stage stage) { return stage == Stage::LLM ? "llm" : stage == Stage::Stream ? "stream" : "lpu"; }
  static double seconds(std::chrono::steady_clock::time_point begin) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }

  Status readInput() {
    options.progress("reading " + options.input);
    context.loadAllAvailableDialects();
    if (fs::path(options.input).extension() == ".mlir")
      module = mlir::parseSourceFile<mlir::ModuleOp>(options.input, &context);
    else
      module = importModel(context, options.input);
    return module ? Status(Ok{}) : Status(failure());
  }

  /// The diagnostic that was just emitted, as an error: "place: error: text" taken apart.
  Error failure() const {
    const std::string &line = errors.str();
    auto at = line.find("error: ");
    if (at == std::string::npos)
      return {options.input, line};
    std::string place = line.substr(0, at);
    while (!place.empty() && (place.back() == ' ' || place.back() == ':'))
      place.pop_back();
    return {place.empty() ? options.input : place, line.substr(at + 7)};
  }

  Status enter(Stage stage) {
    if (stage == Stage::LLM && isPlanned(*module))
      return Ok{};
    options.progress(stage == Stage::LLM ? "quantizing" : stage == Stage::Stream ? "mapping onto flows" : "scheduling");
    if (stage == Stage::Stream)
      beforeMapping = module->clone();
    mlir::PassManager passes(&context);
    if (stage == Stage::LLM) {
      PipelineOptions planned = options.pipeline;
      // At least one, so that a layer too wide for even that is reported by the lowering that knows its width.
      planned.maxTokens = std::clamp<std::int64_t>(prefillTokens(machine, *module), 1, static_cast<std::int64_t>(planned.maxTokens));
      addLLMPhase(passes, planned);
    } else if (stage == Stage::Stream) {
      addStreamPhase(passes, options.pipeline);
    } else {
      addLpuPhase(passes, options.pipeline);
    }
    if (mlir::failed(passes.run(*module))) {
      Error error = failure();
      if (beforeMapping && error.message.find("does not fit") != std::string::npos)
        error.message += remedy();
      return error;
    }
    return dump(stage);
  }

  /// How much context would fit, as the end of an error message.
  std::string remedy() {
    options.progress("looking for the largest context that fits");
    FittingContext found = largestFittingContext(*beforeMapping, options.pipeline);
    if (found.context == 0)
      return "; no --max-context is small enough";
    return fmt::format("; {1} {0} (--max-context={0})", found.context, found.isLargest ? "the largest context that fits is" : "a context that fits is");
  }

  std::vector<std::vector<PhaseReport>> phases() {
    std::vector<std::vector<PhaseReport>> all;
    for (auto step : module->getOps<timed::ProgramOp>()) {
      auto &out = all.emplace_back();
      if (auto array = step.getPhases())
        for (auto phase : array->getAsRange<mlir::DictionaryAttr>())
          out.push_back({phase.getAs<mlir::StringAttr>("name").str(), phase.getAs<mlir::StringAttr>("bound").str(),
                         phase.getAs<mlir::IntegerAttr>("cycles").getInt(), phase.getAs<mlir::IntegerAttr>("bound_cycles").getInt()});
    }
    return all;
  }

  std::string text() {
    std::string out;
    llvm::raw_string_ostream stream(out);
    module->print(stream);
    stream << "\n";
    return out;
  }

  Status dump(Stage stage) {
    if (options.dumpDir.empty())
      return Ok{};
    std::error_code failed;
    fs::create_directories(options.dumpDir, failed);
    if (failed)
      return Error{options.dumpDir, "cannot create the dump folder: " + failed.message()};
    return writeTextFile((fs::path(options.dumpDir) / (std::string(name(stage)) + ".mlir")).string(), text());
  }

  /// The last net before the file: the decoded words against the rules of the machine.
  Status checkWords(const isa::Program &program) {
    options.progress("checking the program");
    for (std::size_t c = 0; c < program.classes.size(); ++c)
      for (std::size_t i = 0; i < program.steps.size(); ++i)
        for (const isa::Finding &finding : isa::checkLegality(program, c, i).findings)
          return Error{options.input, fmt::format("the compiler made an illegal program, please report it: {}: {}", program.steps[i].name, finding.str())};
    return Ok{};
  }

  /// The program and its report: both or neither.
  Status writeOutputs(const DriverResult &result) {
    if (!options.report.empty())
      if (Status written = writeTextFile(options.report, reportJson(result)); !written)
        return written;
    Status written = isa::writeProgram(result.program, options.output);
    if (!written && fs::is_regular_file(options.report))
      std::remove(options.report.c_str());
    return written;
  }

  Result<DriverResult> finishText(std::chrono::steady_clock::time_point begin) {
    if (Status written = writeTextFile(options.output, text()); !written)
      return written.error();
    return DriverResult{seconds(begin), {}, {}, {}, 0};
  }

  const DriverOptions &options;
  mlir::MLIRContext context;
  OneLineErrors errors;
  isa::Machine machine;
  mlir::OwningOpRef<mlir::ModuleOp> module, beforeMapping; ///< the latter: of stage llm, to look for what would fit
};

} // namespace

Status writeTextFile(const std::string &path, const std::string &text) {
  std::string temporary = isa::pendingName(path);
  auto discard = [&] {
    if (temporary != path)
      std::remove(temporary.c_str());
  };
  {
    std::ofstream out(temporary, std::ios::binary);
    out << text;
    out.flush();
    if (!out) {
      discard();
      return Error{path, "cannot write the file; check the folder and free space"};
    }
  }
  if (temporary != path && std::rename(temporary.c_str(), path.c_str()) != 0) {
    discard();
    return Error{path, "cannot replace the file; check its permissions"};
  }
  return Ok{};
}

Result<DriverResult> compileFile(const DriverOptions &options) { return Driver(options).run(); }

} // namespace lpu::compiler
