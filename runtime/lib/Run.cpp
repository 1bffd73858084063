// The course of a run: read the input, plan and check everything that can be
// checked beforehand, run, and only then write files. A failure prints one line
// and leaves no file behind.
#include "lpu/rt/Run.h"

#include "Progress.h"
#include "RunSupport.h"
#include "lpu/rt/Encode.h"
#include "lpu/rt/Files.h"
#include "lpu/rt/Generate.h"
#include "lpu/rt/Loader.h"
#include "lpu/rt/RunReport.h"
#include "lpu/rt/Utf8.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <ostream>

namespace lpu::rt {
namespace {

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

class Run {
public:
  Run(const isa::Program &program, const RunOptions &options, const SimulatorFactory &create, const Terminal &terminal,
      Clock::time_point start, sim::Ranks *ranks)
      : program(program), options(options), create(create), terminal(terminal), start(start), ranks(ranks) {}

  int execute() {
    if (Status status = prepare(); !status)
      return fail(terminal, status.error());
    std::optional<PendingFile> trace;
    if (!options.trace.empty())
      trace.emplace(options.trace);
    auto simulator = create(program, {options.engine, options.mode, trace ? trace->temporary() : "", options.allChips,
                                      options.threads, ranks});
    if (!simulator)
      return fail(terminal, inProgram(simulator.error()));

    report.host.loadSeconds = secondsSince(start);
    Progress progress(terminal, options.progress, plannedSteps, program.machine.clockGHz);
    Session session(program, **simulator, options.mode, [&](const StepRecord &r) { progress.stepDone(r); });
    Status status = perplexityRun() ? scoreText(session) : generateText(session, progress);
    progress.clear();
    if (!status)
      return fail(terminal, inProgram(status.error()), session.violation() ? kViolation : kFailure);
    finishReport(session, **simulator);
    simulator->reset(); // closes the trace
    if (status = writeFiles(trace); !status)
      return fail(terminal, status.error());
    return conclude(session);
  }

private:
  bool perplexityRun() const { return !options.perplexity.empty(); }

  /// Names the program in an error that does not say which file it is about.
  Error inProgram(Error error) const {
    error.place =
        error.place.empty() || error.place == options.program ? options.program : options.program + ": " + error.place;
    return error;
  }

  /// Everything that can go wrong before the chip runs.
  Status prepare() {
    auto made = Tokenizer::create(program.tokenizer);
    if (!made)
      return inProgram(made.error());
    tokenizer = std::move(*made);
    for (const std::string *path : {&options.report, &options.logits, &options.trace})
      if (!path->empty())
        if (Status status = checkWritable(*path); !status)
          return status;
    return perplexityRun() ? prepareText() : preparePrompt();
  }

  Status preparePrompt() {
    auto ids = readPrompt();
    if (!ids)
      return ids.error();
    request.prompt = *ids;
    std::uint64_t limit = contextLimit(program), length = ids->size();
    request.count = options.count.value_or(length > limit ? 0 : std::min(kDefaultCount, limit - length + 1));
    request.sampling = options.sampling;
    request.stop = options.ignoreEos ? -1 : tokenizer->eos();
    auto plan = planSteps(program, length, request.count);
    if (!plan)
      return inProgram(plan.error());
    plannedSteps = plan->steps.size();
    return Ok{};
  }

  Result<std::vector<TokenId>> readPrompt() const {
    if (options.promptTokens) {
      const std::uint64_t limit = contextLimit(program); // more of them would only take memory
      return std::vector<TokenId>(std::min(*options.promptTokens, limit + 1), 0);
    }
    if (options.tokens) {
      for (std::size_t i = 0; i < options.tokens->size(); ++i)
        if (TokenId id = (*options.tokens)[i]; static_cast<std::uint32_t>(id) >= program.model.vocabulary)
          return inProgram(
              {"", fmt::format("token {} (number {} of --tokens) is outside of the vocabulary; ids run from 0 to {}",
                               id, i + 1, program.model.vocabulary - 1)});
      return *options.tokens;
    }
    std::string text = options.prompt.value_or("");
    if (options.promptFile) {
      auto content = readFile(*options.promptFile);
      if (!content)
        return content.error();
      text = *content;
    }
    auto ids = tokenizer->encodePrompt(text);
    return ids ? ids : Result<std::vector<TokenId>>(inProgram(ids.error()));
  }

  Status prepareText() {
    auto content = readFile(options.perplexity);
    if (!content)
      return content.error();
    auto ids = tokenizer->encode(*content);
    if (!ids)
      return inProgram(ids.error());
    if (ids->empty())
      return Error{options.perplexity, "the text has no tokens; give at least one word"};
    if (tokenizer->bos() < 0)
      return inProgram({"tokenizer", "--perplexity starts each window with a BOS token, and the vocabulary has none"});
    text = *ids;
    auto steps = countPerplexitySteps(program, text.size());
    if (!steps)
      return inProgram(steps.error());
    plannedSteps = *steps;
    return Ok{};
  }

