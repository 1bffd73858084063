// Options are typed: CLI11 puts each value where it belongs, after a validator of ours has read it strictly (no octal,
// no hexadecimal, nothing behind a number), so that every mistake becomes one line with the option and what it accepts.
#include "lpu/rt/CommandLine.h"

#include "lpu/isa/Npy.h"
#include "lpu/text/Utf8.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <limits>
#include <ranges>

namespace lpu::rt {
namespace {

/// Lists of ids that may stand in files, read once everything else is right.
struct IdTexts {
  std::string inputs, types;
};

template <typename T> std::optional<T> parseNumber(std::string_view text) {
  T value{};
  auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  return code == std::errc{} && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

std::string expected(const std::string &wanted, const std::string &text) {
  return fmt::format("expected {}, not '{}'", wanted, text);
}

/// Passes the number on in the one spelling that CLI11 reads as it is meant.
template <typename T> CLI::Validator number(std::string wanted, std::function<bool(T)> isValid) {
  return {[wanted, isValid](std::string &text) {
            auto value = parseNumber<T>(text);
            if (!value || !isValid(*value))
              return expected(wanted, text);
            text = fmt::format("{}", *value);
            return std::string();
          },
          ""};
}

template <typename T> CLI::Validator whole(T least, T most = std::numeric_limits<T>::max()) {
  const bool isOpen = most == std::numeric_limits<T>::max();
  return number<T>(fmt::format("a whole number from {}{}", least, isOpen ? " on" : fmt::format(" to {}", most)),
                   [=](T value) { return value >= least && value <= most; });
}

CLI::Validator real(std::string wanted, std::function<bool(float)> isValid) {
  return number<float>(std::move(wanted), [isValid](float v) { return std::isfinite(v) && isValid(v); });
}

template <typename E> CLI::Validator choice(std::string wanted, std::vector<std::pair<std::string, E>> choices) {
  return {[=](std::string &text) {
            for (const auto &[name, value] : choices)
              if (text == name) {
                text = std::to_string(static_cast<int>(value));
                return std::string();
              }
            return expected(wanted, text);
          },
          ""};
}

CLI::Validator notEmpty(const char *wanted = "the name of a file") {
  return {[wanted](std::string &text) { return text.empty() ? expected(wanted, text) : std::string(); }, ""};
}

bool isUtf8(std::string_view text) {
  while (!text.empty()) {
    const text::Utf8Unit unit = text::nextUtf8(text);
    if (unit.kind != text::Utf8Unit::Kind::Character)
      return false;
    text.remove_prefix(unit.length);
  }
  return true;
}

std::vector<TokenId> parseIds(const std::string &text, const char *option) {
  std::vector<TokenId> ids;
  const CLI::ValidationError wrong(option,
                                   expected("token ids separated by commas, at least one (such as 1,403,407)", text));
  for (auto &&item : std::views::split(text, ',')) {
    auto id = parseNumber<TokenId>(CLI::detail::trim_copy(std::string(item.begin(), item.end())));
    if (!id || *id < 0)
      throw wrong;
    ids.push_back(*id);
  }
  if (ids.empty())
    throw wrong;
  return ids;
}

/// An option that may stand several times, a value each; values that look like options are values.
CLI::Option *each(CLI::App &app, const char *name, const char *type, std::function<void(const std::string &)> take,
                  const char *help) {
  return app.add_option_function<std::string>(name, std::move(take), help)->type_name(type)->trigger_on_parse();
}

void declareInput(CLI::App &app, RunOptions &o, IdTexts &ids) {
  const char *group = "What is fed";
  app.add_option("program", o.program, "compiled program")->type_name("OUT.lpx");
  each(
      app, "--prompt", "TEXT", [&o](const std::string &text) { o.prompt.push_back(text); },
      "text to continue, tokenized as the program's vocabulary says; again for each further user of a program "
      "compiled with --batch")
      ->group(group);
  each(
      app, "--prompt-file", "FILE", [&o](const std::string &path) { o.promptFile.push_back(path); },
      "the same from a file, to its last byte; - is standard input")
      ->group(group);
  each(
      app, "--tokens", "1,2,3", [&o](const std::string &list) { o.tokens.push_back(parseIds(list, "--tokens")); },
      "token ids to continue, fed as they are")
      ->group(group);
  app.add_flag(
         "--special", o.special,
         "special tokens that a text spells, such as <|im_start|>, become those tokens; without it they are text, "
         "which what users type should be")
      ->group(group);
  app.add_flag("--show-tokens", o.showTokens,
               "print the prompts' token ids and pieces, as --show-tokens=json for scripts, and run nothing")
      ->transform(choice<TokenListing>(
          "text or json", {{"true", TokenListing::Text}, {"text", TokenListing::Text}, {"json", TokenListing::Json}}))
      ->group(group);
  app.add_option("--prompt-tokens", o.promptTokens, "with --mode=timing: a prompt of N tokens, whatever they are")
      ->type_name("N")
      ->transform(whole<std::uint64_t>(1, std::uint64_t{1} << 32))
      ->group(group);
  app.add_option("--perplexity", o.perplexity, "perplexity of the file's text; generates nothing")
      ->type_name("FILE")
      ->check(notEmpty())
      ->group(group);
  app.add_option("--counting", o.counting,
                 "of --perplexity: all tokens of a window count, or those of its second half as in llama-perplexity "
                 "(default: all, but second-half for vocabularies without BOS if the text fills two windows)")
      ->type_name("all|second-half")
      ->transform(
          choice<Counting>("all or second-half", {{"all", Counting::All}, {"second-half", Counting::SecondHalf}}))
      ->group(group);
  app.add_option("--input-ids", ids.inputs, "encoders: token ids of a sequence, or a file of them")
      ->type_name("1,2,3|F.npy")
      ->group(group);
  app.add_option("--token-type-ids", ids.types, "encoders: a type for each token (default: zeros)")
      ->type_name("0,0,1|F.npy")
      ->group(group);
}

void declareGeneration(CLI::App &app, RunOptions &o) {
  const char *group = "What is generated";
  app.add_option("-n", o.count,
                 "tokens to generate, the last of which is not fed (default: 64, or what fits); 0 only feeds")
      ->type_name("N")
      ->transform(whole<std::uint64_t>(0))
      ->group(group);
  each(
      app, "--stop", "TEXT", [&o](const std::string &text) { o.stops.push_back(text); },
      "end before this text, wherever tokens begin and end; may stand several times, and the first that is met ends it")
      ->check(CLI::Validator(
          [](std::string &text) {
            return text.empty() || !isUtf8(text) ? expected("a text in UTF-8 of one character at least", text)
                                                 : std::string();
          },
          ""))
      ->group(group);
  app.add_flag("--ignore-eos", o.ignoreEos, "do not end at the vocabulary's end tokens")->group(group);
  app.add_option("--temperature", o.sampling.temperature, "0 takes the likeliest token each time (default)")
      ->type_name("T")
      ->transform(real("a number from 0 on", [](float v) { return v >= 0; }))
      ->group(group);
  app.add_option("--top-k", o.sampling.topK, "sample among the K likeliest (default: 0, all)")
      ->type_name("K")
      ->transform(whole<std::uint32_t>(0))
      ->group(group);
  app.add_option("--top-p", o.sampling.topP, "sample among the likeliest that cover P (default: 1, all)")
      ->type_name("P")
      ->transform(real("a number above 0 and up to 1", [](float v) { return v > 0 && v <= 1; }))
      ->group(group);
  app.add_option("--min-p", o.sampling.minP,
                 "sample among those at least P times as likely as the likeliest (default: 0, all)")
      ->type_name("P")
      ->transform(real("a number from 0 to 1", [](float v) { return v >= 0 && v <= 1; }))
      ->group(group);
  app.add_option("--repeat-penalty", o.sampling.repeatPenalty,
                 "make tokens less likely that are among the last ones: above 1; also without a temperature "
                 "(default: 1, off)")
      ->type_name("R")
      ->transform(real("a number above 0", [](float v) { return v > 0; }))
      ->group(group);
  app.add_option("--repeat-last-n", o.sampling.repeatLastN,
                 "how many last tokens --repeat-penalty looks at, the prompt's included (default: 64)")
      ->type_name("N")
      ->transform(whole<std::uint32_t>(0))
      ->group(group);
  app.add_option("--seed", o.sampling.seed, "of the random numbers (default: 0)")
      ->type_name("S")
      ->transform(whole<std::uint64_t>(0))
      ->group(group);
}

void declareSimulation(CLI::App &app, RunOptions &o) {
  const char *group = "How it is simulated";
  app.add_option("--mode", o.mode, "timing: same steps, no values, no tokens (default: functional)")
      ->type_name("functional|timing")
      ->transform(choice<sim::Mode>("functional or timing",
                                    {{"functional", sim::Mode::Functional}, {"timing", sim::Mode::Timing}}))
      ->group(group);
  app.add_option("--engine", o.engine, "simulator engine (default: event)")
      ->type_name("event|clocked")
      ->transform(
          choice<sim::Engine>("event or clocked", {{"event", sim::Engine::Event}, {"clocked", sim::Engine::Clocked}}))
      ->group(group);
  app.add_flag("--all-chips", o.allChips,
               "timing: simulate every chip, also where one could stand for several that behave alike")
      ->group(group);
  app.add_option("--threads", o.threads,
                 "host threads that run the chips of a system (default: 1); results are the same")
      ->type_name("N")
      ->transform(whole<int>(1, kMaxThreads))
      ->group(group);
  app.add_flag("--progress", o.progress, "show progress even if stderr is no terminal")->group(group);
}

void declareOutputs(CLI::App &app, RunOptions &o) {
  const char *group = "What is written";
  auto path = [&](const char *name, std::string &to, const char *type, const char *help) {
    app.add_option(name, to, help)->type_name(type)->check(notEmpty())->group(group);
  };
  auto cycle = [&](const char *name, isa::Cycle &to, const char *help) {
    app.add_option(name, to, help)->type_name("CYCLE")->transform(whole<isa::Cycle>(0))->group(group);
  };
  path("--report", o.report, "FILE.json", "the report");
  path("--logits", o.logits, "FILE.npy", "the logits of every position fed, float32");
  path("--output", o.outputDir, "DIR", "encoders: every output to DIR/NAME.npy; the folder is made if need be");
  app.add_option("--outputs", o.outputs, "")->check(notEmpty())->group(""); // its older spelling, for PREFIX.NAME.npy
  path("--trace", o.trace, "FILE", "a timeline for Perfetto: its protobuf to FILE.pftrace, else Chrome's JSON");
  path("--energy", o.energy, "NAME|FILE.yaml", "table that prices the power in a trace (default: gf14)");
  path("--vcd", o.vcd.path, "FILE.vcd", "waveforms of the queues, for GTKWave");
  cycle("--vcd-from", o.vcd.from, "first cycle of the run to write (default: 0)");
  cycle("--vcd-to", o.vcd.to, "last one (default: the end)");
  app.add_option("--vcd-streams", o.vcd.streams, "clocked engine: also these stream registers, stream@position")
      ->type_name("e4@-3,w0@5")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->group(group);
}

/// Token ids as text, or from a file of NumPy's.
Result<std::vector<TokenId>> readIds(const std::string &text, const char *option) {
  if (!text.ends_with(".npy"))
    return parseIds(text, option);
  auto numbers = readNpyNumbers(text);
  if (!numbers)
    return numbers.error();
  for (std::int64_t id : *numbers)
    if (id < 0 || id > std::numeric_limits<TokenId>::max())
      return Error{text, fmt::format("holds {}, which is no token id", id)};
  if (numbers->empty())
    return Error{text, "holds no token ids; give at least one"};
  return std::vector<TokenId>(numbers->begin(), numbers->end());
}

/// Reads what encoders are fed; the files stand in idFiles, so that no output replaces them.
Status readEncoderInput(const CLI::App &app, const IdTexts &texts, RunOptions &o) {
  auto read = [&](const char *option, const std::string &text, auto &to) -> Status {
    if (app.count(option) == 0)
      return Ok{};
    auto ids = readIds(text, option);
    if (!ids)
      return ids.error();
    to = *ids;
    if (text.ends_with(".npy"))
      o.idFiles.push_back(text);
    return Ok{};
  };
  if (Status status = read("--input-ids", texts.inputs, o.inputIds); !status)
    return status;
  return read("--token-type-ids", texts.types, o.tokenTypes);
}

/// Options that only make sense, or make none, with others. `given`: whether the command line has an option.
class Combinations {
public:
  Combinations(const CLI::App &app, const RunOptions &options) : app(app), o(options) {}

  Status check() const {
    for (Status status : {checkOutputs(), checkEncoder()})
      if (!status)
        return status;
    return o.inputIds ? Status(Ok{}) : checkPrompt();
  }

  /// Of options that have no effect, a line for each reason; empty: all have one.
  std::string warning() const {
    std::vector<std::string> notes;
    const auto idle = [&](std::initializer_list<const char *> names, const char *when) {
      std::vector<std::string> idle;
      std::ranges::copy_if(names, std::back_inserter(idle), [this](const char *name) { return given(name); });
      if (!idle.empty())
        notes.push_back(note(idle, when));
    };
    if (given("--perplexity")) {
      idle({"-n", "--stop", "--ignore-eos", "--temperature", "--top-k", "--top-p", "--min-p", "--repeat-penalty",
            "--repeat-last-n", "--seed"},
           "with --perplexity, which generates nothing");
    } else if (o.mode == sim::Mode::Timing) {
      idle({"--ignore-eos", "--temperature", "--top-k", "--top-p", "--min-p", "--repeat-penalty", "--repeat-last-n",
            "--seed"},
           "with --mode=timing, which has no values to pick tokens by");
    } else {
      if (o.sampling.temperature == 0)
        idle({"--top-k", "--top-p", "--min-p", "--seed"},
             "without a --temperature above 0, where the likeliest token is taken");
      if (!given("--repeat-penalty"))
        idle({"--repeat-last-n"}, "without --repeat-penalty");
    }
    if (!given("--prompt") && !given("--prompt-file") && !given("--perplexity"))
      idle({"--special"}, "without a text");
    return fmt::format("{}", fmt::join(notes, "\n"));
  }

private:
  bool given(const char *name) const { return app.count(name) > 0; }
  static Error usage(const char *message) { return {"lpu-run", message}; }
  static std::string note(const std::vector<std::string> &names, const char *when) {
    const std::size_t last = names.size() - 1;
    return fmt::format("lpu-run: note: {}{}{} no effect {}", fmt::join(names.begin(), names.begin() + last, ", "),
                       last ? " and " : "", names[last] + (last ? " have" : " has"), when);
  }

  Status checkOutputs() const {
    if ((given("--vcd-from") || given("--vcd-to") || given("--vcd-streams")) && !given("--vcd"))
      return usage("--vcd-from, --vcd-to and --vcd-streams choose what --vcd writes; give --vcd too");
    if (o.vcd.from > o.vcd.to)
      return usage("--vcd-from is behind --vcd-to; exchange them");
    if (given("--vcd-streams") && o.engine != sim::Engine::Clocked)
      return usage("--vcd-streams shows registers, which only --engine=clocked has");
    if (given("--energy") && !given("--trace"))
      return usage("--energy prices the power in a trace; give --trace too");
    if (o.program.empty())
      return usage("no program given; usage: lpu-run OUT.lpx --prompt TEXT (see --help)");
    return Ok{};
  }

  int sources() const {
    return given("--prompt") + given("--prompt-file") + given("--tokens") + given("--prompt-tokens");
  }

  Status checkEncoder() const {
    bool generates = sources() > 0;
    for (const char *name : {"-n", "--perplexity", "--logits", "--temperature", "--top-k", "--top-p", "--min-p",
                             "--seed", "--repeat-penalty", "--stop", "--special", "--show-tokens"})
      generates |= given(name);
    if (o.inputIds && generates)
      return usage("--input-ids is for encoders, and goes with --token-type-ids, --output, --engine, --mode, "
                   "--report and --trace alone");
    if (!o.inputIds && (given("--token-type-ids") || given("--output") || given("--outputs")))
      return usage("--token-type-ids and --output are for encoders; give --input-ids too");
    if (given("--output") && given("--outputs"))
      return usage("--output and --outputs exclude each other; give one of them");
    return Ok{};
  }

  Status checkPrompt() const {
    const bool scores = given("--perplexity");
    if (sources() > 1)
      return usage("--prompt, --prompt-file, --tokens and --prompt-tokens exclude each other; give one of them");
    if (sources() == 0 && !scores)
      return usage("nothing to run; give --prompt, --prompt-file, --tokens or --perplexity");
    if (sources() == 1 && scores)
      return usage("--perplexity generates nothing and takes no prompt; give one or the other");
    if (given("--counting") && !scores)
      return usage("--counting is about --perplexity; give --perplexity too");
    if (std::ranges::count(o.promptFile, "-") > 1)
      return usage("--prompt-file=- reads standard input, which can be read once; give it once");
    if (given("--show-tokens") && (scores || given("--prompt-tokens")))
      return usage("--show-tokens shows a prompt; give --prompt, --prompt-file or --tokens");
    if (given("--show-tokens") && (given("--report") || given("--logits") || given("--trace") || given("--vcd")))
      return usage("--show-tokens runs nothing, and --report, --logits, --trace and --vcd are of a run; leave out one "
                   "or the other");
    return checkMode(scores);
  }

  Status checkMode(bool scores) const {
    if (o.engine == sim::Engine::Clocked && o.threads > 1)
      return usage(
          "--engine=clocked moves all chips in step and has one thread; leave out --threads, or take --engine=event");
    if (o.mode == sim::Mode::Functional && given("--prompt-tokens"))
      return usage("--prompt-tokens names no ids to compute with; give --tokens, or --mode=timing");
    if (o.mode == sim::Mode::Timing && scores)
      return usage("--perplexity needs values; leave out --mode=timing");
    if (o.mode == sim::Mode::Timing && given("--logits"))
      return usage("--logits needs values; leave out --mode=timing");
    if (o.mode == sim::Mode::Timing && given("--stop"))
      return usage("--stop needs values; leave out --mode=timing");
    return Ok{};
  }

  const CLI::App &app;
  const RunOptions &o;
};

ParsedCommandLine usageError(const Error &error) { return {std::nullopt, {}, error.str(), 2, {}}; }

std::string oneLine(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

} // namespace

ParsedCommandLine parseCommandLine(int argc, const char *const *argv, const std::string &version) {
  CLI::App app{"Runs a compiled program on the simulated LPU: text to stdout, everything else to stderr.\n\n"
               "  lpu-run model.lpx --prompt \"Once upon a time\" -n 32\n"
               "  lpu-run model.lpx --prompt-file - --temperature 0.8 --top-p 0.95 --stop \"The end\" < story.txt\n"
               "  lpu-run model.lpx --prompt \"<|im_start|>user\" --special --show-tokens\n",
               "lpu-run"};
  RunOptions options;
  IdTexts ids;
  declareInput(app, options, ids);
  declareGeneration(app, options);
  declareSimulation(app, options);
  declareOutputs(app, options);
  app.set_version_flag("--version", version, "version, commit and instruction set");
  const Combinations combinations(app, options);
  try {
    app.parse(argc, argv);
    for (Status status : {readEncoderInput(app, ids, options), combinations.check()})
      if (!status)
        return usageError(status.error());
  } catch (const CLI::CallForHelp &) {
    return {std::nullopt, app.help(), {}, 0, {}};
  } catch (const CLI::CallForVersion &) {
    return {std::nullopt, version + "\n", {}, 0, {}};
  } catch (const CLI::ParseError &e) {
    return usageError({"lpu-run", oneLine(e.what()) + " (see --help)"});
  }
  return {options, {}, {}, 0, combinations.warning()};
}

} // namespace lpu::rt
