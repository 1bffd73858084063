// The driver: input of any stage, the phases that are left, a dump after each,
// and the output. A planned model is dealt over chips by the planner's most promising
// partition; when that turns out not to fit, the next one is tried with a little less
// trust in the estimates. When one chip was asked for and does not do, it looks for the
// largest context that fits, so that the error can name it.

#include "lpu/compiler/Pipelines/Driver.h"

#include "DriverContext.h"
#include "DriverFiles.h"

#include "lpu/compiler/Conversion/BoundMachine.h"
#include "lpu/compiler/Conversion/Passes.h"
#include "lpu/compiler/Conversion/Shortage.h"
#include "lpu/compiler/Dialect/LLM/Chips.h"
#include "lpu/compiler/Dialect/LLM/Context.h"
#include "lpu/compiler/Dialect/LLM/LLM.h"
#include "lpu/compiler/Dialect/LLM/Passes.h"
#include "lpu/compiler/Dialect/Lpu/Lpu.h"
#include "lpu/compiler/Import/ImportModel.h"
#include "lpu/compiler/Pipelines/ContextSearch.h"
#include "lpu/compiler/Pipelines/PartitionModel.h"
#include "lpu/compiler/Pipelines/StepSelection.h"
#include "lpu/compiler/Support/OneLineErrors.h"
#include "lpu/compiler/System/Topology.h"
#include "lpu/compiler/Target/CountSchedule.h"
#include "lpu/compiler/Target/EmitProgram.h"
#include "lpu/isa/Files.h"
#include "lpu/isa/Legality.h"
#include "lpu/isa/Provenance.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Threading.h"
#include "mlir/Parser/Parser.h"

#include "llvm/Support/ThreadPool.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <utility>

namespace lpu::compiler {

namespace {

namespace fs = std::filesystem;

/// Attempts with partitions that fill chips well, after others were refused: each takes a mapping of the model.
constexpr int kMostUntried = 12;

class Driver {
public:
  explicit Driver(const DriverOptions &options)
      : options(options), context(makeRegistry(), mlir::MLIRContext::Threading::DISABLED), errors(&context) {
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
    auto begin = std::chrono::steady_clock::now();
    auto loaded = isa::loadMachine(options.pipeline.target);
    if (!loaded)
      return loaded.error();
    machine = std::move(*loaded);
    usable = machine.memoryBytes();
    if (!options.topology.empty()) // also where one chip needs none
      if (auto known = loadTopology(options.topology, 1, machine); !known)
        return known.error();
    if (Status read = readInput(); !read)
      return read.error();
    for (mlir::ModuleOp chipClass : llm::classModules(*module))
      if (Status same = checkMachine(chipClass, machine); !same)
        return Error{options.inputName, same.error().message};
    if (Status distinct = checkFiles(options, *module); !distinct)
      return distinct.error();
    if (Status prepared = prepare(); !prepared)
      return prepared.error();
    for (Status lowered = lower(); !lowered; lowered = lower())
      if (Status next = tryNext(lowered.error()); !next)
        return next.error();
    if (options.boundsOnly)
      return finishBounds(begin);
    if (options.compileTo != "lpx")
      return finishText(begin);
    options.progress("writing the program");
    auto program = emitProgram(*module, machine);
    if (!program)
      return Error{program.error().place.empty() ? options.inputName : program.error().place, program.error().message};
    if (Status legal = checkWords(*program); !legal)
      return legal.error();
    DriverResult result{seconds(begin), std::move(*program),  phases(), std::move(places), options.promptTokens,
                        calibration,    std::move(precisions)};
    if (!options.report.empty())
      result.counts = countSchedules(*module, machine);
    result.contextNote = std::move(contextNote);
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
  static double seconds(std::chrono::steady_clock::time_point begin) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }

