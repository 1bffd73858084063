// The course of a run: read the input, plan and check everything that can be
// checked beforehand, run, and only then write files. A failure prints one line
// and leaves no file behind.
#include "lpu/rt/Run.h"

#include "Progress.h"
#include "Prompts.h"
#include "RunFiles.h"
#include "RunSupport.h"
#include "TokenList.h"
#include "lpu/isa/Files.h"
#include "lpu/isa/Npy.h"
#include "lpu/isa/Sha256.h"
#include "lpu/rt/Encode.h"
#include "lpu/rt/Generate.h"
#include "lpu/rt/Loader.h"
#include "lpu/rt/RunReport.h"

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
    SimulatorFiles files(options);
    sim::Options asked = files.options();
    asked.ranks = ranks;
    auto simulator = create(program, asked);
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
    if (status = writeFiles(files, std::move(*simulator)); !status)
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
    auto made = text::Tokenizer::create(program.tokenizer);
    if (!made)
      return inProgram(made.error());
    tokenizer = std::move(*made);
    for (const std::string *path : {&options.report, &options.logits, &options.trace, &options.vcd.path})
      if (!path->empty())
        if (Status status = checkWritable(*path); !status)
          return status;
    return perplexityRun() ? prepareText() : preparePrompt();
  }

  Status preparePrompt() {
    auto prompts = promptsOfUsers();
    if (!prompts)
      return inProgram(prompts.error());
    std::vector<GenerateRequest> requests;
    for (std::vector<TokenId> &ids : *prompts)
      requests.push_back(requestFor(std::move(ids)));
    auto steps = planRequests(program, requests);
    if (!steps)
      return inProgram(steps.error());
    plan = std::move(*steps);
    plannedSteps = plan.size();
    for (GenerateRequest &request : requests)
      sequences.emplace_back(std::move(request), tokenizer.get());
    return Ok{};
  }

  GenerateRequest requestFor(std::vector<TokenId> prompt) const {
    const std::uint64_t limit = contextLimit(program), length = prompt.size();
    GenerateRequest request{std::move(prompt), 0, options.sampling, {}, options.stops};
    request.count = options.count.value_or(length > limit ? 0 : std::min(kDefaultCount, limit - length + 1));
    if (!options.ignoreEos)
      request.endTokens = {tokenizer->endTokens().begin(), tokenizer->endTokens().end()};
    return request;
  }

  bool isBatch() const { return usersOf(program) > 1; }

  /// Of every user, in the order given.
  Result<std::vector<std::vector<TokenId>>> promptsOfUsers() const {
    if (options.promptTokens) {
      const std::uint64_t limit = contextLimit(program); // more of them would only take memory
      return std::vector(usersOf(program), std::vector<TokenId>(std::min(*options.promptTokens, limit + 1), 0));
    }
    auto prompts = readPrompts(options, *tokenizer);
    if (prompts)
      if (Status known = checkPrompts(*prompts, options, program, *tokenizer); !known)
        return known.error();
    return prompts;
  }

  Status prepareText() {
    if (isBatch())
      return inProgram(
          {"", fmt::format("--perplexity reads one text, and the program takes {} users at a time; compile the "
                           "model without --batch",
                           usersOf(program))});
    auto content = readText(options.perplexity);
    if (!content)
      return content.error();
    auto ids = tokenizer->encode(*content, {.special = options.special});
    if (!ids)
      return inProgram(ids.error());
    auto cut = cutText(program, std::move(*ids), bosOfWindows(*tokenizer), options.counting);
    if (!cut)
      return Error{options.perplexity, cut.error().message};
    report.scored = std::move(*cut);
    auto steps = countPerplexitySteps(program, *report.scored);
    if (!steps)
      return inProgram(steps.error());
    plannedSteps = *steps;
    return Ok{};
  }

  Status scoreText(Session &session) {
    RowSink keep = [this](std::span<const float> rows) { logits.insert(logits.end(), rows.begin(), rows.end()); };
    auto value = measurePerplexity(session, *report.scored, options.logits.empty() ? RowSink() : keep);
    if (!value)
      return value.error();
    report.perplexity = *value;
    return Ok{};
  }

  /// One user's text is written as it comes, that of several at the end, each under a heading.
  Status generateText(Session &session, Progress &progress) {
    std::vector<std::vector<float>> rows(sequences.size());
    const bool streams = sequences.size() == 1;
    auto take = [&](std::size_t user, const SequenceOutput &output) {
      if (!options.logits.empty())
        rows[user].insert(rows[user].end(), output.rows.begin(), output.rows.end());
      if (streams && output.token) {
        progress.textStarts();
        terminal.out << output.text << std::flush;
      }
    };
    if (Status status = generate(session, plan, sequences, take); !status)
      return status;
    for (const std::vector<float> &own : rows)
      logits.insert(logits.end(), own.begin(), own.end());
    for (std::size_t user = 0; user < sequences.size() && !streams && session.functional(); ++user)
      terminal.out << fmt::format("--- user {} ---\n{}\n", user, sequences[user].text()) << std::flush;
    if (terminal.outIsTerminal && streams && !sequences.front().text().empty())
      terminal.out << std::endl;
    if (!terminal.out)
      return Error{"stdout", "cannot write the generated text; check where it is redirected to"};
    return Ok{};
  }

  void summarizeUsers() {
    std::size_t yielded = 0, first = report.steps.size(), end = 0;
    for (const Sequence &sequence : sequences) {
      const GenerateRequest &request = sequence.request();
      UserReport &own = report.users.emplace_back();
      own.promptTokens = request.prompt;
      own.tokens = {sequence.tokens().begin(), sequence.tokens().end()};
      own.text = sequence.text();
      if (request.count > 0 && options.mode == sim::Mode::Functional)
        own.finish = sequence.finished();
      own.digest = sequence.digest();
      if (request.count == 0)
        continue;
      const std::size_t firstTokenStep = sequence.promptSteps() - 1;
      const std::span<const StepRecord> records = std::span(report.steps).first(sequence.steps());
      own.chip = summarize(records, firstTokenStep, program, false);
      own.withHost = summarize(records, firstTokenStep, program, true);
      yielded += sequence.steps() - firstTokenStep;
      first = std::min(first, firstTokenStep), end = std::max(end, sequence.steps());
    }
    report.isBatch = isBatch();
    double us = 0;
    for (std::size_t i = first; i < end; ++i)
      us += chipUs(report.steps[i], program.machine);
    if (us > 0)
      report.totalTokensPerSecond = static_cast<double>(yielded) * 1e6 / us;
  }

  void finishReport(const Session &session, const sim::Simulator &simulator) {
    report.steps = session.records();
    summarizeUsers();
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

  Status writeFiles(SimulatorFiles &files, std::unique_ptr<sim::Simulator> simulator) {
    std::size_t columns = program.model.vocabulary;
    if (!options.logits.empty())
      if (Status s = writeNpy(options.logits, logits, logits.size() / columns, columns); !s)
        return s;
    if (!options.report.empty())
      if (Status s = writeFileAtomically(options.report, reportJson(report, program)); !s)
        return s;
    return files.commit(std::move(simulator));
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
  std::unique_ptr<text::Tokenizer> tokenizer;
  std::vector<PlannedStep> plan;   ///< of generation
  std::vector<Sequence> sequences; ///< of each user
  std::size_t plannedSteps = 0;
  std::vector<float> logits;
  RunReport report;
};

} // namespace

