// Option parsing on CLI11, with every value taken as text and converted here, so
// that each mistake becomes one line naming the option and what it accepts.
#include "lpu/rt/CommandLine.h"

#include "lpu/isa/Files.h"
#include "lpu/isa/Npy.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <limits>

namespace lpu::rt {
namespace {

/// Option values as written; an option not given stays empty (nullopt).
struct Texts {
  std::string program;
  std::vector<std::string> prompt, promptFile, tokens;
  std::optional<std::string> promptTokens, count, temperature, topK, topP, seed, engine, mode, report, logits, trace,
      perplexity, energy, vcd, vcdFrom, vcdTo, vcdStreams, threads, inputIds, tokenTypes, outputDir, outputs;
  bool ignoreEos = false, allChips = false, progress = false;
};

void declare(CLI::App &app, Texts &t) {
  auto text = [&](const char *name, std::optional<std::string> &to, const char *type, const char *help) {
    app.add_option_function<std::string>(
           name, [&to](const std::string &v) { to = v; }, help)
        ->type_name(type);
  };
  app.add_option("program", t.program, "compiled program")->type_name("OUT.lpx");
  auto texts = [&](const char *name, std::vector<std::string> &to, const char *type, const char *help) {
    app.add_option_function<std::string>(
           name, [&to](const std::string &v) { to.push_back(v); }, help)
        ->type_name(type)
        ->trigger_on_parse();
  };
  texts("--prompt", t.prompt, "TEXT",
        "text to continue, tokenized as the program's vocabulary says; again for each further user of a program "
        "compiled with --batch");
  texts("--prompt-file", t.promptFile, "FILE", "the same from a file");
  texts("--tokens", t.tokens, "1,2,3", "token ids to continue, fed as they are");
  text("--prompt-tokens", t.promptTokens, "N", "with --mode=timing: a prompt of N tokens, whatever they are");
  text("--input-ids", t.inputIds, "1,2,3|F.npy", "encoders: token ids of a sequence, or a file of them");
  text("--token-type-ids", t.tokenTypes, "0,0,1|F.npy", "encoders: a type for each token (default: zeros)");
  text("--output", t.outputDir, "DIR", "encoders: write every output to DIR/NAME.npy; the folder is made if need be");
  app.add_option_function<std::string>(
         "--outputs", [&t](const std::string &v) { t.outputs = v; }, "")
      ->group(""); // its older spelling, for PREFIX.NAME.npy
  text("-n", t.count, "N",
       "tokens to generate, the last of which is not fed (default: 64, or what fits); 0 only feeds");
  text("--temperature", t.temperature, "T", "0 is greedy (default)");
  text("--top-k", t.topK, "K", "sample among the K likeliest (default: 0, all)");
  text("--top-p", t.topP, "P", "sample among the likeliest that cover P (default: 1, all)");
  text("--seed", t.seed, "S", "of the random numbers (default: 0)");
  app.add_flag("--ignore-eos", t.ignoreEos, "do not stop at the end-of-sequence token");
  text("--engine", t.engine, "event|clocked", "simulator engine (default: event)");
  text("--mode", t.mode, "functional|timing", "timing: same steps, no values, no tokens (default: functional)");
  app.add_flag("--all-chips", t.allChips,
               "timing: simulate every chip, also where one could stand for several that behave alike");
  text("--threads", t.threads, "N", "host threads that run the chips of a system (default: 1); results are the same");
  app.add_flag("--progress", t.progress, "show progress even if stderr is no terminal");
  text("--report", t.report, "FILE.json", "write the report");
  text("--logits", t.logits, "FILE.npy", "write the logits of every position fed, float32");
  text("--trace", t.trace, "FILE", "write a timeline for Perfetto: its protobuf to FILE.pftrace, else Chrome's JSON");
  text("--energy", t.energy, "NAME|FILE.yaml", "table that prices the power in a trace (default: gf14)");
  text("--vcd", t.vcd, "FILE.vcd", "write waveforms of the queues, for GTKWave");
  text("--vcd-from", t.vcdFrom, "CYCLE", "first cycle of the run to write (default: 0)");
  text("--vcd-to", t.vcdTo, "CYCLE", "last one (default: the end)");
  text("--vcd-streams", t.vcdStreams, "e4@-3,w0@5", "clocked engine: also these stream registers, stream@position");
  text("--perplexity", t.perplexity, "FILE", "perplexity of the file's text; generates nothing");
}

template <typename T> std::optional<T> parseNumber(std::string_view text) {
  T value{};
  auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  return code == std::errc{} && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

Error bad(const char *option, const std::string &value, const char *wanted) {
  return {"lpu-run", fmt::format("{} '{}': expected {}", option, value, wanted)};
}

template <typename T, typename Check>
Status readNumber(const std::optional<std::string> &text, const char *option, const char *wanted, T &to, Check valid) {
  if (!text)
    return Ok{};
  auto value = parseNumber<T>(*text);
  if (!value || !valid(*value))
    return bad(option, *text, wanted);
  to = *value;
  return Ok{};
}

Result<std::vector<TokenId>> readTokens(const std::string &text, const char *option = "--tokens") {
  std::vector<TokenId> ids;
  for (std::size_t at = 0; at <= text.size();) {
    std::size_t end = std::min(text.find(',', at), text.size());
    std::string_view item = std::string_view(text).substr(at, end - at);
    while (item.starts_with(' '))
      item.remove_prefix(1);
    while (item.ends_with(' '))
      item.remove_suffix(1);
    auto id = parseNumber<TokenId>(item);
    if (!id || *id < 0)
      return bad(option, text, "token ids separated by commas, at least one (such as 1,403,407)");
    ids.push_back(*id);
    at = end + 1;
  }
  return ids;
}

/// Token ids as text, or from a file of NumPy's.
Result<std::vector<TokenId>> readIds(const std::string &text, const char *option) {
  if (!text.ends_with(".npy"))
    return readTokens(text, option);
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

template <typename E>
Status readChoice(const std::optional<std::string> &text, const char *option, const char *wanted,
                  std::initializer_list<std::pair<const char *, E>> choices, E &to) {
  if (!text)
    return Ok{};
  for (auto [name, value] : choices)
    if (*text == name) {
      to = value;
      return Ok{};
    }
  return bad(option, *text, wanted);
}

Status readPath(const std::optional<std::string> &text, const char *option, std::string &to) {
  if (text && text->empty())
    return bad(option, "", "the name of a file");
  to = text.value_or("");
  return Ok{};
}

Status checkCombination(const Texts &t, const RunOptions &o) {
  int sources = !t.prompt.empty() + !t.promptFile.empty() + !t.tokens.empty() + t.promptTokens.has_value();
  auto usage = [](const char *message) { return Error{"lpu-run", message}; };
  if ((t.vcdFrom || t.vcdTo || t.vcdStreams) && o.vcd.path.empty())
    return usage("--vcd-from, --vcd-to and --vcd-streams choose what --vcd writes; give --vcd too");
  if (o.vcd.from > o.vcd.to)
    return usage("--vcd-from is behind --vcd-to; exchange them");
  if (t.vcdStreams && o.engine != sim::Engine::Clocked)
    return usage("--vcd-streams shows registers, which only --engine=clocked has");
  if (t.energy && o.trace.empty())
    return usage("--energy prices the power in a trace; give --trace too");
  if (t.program.empty())
    return usage("no program given; usage: lpu-run OUT.lpx --prompt TEXT (see --help)");
  if (t.inputIds && (sources > 0 || t.count || !o.perplexity.empty() || !o.logits.empty() || t.temperature || t.topK ||
                     t.topP || t.seed))
    return usage("--input-ids is for encoders, and goes with --token-type-ids, --output, --engine, --mode, "
                 "--report and --trace alone");
  if (!t.inputIds && (t.tokenTypes || t.outputDir || t.outputs))
    return usage("--token-type-ids and --output are for encoders; give --input-ids too");
  if (t.outputDir && t.outputs)
    return usage("--output and --outputs exclude each other; give one of them");
  if (t.inputIds)
    return Ok{};
  if (sources > 1)
    return usage("--prompt, --prompt-file, --tokens and --prompt-tokens exclude each other; give one of them");
  if (sources == 0 && o.perplexity.empty())
    return usage("nothing to run; give --prompt, --prompt-file, --tokens or --perplexity");
  if (sources == 1 && !o.perplexity.empty())
    return usage("--perplexity generates nothing and takes no prompt; give one or the other");
  if (o.engine == sim::Engine::Clocked && o.threads > 1)
    return usage(
        "--engine=clocked moves all chips in step and has one thread; leave out --threads, or take --engine=event");
  if (o.mode == sim::Mode::Functional && t.promptTokens)
    return usage("--prompt-tokens names no ids to compute with; give --tokens, or --mode=timing");
  if (o.mode == sim::Mode::Timing && !o.perplexity.empty())
    return usage("--perplexity needs values; leave out --mode=timing");
  if (o.mode == sim::Mode::Timing && !o.logits.empty())
    return usage("--logits needs values; leave out --mode=timing");
  return Ok{};
}

Result<RunOptions> convert(const Texts &t) {
  RunOptions o;
  o.program = t.program;
  o.prompt = t.prompt;
  o.promptFile = t.promptFile;
  o.ignoreEos = t.ignoreEos;
  o.allChips = t.allChips;
  o.progress = t.progress;
  std::uint64_t count = 0, promptTokens = 0;
  auto any = [](auto) { return true; };
  std::initializer_list<Status> results = {
      readNumber(t.count, "-n", "a whole number from 0 on", count, any),
      readNumber(t.promptTokens, "--prompt-tokens", "a whole number from 1 to 2^32", promptTokens,
                 [](std::uint64_t v) { return v > 0 && v <= std::uint64_t{1} << 32; }),
      readNumber(t.temperature, "--temperature", "a number from 0 on", o.sampling.temperature,
                 [](float v) { return std::isfinite(v) && v >= 0; }),
      readNumber(t.topK, "--top-k", "a whole number from 0 on", o.sampling.topK, any),
      readNumber(t.topP, "--top-p", "a number above 0 and up to 1", o.sampling.topP,
                 [](float v) { return v > 0 && v <= 1; }),
      readNumber(t.seed, "--seed", "a whole number from 0 to 2^64 - 1", o.sampling.seed, any),
      readNumber(t.threads, "--threads", "a whole number from 1 to 1024", o.threads,
                 [](int v) { return v >= 1 && v <= kMaxThreads; }),
      readChoice(t.engine, "--engine", "event or clocked",
                 {std::pair{"event", sim::Engine::Event}, {"clocked", sim::Engine::Clocked}}, o.engine),
      readChoice(t.mode, "--mode", "functional or timing",
                 {std::pair{"functional", sim::Mode::Functional}, {"timing", sim::Mode::Timing}}, o.mode),
      readPath(t.report, "--report", o.report),
      readPath(t.logits, "--logits", o.logits),
      readPath(t.trace, "--trace", o.trace),
      readPath(t.perplexity, "--perplexity", o.perplexity),
      readPath(t.vcd, "--vcd", o.vcd.path),
      readNumber(t.vcdFrom, "--vcd-from", "a whole number from 0 on", o.vcd.from, [](isa::Cycle v) { return v >= 0; }),
      readNumber(t.vcdTo, "--vcd-to", "a whole number from 0 on", o.vcd.to, [](isa::Cycle v) { return v >= 0; }),
      t.energy ? readPath(t.energy, "--energy", o.energy) : Status(Ok{}),
      readPath(t.outputDir, "--output", o.outputDir),
      readPath(t.outputs, "--outputs", o.outputs),
  };
  for (const Status &status : results)
    if (!status)
      return status.error();
  for (std::size_t from = 0; t.vcdStreams && from <= t.vcdStreams->size();) {
    const std::size_t end = std::min(t.vcdStreams->find(',', from), t.vcdStreams->size());
    o.vcd.streams.push_back(t.vcdStreams->substr(from, end - from));
    from = end + 1;
  }
  if (t.count)
    o.count = count;
  if (t.promptTokens)
    o.promptTokens = promptTokens;
  for (const std::string &list : t.tokens) {
    auto ids = readTokens(list);
    if (!ids)
      return ids.error();
    o.tokens.push_back(*ids);
  }
  if (t.inputIds) {
    auto ids = readIds(*t.inputIds, "--input-ids");
    if (!ids)
      return ids.error();
    o.inputIds = *ids;
  }
  for (const auto &ids : {t.inputIds, t.tokenTypes})
    if (ids && ids->ends_with(".npy"))
      o.idFiles.push_back(*ids);
  if (t.tokenTypes) {
    auto types = readIds(*t.tokenTypes, "--token-type-ids");
    if (!types)
      return types.error();
    o.tokenTypes = *types;
  }
  if (Status status = checkCombination(t, o); !status)
    return status.error();
  return o;
}

ParsedCommandLine usageError(const Error &error) { return {std::nullopt, {}, error.str(), 2}; }

std::string oneLine(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

} // namespace

ParsedCommandLine parseCommandLine(int argc, const char *const *argv, const std::string &version) {
  CLI::App app{"Runs a compiled program on the simulated LPU: text to stdout, everything else to stderr.", "lpu-run"};
  Texts texts;
  declare(app, texts);
  app.set_version_flag("--version", version, "version, commit and instruction set");
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp &) {
    return {std::nullopt, app.help(), {}, 0};
  } catch (const CLI::CallForVersion &) {
    return {std::nullopt, version + "\n", {}, 0};
  } catch (const CLI::ParseError &e) {
    return usageError({"lpu-run", oneLine(e.what()) + " (see --help)"});
  }
  auto options = convert(texts);
  if (!options)
    return usageError(options.error());
  return {*options, {}, {}, 0};
}

} // namespace lpu::rt