  Status readInput() {
    options.progress("reading " + options.inputName);
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
      return {options.inputName, line};
    std::string place = line.substr(0, at);
    while (!place.empty() && (place.back() == ' ' || place.back() == ':'))
      place.pop_back();
    return {place.empty() ? options.inputName : place, line.substr(at + 7)};
  }

  Status measureRanges() {
    if (options.calibration.sequences.empty())
      return Ok{};
    options.progress("calibrating");
    auto summary = calibrate(*module, options.calibration, options.pipeline.precision);
    if (mlir::failed(summary))
      return failure();
    calibration = *summary;
    return Ok{};
  }

  /// Up to the llm stage: quantized, planned, and on as many chips as asked for.
  Status prepare() {
    bool isLLM = stageOf(*module) == Stage::LLM && !llm::isPartitioned(*module);
    if (!isLLM && (!options.partition.isEmpty() || !options.topology.empty()))
      return Error{
          options.inputName,
          "is past the stage at which a model is dealt over chips; start from the model, or from llm.mlir of one chip"};
    if (options.pipeline.batch > 1 && (!isLLM || isPlanned(*module)))
      return Error{options.inputName,
                   "has its steps already, and with them the users of each; give --batch where the model is compiled"};
    if (options.pipeline.maxContext && (!isLLM || isPlanned(*module)))
      return Error{options.inputName,
                   "has its steps already, and with them its context; give --max-context where the model is compiled"};
    if (options.pipeline.batch > 1 && llm::isEncoder(*module))
      return Error{options.inputName, "is an encoder, which takes one sequence at a time; leave out --batch"};
    if (!isLLM && (!options.steps.empty() || options.boundsOnly))
      return Error{options.inputName,
                   "is past the stage at which steps are chosen; give --steps and --bounds-only where "
                   "the model is compiled, or from llm.mlir of one chip"};
    if (!isLLM)
      return Ok{};
    if (!isPlanned(*module)) {
      if (Status done = measureRanges(); !done)
        return done;
      options.progress("quantizing");
      mlir::PassManager passes(&context);
      PipelineOptions planned = options.pipeline;
      planned.maxContext = llm::contextToPlan(*module, options.pipeline.maxContext);
      contextNote = noteOfContext(*module, options.pipeline.maxContext);
      if (!llm::isEncoder(*module))
        planned.maxTokens = static_cast<std::uint64_t>(stepTokens(machine, *module, std::nullopt, Chunks::All));
      addLLMPhase(passes, planned);
      if (mlir::failed(passes.run(*module)))
        return failure();
    }
    precisions = llm::precisionsOf(*module);
    planned = module->clone();
    if (auto tooLong = contextProblem(*planned, options, machine))
      return Error{options.inputName, *tooLong};
    return choose();
  }

  /// Deals the planned model over the chips of the most promising partition not tried yet.
  Status choose() {
    if (llm::isEncoder(*module)) { // on one chip: whole sequences leave no sums to share out in time
      const PartitionRequest &asked = options.partition;
      if (asked.chips > 1 || asked.tp > 1 || asked.pp > 1 || !options.topology.empty())
        return Error{options.inputName,
                     "is an encoder, which is compiled for one chip; leave out the options for several"};
      partition = Partition();
      return keepAsked();
    }
    if (options.partition.chips == 1 && options.partition.tp <= 1 && options.partition.pp <= 1) {
      partition = Partition();
      if (!dealLayers(modelSize(*planned), partition, machine, 2 * machine.memoryBytes()))
        return farTooLarge(); // not even with estimates that far off: nothing to compile
      return deal();
    }
    auto found = partitionsToTry(modelSize(*planned), options.partition, machine, usable);
    bool shares = found && llvm::any_of(*found, [&](const Partition &partition) { return sharesLayers(partition.tp); });
    if (!shares && options.partition.tp <= 1 && !sharesLayers(2))
      return Error{options.inputName,
                   fmt::format("a layer takes more than a chip of '{}' holds, and chips cannot share it: fp16 sums "
                               "have an order; choose --weight-type=int8, or --quant-config for some layers",
                               machine.name)};
    if (!found)
      return Error{options.inputName, found.error().message};
    // Groups of chips that cannot share a layer, and those whose gathered vectors the activation rows cannot hold, come
    // last: they are left for the error, if nothing else fits.
    llvm::stable_sort(*found, [&](const Partition &a, const Partition &b) {
      return std::pair(sharesLayers(a.tp), feedsAToken(a)) > std::pair(sharesLayers(b.tp), feedsAToken(b));
    });
    if (options.partition.fastest && !measured) {
      options.progress("compiling for the fastest partition");
      sortByCompilation(*found, *planned, machine, options.pipeline);
      errors.clear();
      measured = true;
    }
    partition = found->front();
    return deal();
  }

