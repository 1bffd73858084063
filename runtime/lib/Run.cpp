// The course of a run: read the input, plan and check everything that can be
// checked beforehand, run, and only then write files. A failure prints one line
// and leaves no file behind.
#include "lpu/rt/Run.h"

#include "Progress.h"
#include "RunFiles.h"
#include "RunSupport.h"
#include "lpu/isa/Files.h"
#include "lpu/isa/Npy.h"
#include "lpu/rt/Encode.h"
#include "lpu/rt/Generate.h"
#include "lpu/rt/Loader.h"
#include "lpu/rt/RunReport.h"
#include "lpu/text/Utf8.h"

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
    simulator->reset(); // closes its files
    if (status = writeFiles(files); !status)
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
    auto prompts = readPrompts();
    if (!prompts)
      return prompts.error();
    for (std::vector<TokenId> &ids : *prompts) {
      std::uint64_t limit = contextLimit(program), length = ids.size();
      GenerateRequest &request = requests.emplace_back();
      request.prompt = std::move(ids);
      request.count = options.count.value_or(length > limit ? 0 : std::min(kDefaultCount, limit - length + 1));
      request.sampling = options.sampling;
      request.stop = options.ignoreEos ? -1 : tokenizer->eos();
    }
    if (isBatch() || requests.size() > 1) {
      auto steps = planTogether(program, requests);
      if (!steps)
        return inProgram(steps.error());
      plannedSteps = steps->size();
      return Ok{};
    }
    auto plan = planSteps(program, requests.front().prompt.size(), requests.front().count);
    if (!plan)
      return inProgram(plan.error());
    plannedSteps = plan->steps.size();
    return Ok{};
  }

  bool isBatch() const { return usersOf(program) > 1; }

  /// Of every user, in the order given.
  Result<std::vector<std::vector<TokenId>>> readPrompts() const {
    if (options.promptTokens) {
      const std::uint64_t limit = contextLimit(program); // more of them would only take memory
      return std::vector(usersOf(program), std::vector<TokenId>(std::min(*options.promptTokens, limit + 1), 0));
    }
    for (const std::vector<TokenId> &ids : options.tokens)
      for (std::size_t i = 0; i < ids.size(); ++i)
        if (static_cast<std::uint32_t>(ids[i]) >= program.model.vocabulary)
          return inProgram(
              {"", fmt::format("token {} (number {} of --tokens) is outside of the vocabulary; ids run from 0 to {}",
                               ids[i], i + 1, program.model.vocabulary - 1)});
    std::vector<std::vector<TokenId>> prompts = options.tokens;
    std::vector<std::string> texts = options.prompt;
    for (const std::string &path : options.promptFile) {
      auto content = readFile(path);
      if (!content)
        return content.error();
      texts.push_back(*content);
    }
    for (const std::string &text : texts) {
      auto ids = tokenizer->encodePrompt(text);
      if (!ids)
        return inProgram(ids.error());
      prompts.push_back(*ids);
    }
    return prompts;
  }

  Status prepareText() {
    if (isBatch())
      return inProgram(
          {"", fmt::format("--perplexity reads one text, and the program takes {} users at a time; compile the "
                           "model without --batch",
                           usersOf(program))});
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

  /// One user's text is written as it comes, that of several at the end, each under a heading.
  Status generateText(Session &session, Progress &progress) {
    std::vector<text::Utf8Stream> utf8(requests.size());
    report.users.resize(requests.size());
    auto say = [&](std::size_t user, const std::string &piece) {
      report.users[user].text += piece;
      if (requests.size() == 1)
        terminal.out << piece << std::flush;
    };
    auto take = [&](std::size_t user, TokenId id) {
      if (requests.size() == 1)
        progress.textStarts();
      say(user, utf8[user].push(tokenizer->bytes(id)));
    };
    if (Status status = isBatch() ? generateForAll(session, take) : generateForOne(session, take); !status)
      return status;
    for (std::size_t user = 0; user < requests.size(); ++user) {
      say(user, utf8[user].finish());
      if (requests.size() > 1 && session.functional())
        terminal.out << fmt::format("--- user {} ---\n{}\n", user, report.users[user].text) << std::flush;
    }
    if (terminal.outIsTerminal && requests.size() == 1 && !report.users.front().text.empty())
      terminal.out << std::endl;
    if (!terminal.out)
      return Error{"stdout", "cannot write the generated text; check where it is redirected to"};
    return Ok{};
  }

  Status generateForOne(Session &session, const UserTokenSink &take) {
    auto generation = generate(session, requests.front(), rowSink(), [&](TokenId id) { take(0, id); });
    if (!generation)
      return generation.error();
    generations = {*generation};
    return Ok{};
  }

  Status generateForAll(Session &session, const UserTokenSink &take) {
    std::vector<std::vector<float>> rows(requests.size());
    UserRowSink keep = [&](std::size_t user, std::span<const float> row) {
      rows[user].insert(rows[user].end(), row.begin(), row.end());
    };
    auto all = generateTogether(session, requests, options.logits.empty() ? UserRowSink() : keep, take);
    if (!all)
      return all.error();
    generations = *all;
    for (const std::vector<float> &own : rows)
      logits.insert(logits.end(), own.begin(), own.end());
    return Ok{};
  }

  void summarizeUsers() {
    std::size_t yielded = 0, first = report.steps.size(), end = 0;
    for (std::size_t user = 0; user < generations.size(); ++user) {
      const Generation &generation = generations[user];
      UserReport &own = report.users[user];
      own.promptTokens = requests[user].prompt;
      own.tokens = generation.tokens;
      if (!generation.reachesToken)
        continue;
      const std::span<const StepRecord> records = std::span(report.steps).first(generation.steps);
      own.chip = summarize(records, generation.firstTokenStep, program, false);
      own.withHost = summarize(records, generation.firstTokenStep, program, true);
      yielded += generation.steps - generation.firstTokenStep;
      first = std::min(first, generation.firstTokenStep), end = std::max(end, generation.steps);
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

  Status writeFiles(SimulatorFiles &files) {
    std::size_t columns = program.model.vocabulary;
    if (!options.logits.empty())
      if (Status s = writeNpy(options.logits, logits, logits.size() / columns, columns); !s)
        return s;
    if (!options.report.empty())
      if (Status s = writeFileAtomically(options.report, reportJson(report, program)); !s)
        return s;
    return files.commit();
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
  std::vector<GenerateRequest> requests; ///< of each user
  std::vector<Generation> generations;   ///< of each of them
  std::vector<TokenId> text;             ///< for perplexity
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

int runLoaded(const isa::Program &program, const RunOptions &options, const SimulatorFactory &create, Terminal terminal,
              Clock::time_point start, sim::Ranks *ranks) {
  if (Status distinct = checkFiles(options); !distinct)
    return fail(terminal, distinct.error());
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
