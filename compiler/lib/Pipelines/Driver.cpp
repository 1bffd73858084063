// The driver: reads the input, plans what is a model, lets Fit deal it over chips until Compile finds that it fits, and
// writes the output, with its report or not at all.

#include "lpu/compiler/Pipelines/Driver.h"

#include "Compile.h"
#include "DriverContext.h"
#include "DriverFiles.h"
#include "Fit.h"

#include "lpu/compiler/Conversion/BoundMachine.h"
#include "lpu/compiler/Dialect/LLM/Chips.h"
#include "lpu/compiler/Dialect/LLM/Context.h"
#include "lpu/compiler/Dialect/LLM/LLM.h"
#include "lpu/compiler/Import/ImportModel.h"
#include "lpu/compiler/System/Topology.h"
#include "lpu/compiler/Target/CountSchedule.h"
#include "lpu/compiler/Target/EmitProgram.h"
#include "lpu/isa/Files.h"
#include "lpu/isa/Provenance.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include "llvm/Support/ThreadPool.h"

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <utility>

namespace lpu::compiler {

namespace {

namespace fs = std::filesystem;

class Driver {
public:
  explicit Driver(const DriverOptions &options)
      : options(options), context(makeRegistry(), mlir::MLIRContext::Threading::DISABLED), errors(&context),
        compile(options, errors) {
    context.printOpOnDiagnostic(false);
    if (options.threads == 0)
      context.enableMultithreading();
    if (options.threads > 1) {
      pool =
          std::make_unique<llvm::DefaultThreadPool>(llvm::hardware_concurrency(static_cast<unsigned>(options.threads)));
      context.setThreadPool(*pool);
    }
  }

  Result<DriverResult> run() {
    begin = std::chrono::steady_clock::now();
    if (Status read = readInput(); !read)
      return read.error();
    if (Status done = isToPlan() ? planAndFit() : compile.lower(*module); !done)
      return done.error();
    if (options.boundsOnly)
      return finishBounds();
    if (options.compileTo != "lpx")
      return finishText();
    return finishProgram();
  }

private:
  static mlir::DialectRegistry makeRegistry() {
    mlir::DialectRegistry registry;
    registerDialects(registry);
    return registry;
  }
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(); }

  Status readInput() {
    auto loaded = isa::loadMachine(options.pipeline.target);
    if (!loaded)
      return loaded.error();
    machine = std::move(*loaded);
    auto choices = MappingFile::read(options.pipeline.mapping);
    if (!choices)
      return choices.error();
    mapping = std::move(*choices);
    if (!options.topology.empty()) // also where one chip needs none
      if (auto known = loadTopology(options.topology, 1, machine); !known)
        return known.error();
    options.progress("reading " + options.inputName);
    context.loadAllAvailableDialects();
    if (fs::path(options.input).extension() == ".mlir")
      module = mlir::parseSourceFile<mlir::ModuleOp>(options.input, &context);
    else
      module = importModel(context, options.input);
    if (!module)
      return compile.failure();
    for (mlir::ModuleOp chipClass : llm::classModules(*module))
      if (Status same = checkMachine(chipClass, machine); !same)
        return Error{options.inputName, same.error().message};
    if (Status distinct = checkFiles(options, *module); !distinct)
      return distinct;
    return checkOptions();
  }

  /// A model on one chip, as opposed to what a later stage has made of one.
  bool isToPlan() const { return stageOf(*module) == Stage::LLM && !llm::isPartitioned(*module); }

  /// Options that have no effect on the stage of the input any more.
  Status checkOptions() const {
    auto error = [&](const char *message) { return Error{options.inputName, message}; };
    bool hasSteps = !isToPlan() || isPlanned(*module);
    if (!isToPlan() && (!options.partition.isEmpty() || !options.topology.empty()))
      return error(
          "is past the stage at which a model is dealt over chips; start from the model, or from llm.mlir of one chip");
    if (options.pipeline.batch > 1 && hasSteps)
      return error("has its steps already, and with them the users of each; give --batch where the model is compiled");
    if (options.pipeline.maxContext && hasSteps)
      return error("has its steps already, and with them its context; give --max-context where the model is compiled");
    if (options.pipeline.batch > 1 && llm::isEncoder(*module))
      return error("is an encoder, which takes one sequence at a time; leave out --batch");
    if (!mapping.name.empty() && (stageOf(*module) != Stage::LLM || (!isToPlan() && mapping.prefillTokens)))
      return error("is past the stage at which its mapping is chosen; give --mapping where the model is compiled");
    if (!isToPlan() && (!options.steps.empty() || options.boundsOnly))
      return error("is past the stage at which steps are chosen; give --steps and --bounds-only where "
                   "the model is compiled, or from llm.mlir of one chip");
    return Ok{};
  }