  /// The planned model on the chips of `partition`.
  Status deal() {
    if (std::int64_t users = modelSize(*planned).users, most = mostUsers(machine, *planned, partition);
        users > std::max<std::int64_t>(1, most))
      return Error{options.inputName,
                   fmt::format("a step takes the tokens of at most {} users here, not {}: machine '{}' has no room for "
                               "the activations of more; {}",
                               most, users, machine.name,
                               most > 1 ? fmt::format("take --batch={} or less", most) : "leave out --batch")};
    if (partition.chips() == 1) {
      module = replanned(*planned, stepTokens(machine, *planned, partition, programs()), programs());
      return module ? keepAsked() : failure();
    }
    options.progress(
        fmt::format("dealing the model over {} chips (tp {}, pp {})", partition.chips(), partition.tp, partition.pp));
    module = partitionModel(*planned, partition, machine, options.pipeline.target, programs());
    if (!module)
      return failure();
    auto placed = placeModel(*module, options.topology, machine);
    if (!placed)
      return placed.error();
    places = std::move(*placed);
    return keepAsked();
  }

  /// Of the planned steps those that --steps names. What a chip holds and how the model is dealt does not depend on it.
  Status keepAsked() {
    if (Status kept = keepSteps(*module, options.steps); !kept)
      return Error{options.inputName, kept.error().message};
    return dump(Stage::LLM);
  }

  Error farTooLarge() const {
    ModelSize size = modelSize(*planned);
    MemoryEstimate estimate = estimateMemory(size, partition, machine);
    std::int64_t bytes = estimate.stage.total() + size.layers * estimate.layer.total() + estimate.embedding.total() +
                         estimate.head.total();
    std::string message = fmt::format(
        "the model does not fit on one chip of '{}': weights, KV cache and activations need about {} bytes of {}",
        machine.name, bytes, machine.memoryBytes());
    if (auto enough = smallestPartition(size, machine, usable))
      message += fmt::format("; {} chips would do (--tp={} --pp={})", enough->chips(), enough->tp, enough->pp);
    return {options.inputName, message};
  }

  bool sharesLayers(std::int64_t shards) {
    auto [entry, isNew] = sharesByShards.try_emplace(shards);
    if (isNew)
      entry->second = canShare(*planned, shards);
    return entry->second;
  }

  bool feedsAToken(const Partition &partition) {
    auto [entry, isNew] = tokensByShards.try_emplace(partition.tp);
    if (isNew)
      entry->second = prefillTokens(machine, *planned, partition.tp);
    return entry->second > 0;
  }

  /// Flows and places, then instructions, as far as asked for.
  Status lower() {
    for (Stage stage : {Stage::Stream, Stage::Lpu}) {
      if (options.compileTo == stageName(Stage(static_cast<int>(stage) - 1)))
        break;
      if (stageOf(*module) >= stage)
        continue;
      options.progress(stage == Stage::Stream ? "mapping onto flows" : options.boundsOnly ? "bounding" : "scheduling");
      mlir::PassManager passes(&context);
      mlir::OpPassManager &nested = llm::isPartitioned(*module) ? passes.nest<mlir::ModuleOp>() : passes;
      if (stage == Stage::Stream)
        addStreamPhase(nested, options.pipeline);
      else if (options.boundsOnly)
        nested.addPass(createConvertStreamToLpu({options.pipeline.target, true}));
      else
        addLpuPhase(nested, options.pipeline);
      if (mlir::failed(passes.run(*module)))
        return failure();
      if (Status dumped = dump(stage); !dumped)
        return dumped;
    }
    return Ok{};
  }