  RowSink rowSink() {
    if (options.logits.empty())
      return {};
    return [this](std::span<const float> rows) { logits.insert(logits.end(), rows.begin(), rows.end()); };
  }

  Status scoreText(Session &session) {
    auto value = measurePerplexity(session, tokenizer->bos(), text, rowSink());
    if (!value)
      return value.error();
    report.perplexity = *value;
    return Ok{};
  }

  Status generateText(Session &session, Progress &progress) {
    Utf8Stream utf8;
    auto say = [&](const std::string &piece) {
      report.text += piece;
      terminal.out << piece << std::flush;
    };
    auto generation = generate(session, request, rowSink(), [&](TokenId id) {
      progress.textStarts();
      say(utf8.push(tokenizer->bytes(id)));
    });
    if (!generation)
      return generation.error();
    say(utf8.finish());
    if (terminal.outIsTerminal && !report.text.empty())
      terminal.out << std::endl;
    if (!terminal.out)
      return Error{"stdout", "cannot write the generated text; check where it is redirected to"};
    report.promptTokens = request.prompt;
    report.tokens = generation->tokens;
    if (generation->reachesToken)
      firstTokenStep = generation->firstTokenStep;
    return Ok{};
  }

  void finishReport(const Session &session, const sim::Simulator &simulator) {
    report.steps = session.records();
    report.chip = summarize(report.steps, firstTokenStep, program, false);
    report.withHost = summarize(report.steps, firstTokenStep, program, true);
    report.engine = options.engine == sim::Engine::Event ? "event" : "clocked";
    report.host.runSeconds = session.runSeconds();
    // Without values, memories hold constants alone, and not those of every chip.
    if (!options.report.empty() && (session.functional() || program.chips.size() == 1))
      report.memorySha256 = hex(simulator.memorySha256());
    report.hostSeconds = secondsSince(start);
    report.host.peakRssBytes = std::max(peakRssBytes(), simulator.largestRssBytes());
    report.host.threads = static_cast<unsigned>(options.threads);
    report.host.ranks = ranks ? static_cast<unsigned>(ranks->count()) : 1;
  }

  Status writeFiles(std::optional<PendingFile> &trace) {
    std::size_t columns = program.model.vocabulary;
    if (!options.logits.empty())
      if (Status s = writeFileAtomically(options.logits, npyBytes(logits, logits.size() / columns, columns)); !s)
        return s;
    if (!options.report.empty())
      if (Status s = writeFileAtomically(options.report, reportJson(report, program)); !s)
        return s;
    return trace ? trace->commit() : Status(Ok{});
  }

  int conclude(const Session &session) {
    terminal.err << reportTable(report, program) << std::flush;
    const StepRecord *wrong = session.firstMismatch();
    if (!wrong)
      return kSuccess;
    return fail(terminal,
                inProgram({"", fmt::format("program '{}' at position {} took {} cycles, {} were predicted; the program "
                                           "and this simulator disagree on the machine, compile the model again",
                                           program.steps[wrong->step.program].name, wrong->step.position,
                                           wrong->simulatedCycles, wrong->predictedCycles)}));
  }

  const isa::Program &program;
  const RunOptions &options;
  const SimulatorFactory &create;
  Terminal terminal;
  Clock::time_point start;
  sim::Ranks *ranks; ///< null: alone
  std::unique_ptr<Tokenizer> tokenizer;
  GenerateRequest request;
  std::vector<TokenId> text; ///< for perplexity
  std::size_t plannedSteps = 0;
  std::optional<std::size_t> firstTokenStep;
  std::vector<float> logits;
  RunReport report;
};

} // namespace

int runProgram(const isa::Program &program, const RunOptions &options, const SimulatorFactory &create,
               Terminal terminal) {
  return Run(program, options, create, terminal, Clock::now(), nullptr).execute();
}

namespace {

int runLoaded(const isa::Program &program, const RunOptions &options, const SimulatorFactory &create, Terminal terminal,
              Clock::time_point start, sim::Ranks *ranks) {
  const bool encodes = isEncoder(program);
  if (encodes != options.inputIds.has_value())
    return fail(terminal, {options.program, encodes ? "is an encoder; give its tokens by --input-ids"
                                                    : "is no encoder, which --input-ids is for; give --prompt or --tokens"});
  if (encodes)
    return encodeSequence(program, options, create, terminal);
  return Run(program, options, create, terminal, start, ranks).execute();
}

} // namespace

int runFile(const RunOptions &options, const SimulatorFactory &create, Terminal terminal, sim::Ranks *ranks) {
  const Clock::time_point start = Clock::now();
  auto program = loadProgram(options.program);
  if (ranks && ranks->rank() > 0)
    return program ? sim::serveRank(&*program, "", *ranks) : sim::serveRank(nullptr, program.error().str(), *ranks);
  const int code = program ? runLoaded(*program, options, create, terminal, start, ranks) : fail(terminal, program.error());
  if (ranks)
    sim::dismissRanks(*ranks, code);
  return code;
}

} // namespace lpu::rt