  Status measureRanges() {
    if (options.calibration.sequences.empty())
      return Ok{};
    options.progress("calibrating");
    auto summary = calibrate(*module, options.calibration, options.pipeline.precision);
    if (mlir::failed(summary))
      return compile.failure();
    calibration = *summary;
    return Ok{};
  }

  /// Quantized, with the steps to build, for one chip.
  Status plan() {
    if (Status done = measureRanges(); !done)
      return done;
    options.progress("quantizing");
    PipelineOptions planned = options.pipeline;
    planned.maxContext = llm::contextToPlan(*module, options.pipeline.maxContext);
    contextNote = noteOfContext(*module, options.pipeline.maxContext);
    if (!llm::isEncoder(*module))
      planned.maxTokens = static_cast<std::uint64_t>(stepTokens(machine, *module, std::nullopt, Chunks::All));
    mlir::PassManager passes(&context);
    addLLMPhase(passes, planned);
    return mlir::succeeded(passes.run(*module)) ? Status(Ok{}) : compile.failure();
  }

  /// Compiles one partition after the other until one fits.
  Status planAndFit() {
    if (!isPlanned(*module))
      if (Status done = plan(); !done)
        return done;
    precisions = llm::precisionsOf(*module);
    mlir::OwningOpRef<mlir::ModuleOp> planned = std::move(module);
    if (auto tooLong = contextProblem(*planned, options, machine))
      return Error{options.inputName, *tooLong};
    Fit fit(*planned, options, mapping, machine, errors);
    for (Result<DealtModel> dealt = fit.first();;) {
      if (!dealt)
        return dealt.error();
      module = std::move(dealt->module), places = std::move(dealt->places);
      if (Status dumped = compile.dumpStage(*module, Stage::LLM); !dumped)
        return dumped;
      Status lowered = compile.lower(*module);
      if (lowered)
        return Ok{};
      std::optional<DoesNotFit> why = doesNotFit(*module);
      if (!why)
        return lowered;
      dealt = fit.next(*why, lowered.error());
    }
  }

  /// An error of emission, which has a place when a file of the model is to blame.
  Error atInput(Error error) const { return error.place.empty() ? Error{options.inputName, error.message} : error; }

  DriverResult resultOf(isa::Program program) {
    DriverResult result{seconds(),   std::move(program),   phasesOf(*module), std::move(places), options.promptTokens,
                        calibration, std::move(precisions)};
    result.contextNote = std::move(contextNote);
    result.mapping = mappingOf(*module);
    return result;
  }

  /// The program and its report: both or neither.
  Result<DriverResult> finishProgram() {
    options.progress("writing the program");
    auto program = emitProgram(*module, machine);
    if (!program)
      return atInput(program.error());
    options.progress("checking the program");
    if (Status legal = checkWords(context, *program, options.inputName); !legal)
      return legal.error();
    DriverResult result = resultOf(std::move(*program));
    if (!options.report.empty()) {
      result.counts = countSchedules(*module, machine);
      if (Status written = writeFileAtomically(options.report, reportJson(result)); !written)
        return written.error();
    }
    Status written = isa::writeProgram(result.program, options.output, options.provenance);
    if (written)
      return result;
    if (fs::is_regular_file(options.report))
      std::remove(options.report.c_str());
    return written.error();
  }

  /// The report of what is known without a schedule.
  Result<DriverResult> finishBounds() {
    auto program = emitBounds(*module, machine);
    if (!program)
      return atInput(program.error());
    DriverResult result = resultOf(std::move(*program));
    result.boundsOnly = true;
    if (Status written = writeFileAtomically(options.report, reportJson(result)); !written)
      return written.error();
    return result;
  }

  Result<DriverResult> finishText() {
    if (Status written = writeFileAtomically(options.output, textOf(*module)); !written)
      return written.error();
    DriverResult result;
    result.compileSeconds = seconds();
    result.contextNote = std::move(contextNote);
    return result;
  }

  const DriverOptions &options;
  std::unique_ptr<llvm::ThreadPoolInterface> pool; ///< of the context, if it has not its own
  mlir::MLIRContext context;
  OneLineErrors errors;
  Compile compile;
  std::chrono::steady_clock::time_point begin;
  isa::Machine machine;
  MappingFile mapping;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::string contextNote;
  std::optional<CalibrationSummary> calibration;
  std::vector<llm::LinearPrecision> precisions;
  Places places;
};

} // namespace

Result<DriverResult> compileFile(const DriverOptions &options) { return Driver(options).run(); }

} // namespace lpu::compiler