int runProgram(const isa::Program &program, const RunOptions &options, const SimulatorFactory &create,
               Terminal terminal) {
  return Run(program, options, create, terminal, Clock::now(), nullptr).execute();
}

namespace {

/// --show-tokens: what the prompts are for the model, and nothing else.
int showTokens(const isa::Program &program, const RunOptions &options, Terminal terminal) {
  auto inProgram = [&](const Error &error) {
    return fail(terminal, error.place.empty() ? Error{options.program, error.message} : error);
  };
  auto tokenizer = text::Tokenizer::create(program.tokenizer);
  if (!tokenizer)
    return inProgram(tokenizer.error());
  auto prompts = readPrompts(options, **tokenizer);
  if (!prompts)
    return inProgram(prompts.error());
  // Tokens that only have no row in the embedding are shown: nothing is fed.
  const auto isUnknown = [&](TokenId id) {
    return (id < 0 || static_cast<std::uint32_t>(id) >= program.model.vocabulary) && (*tokenizer)->piece(id).empty();
  };
  if (std::ranges::any_of(*prompts, [&](const auto &ids) { return std::ranges::any_of(ids, isUnknown); }))
    return inProgram(checkPrompts(*prompts, options, program, **tokenizer).error());
  terminal.out << listTokens(*prompts, **tokenizer, options.showTokens) << std::flush;
  return terminal.out ? kSuccess : fail(terminal, {"stdout", "cannot be written; check where it is redirected to"});
}

int runLoaded(const isa::Program &program, const RunOptions &options, const SimulatorFactory &create, Terminal terminal,
              Clock::time_point start, sim::Ranks *ranks) {
  if (Status distinct = checkFiles(options); !distinct)
    return fail(terminal, distinct.error());
  if (options.showTokens != TokenListing::None)
    return showTokens(program, options, terminal);
  const bool encodes = isEncoder(program);
  if (encodes != options.inputIds.has_value())
    return fail(terminal,
                {options.program, encodes ? "is an encoder; give its tokens by --input-ids"
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
  const int code =
      program ? runLoaded(*program, options, create, terminal, start, ranks) : fail(terminal, program.error());
  if (ranks)
    sim::dismissRanks(*ranks, code);
  return code;
}

} // namespace lpu::rt