  /// After an attempt failed: another partition, or the error.
  Status tryNext(Error error) {
    const std::optional<Shortage> shortage = shortageOf(*module);
    if (!planned || !shortage)
      return error;
    if (llm::isEncoder(*planned)) { // whatever more chips could hold
      error.message = error.message.substr(0, error.message.find("; at least")) + remedy();
      return error;
    }
    bool inChunks = modelSize(*planned).users == 1 && stepTokens(machine, *planned, partition, Chunks::All) >
                                                          stepTokens(machine, *planned, partition, Chunks::None);
    if (inChunks &&
        programs() != Chunks::None) { // fewer programs need less room for text, shorter steps for activations, too
      chunks = programs() == Chunks::All ? Chunks::Largest : Chunks::None;
      errors.clear();
      return deal();
    }
    if (!refusal && (options.partition.chips == 1 || *shortage != Shortage::Chip)) {
      error.message += partition.chips() == 1 ? remedy() : "; take a smaller --max-context";
      return error;
    }
    errors.clear();
    chunks = Chunks::All;
    tried.push_back(partition);
    if (!refusal && trustLess())
      return choose();
    // Less trust leaves out whatever fills a chip well. But free memory may be in pieces, which says nothing of
    // partitions that put other things on a chip.
    if (!refusal)
      refusal = explain(std::move(error));
    return tryUntried();
  }

  /// The estimates were too low: trusts them less, until another partition comes out of them.
  bool trustLess() {
    for (const Partition failed = partition; partition == failed;) {
      if (usable <= machine.memoryBytes() / 2)
        return false;
      usable -= machine.memoryBytes() / 50;
      auto found = partitionsToTry(modelSize(*planned), options.partition, machine, usable);
      if (!found)
        return false;
      partition = found->front();
    }
    return true;
  }

  /// The most promising partition that was not tried yet, with all memory trusted; else the error.
  Status tryUntried() {
    auto found = partitionsToTry(modelSize(*planned), options.partition, machine, machine.memoryBytes());
    if (found && untried++ < kMostUntried)
      for (const Partition &next : *found)
        if (sharesLayers(next.tp) && feedsAToken(next) && !llvm::is_contained(tried, next)) {
          partition = next;
          if (deal())
            return Ok{};
          errors.clear();
          tried.push_back(next);
        }
    return *refusal;
  }

  /// The error of a chip of the last partition, as one of the system.
  Error explain(Error error) const {
    error.message = fmt::format("{} chips (--tp={} --pp={}) do not hold the model: {}", partition.chips(), partition.tp,
                                partition.pp, error.message.substr(0, error.message.find("; at least")));
    if (auto enough = smallestPartition(modelSize(*planned), machine, usable);
        enough && enough->chips() > partition.chips())
      error.message += fmt::format("; {} chips would do (--tp={} --pp={})", enough->chips(), enough->tp, enough->pp);
    return error;
  }

  /// How much context would fit, as the end of an error message.
  std::string remedy() {
    options.progress("looking for the largest context that fits");
    FittingContext found = largestFittingContext(*planned, options.pipeline);
    if (found.context == 0)
      return "; no --max-context is small enough";
    return fmt::format("; {1} {0} (--max-context={0})", found.context,
                       found.isLargest ? "the largest context that fits is" : "a context that fits is");
  }

  std::vector<std::vector<std::vector<PhaseReport>>> phases() {
    std::vector<std::vector<std::vector<PhaseReport>>> all;
    for (mlir::ModuleOp chipClass : llm::classModules(*module)) {
      all.emplace_back();
      for (auto step : chipClass.getOps<timed::ProgramOp>())
        all.back().push_back(phasesOf(step));
    }
    return all;
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
    return writeFileAtomically(dumpPath(options, stage), text());
  }

  /// The last net before the file: the decoded words against the rules of the machine.
  Status checkWords(const isa::Program &program) {
    options.progress("checking the program");
    std::vector<isa::SystemLegality> reports(program.steps.size());
    mlir::parallelFor(&context, 0, reports.size(), [&](std::size_t i) { reports[i] = isa::checkSystem(program, i); });
    for (std::size_t i = 0; i < reports.size(); ++i) {
      auto illegal = [&](const isa::Finding &finding) {
        return Error{options.inputName, fmt::format("the compiler made an illegal program, please report it: {}: {}",
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

  /// The program and its report: both or neither.
  Status writeOutputs(const DriverResult &result) {
    if (!options.report.empty())
      if (Status written = writeFileAtomically(options.report, reportJson(result)); !written)
        return written;
    Status written = isa::writeProgram(result.program, options.output, options.provenance);
    if (!written && fs::is_regular_file(options.report))
      std::remove(options.report.c_str());
    return written;
  }

  /// The report of what is known without a schedule.
  Result<DriverResult> finishBounds(std::chrono::steady_clock::time_point begin) {
    auto program = emitBounds(*module, machine);
    if (!program)
      return Error{program.error().place.empty() ? options.inputName : program.error().place, program.error().message};
    DriverResult result{seconds(begin), std::move(*program),  phases(), std::move(places), options.promptTokens,
                        calibration,    std::move(precisions)};
    result.boundsOnly = true;
    result.contextNote = std::move(contextNote);
    if (Status written = writeFileAtomically(options.report, reportJson(result)); !written)
      return written.error();
    return result;
  }

  Result<DriverResult> finishText(std::chrono::steady_clock::time_point begin) {
    if (Status written = writeFileAtomically(options.output, text()); !written)
      return written.error();
    return DriverResult{seconds(begin), {}, {}, {}, 0, {}, {}, {}, false, std::move(contextNote)};
  }

  /// Programs of chunks take long to compile, several layers on a chip as many times as long: they get one.
  Chunks programs() {
    std::int64_t layers = partition.layers.empty()
                              ? modelSize(*planned).layers
                              : *std::max_element(partition.layers.begin(), partition.layers.end());
    return std::max(chunks, layers > 1 ? Chunks::Largest : Chunks::All);
  }

  const DriverOptions &options;
  std::unique_ptr<llvm::ThreadPoolInterface> pool; ///< of the context, if it has not its own
  std::string contextNote;
  mlir::MLIRContext context;
  OneLineErrors errors;
  isa::Machine machine;
  std::optional<CalibrationSummary> calibration;
  std::vector<llm::LinearPrecision> precisions;
  mlir::OwningOpRef<mlir::ModuleOp> module,
      planned;             ///< the latter: of stage llm for one chip, to deal and to look for what would fit
  Partition partition;     ///< of `module`
  std::int64_t usable = 0; ///< bytes of a chip that the planner may count on
  Places places;
  std::map<std::int64_t, std::int64_t> tokensByShards; ///< of the longest prefill step
  std::map<std::int64_t, bool> sharesByShards;         ///< whether so many chips can share a layer
  Chunks chunks = Chunks::All;                         ///< what has been tried so far needed more room
  std::vector<Partition> tried;                        ///< that did not fit
  std::optional<Error> refusal;                        ///< what there is to say if nothing else fits either
  int untried = 0;                                     ///< attempts after it
  bool measured = false;                               ///< partitions were compared by compilation
};

} // namespace

Result<DriverResult> compileFile(const DriverOptions &options) { return Driver(options).run(); }

} // namespace lpu::compiler
