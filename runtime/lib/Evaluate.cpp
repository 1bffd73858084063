// The tools do the work, as separate processes: lpucc compiles each configuration
// and reports its size and cycles, lpu-interpret computes the float logits and, as
// the machine would bit for bit, the configuration's; lpu-run does the latter on
// the simulated chip when asked to. What is left here is the text's windows, cut as
// lpu-run --perplexity cuts them, and the comparison of logits.
#include "lpu/rt/Evaluate.h"

#include "ChildProcess.h"
#include "lpu/isa/Files.h"
#include "lpu/isa/Npy.h"
#include "lpu/rt/Loader.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace lpu::rt {
namespace {

/// log softmax of a row, in double.
std::vector<double> logProbabilities(std::span<const float> logits) {
  double largest = *std::max_element(logits.begin(), logits.end()), sum = 0;
  for (float z : logits)
    sum += std::exp(z - largest);
  std::vector<double> out;
  for (float z : logits)
    out.push_back(z - largest - std::log(sum));
  return out;
}

std::size_t best(std::span<const float> logits) {
  return static_cast<std::size_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

class Evaluator {
public:
  Evaluator(const EvaluateOptions &options, const std::string &tools,
            const std::function<void(const std::string &)> &progress, TemporaryFolder scratch)
      : options(options), tools(tools), progress(progress), scratch(std::move(scratch)) {}

  Result<Evaluation> run() {
    Evaluation out{options.model, options.text, {}, options.onSimulator, {}};
    for (const Precision &precision : options.precisions) {
      auto row = compile(precision);
      if (!row)
        return row.error();
      out.rows.push_back(std::move(*row));
    }
    progress("float");
    if (Status done = interpret({"--float"}, scratch / "float.npy"); !done)
      return done.error();
    for (std::size_t i = 0; i < out.rows.size(); ++i)
      if (Status done = score(out.rows[i], i); !done)
        return done.error();
    out.scored = std::move(text);
    return out;
  }

private:
  Status start(const char *tool, std::vector<std::string> arguments, const std::vector<std::string> &more = {}) {
    arguments.insert(arguments.begin(), tools + "/" + tool);
    arguments.insert(arguments.end(), more.begin(), more.end());
    return runChild(arguments, scratch);
  }

  std::vector<std::string> flags(const Precision &precision) const {
    std::vector<std::string> out = {"--weight-type=" + precision.weights, "--activation-type=" + precision.activations,
                                    "--kv-type=" + precision.kv};
    out.insert(out.end(), options.compilerFlags.begin(), options.compilerFlags.end());
    return out;
  }

  std::string programPath(std::size_t index) const { return scratch / fmt::format("{}.lpx", index); }

  Result<EvaluationRow> compile(const Precision &precision) {
    progress("compiling " + precision.str());
    std::string report = scratch / "report.json", program = programPath(compiled++);
    if (Status done = start("lpucc", {options.model, "-o", program, "--report=" + report}, flags(precision)); !done)
      return done.error();
    auto loaded = loadProgram(program);
    if (!loaded)
      return loaded.error();
    if (text.windows.empty())
      if (Status cut = readWindows(*loaded); !cut)
        return cut.error();
    EvaluationRow row{precision, {}, 0, 0, 0, 0};
    auto written = readFile(report);
    auto json = written ? nlohmann::json::parse(*written, nullptr, false) : nlohmann::json();
    row.weightsBytes = json.value("/memory/weights_bytes"_json_pointer, std::int64_t{0});
    row.chips = json.value("chips", std::int64_t{1});
    row.cyclesPerToken = decodeCycles(*loaded);
    row.tokensPerSecond = loaded->machine.clockGHz * 1e9 / row.cyclesPerToken;
    return row;
  }

  /// The text's windows, and a file of the tokens that are fed for the interpreter.
  Status readWindows(const isa::Program &program) {
    auto tokenizer = text::Tokenizer::create(program.tokenizer);
    if (!tokenizer)
      return Error{options.model, tokenizer.error().message};
    auto content = readFile(options.text);
    if (!content)
      return content.error();
    auto ids = (*tokenizer)->encode(*content);
    if (!ids)
      return ids.error();
    if (options.maxTokens && ids->size() > options.maxTokens)
      ids->resize(options.maxTokens);
    auto cut = cutText(program, std::move(*ids), bosOfWindows(**tokenizer), options.counting);
    if (!cut)
      return Error{options.text, cut.error().message};
    text = std::move(*cut);
    std::string lines;
    for (const TextWindow &window : text.windows)
      lines += fmt::format("{}\n", fmt::join(window.tokens.begin(), window.tokens.end() - 1, " "));
    return writeFileAtomically(scratch / "tokens", lines);
  }

  /// Mean over the positions of the text, each in the smallest decode program that holds it.
  double decodeCycles(const isa::Program &program) const {
    double cycles = 0, positions = 0;
    for (const TextWindow &window : text.windows)
      for (std::size_t position = 0; position + 1 < window.tokens.size(); ++position, ++positions) {
        const isa::SystemStep *smallest = nullptr;
        for (const isa::SystemStep &step : program.steps)
          if (step.kind == isa::StepKind::Decode && step.context > position &&
              (!smallest || step.context < smallest->context))
            smallest = &step;
        cycles += smallest ? static_cast<double>(smallest->predictedCycles) : std::numeric_limits<double>::quiet_NaN();
      }
    return cycles / positions;
  }

  Status interpret(const std::vector<std::string> &flags, const std::string &logits) {
    return start("lpu-interpret", {options.model, "--tokens-file=" + (scratch / "tokens"), "--logits=" + logits},
                 flags);
  }

  /// On the chip a sequence is a run of its own.
  Status simulate(const std::string &program, std::vector<std::string> &logits) {
    for (const TextWindow &window : text.windows) {
      logits.push_back(scratch / fmt::format("window{}.npy", logits.size()));
      std::string tokens = fmt::format("--tokens={}", fmt::join(window.tokens.begin(), window.tokens.end() - 1, ","));
      if (Status done = start("lpu-run", {program, tokens, "-n", "0", "--logits=" + logits.back()}); !done)
        return done;
    }
    return Ok{};
  }

  Status score(EvaluationRow &row, std::size_t index) {
    progress(fmt::format("{} on the {}", row.precision.str(), options.onSimulator ? "simulator" : "interpreter"));
    std::vector<std::string> files = {scratch / "own.npy"};
    Status done = Ok{};
    if (options.onSimulator) {
      files.clear();
      done = simulate(programPath(index), files);
    } else {
      done = interpret(flags(row.precision), files[0]);
    }
    return done ? compare(files, row.quality) : done;
  }

  /// `files` hold the logits of all windows, one file or one each.
  Status compare(const std::vector<std::string> &files, Comparison &quality) {
    auto reference = NpyRows::open(scratch / "float.npy");
    if (!reference)
      return reference.error();
    std::optional<NpyRows> own;
    std::vector<float> expected, actual;
    for (std::size_t w = 0; w < text.windows.size(); ++w) {
      if (w < files.size()) {
        auto opened = NpyRows::open(files[w]);
        if (!opened)
          return opened.error();
        own = std::move(*opened);
      }
      const TextWindow &window = text.windows[w];
      for (std::size_t i = 0; i + 1 < window.tokens.size(); ++i) {
        for (Status read : {reference->next(expected), own->next(actual)})
          if (!read)
            return read;
        if (i + 1 >= window.firstCounted)
          quality.add(expected, actual, window.tokens[i + 1]);
      }
    }
    return Ok{};
  }

  const EvaluateOptions &options;
  std::string tools;
  const std::function<void(const std::string &)> &progress;
  TemporaryFolder scratch;
  TextWindows text;
  std::size_t compiled = 0;
};

} // namespace

Result<std::vector<Precision>> parsePrecisions(const std::string &text) {
  std::vector<Precision> out;
  for (std::size_t at = 0; at <= text.size();) {
    std::size_t end = std::min(text.find(',', at), text.size());
    std::string item = text.substr(at, end - at);
    std::size_t first = item.find('/'), second = item.find('/', first == std::string::npos ? first : first + 1);
    bool whole =
        first != std::string::npos && second != std::string::npos && item.find('/', second + 1) == std::string::npos;
    Precision p =
        whole ? Precision{item.substr(0, first), item.substr(first + 1, second - first - 1), item.substr(second + 1)}
              : Precision{};
    if (p.weights.empty() || p.activations.empty() || p.kv.empty())
      return Error{"lpu-eval", "--config '" + item + "': expected WEIGHTS/ACTIVATIONS/KV, such as int8/a16/int16"};
    out.push_back(p);
    at = end + 1;
  }
  return out;
}

void Comparison::add(std::span<const float> expected, std::span<const float> logits, TokenId actual) {
  own.add(logits, actual);
  reference.add(expected, actual);
  std::vector<double> p = logProbabilities(expected), q = logProbabilities(logits);
  for (std::size_t i = 0; i < p.size(); ++i)
    klSum += std::exp(p[i]) * (p[i] - q[i]);
  agreeing += best(expected) == best(logits);
}

double Comparison::divergence() const { return klSum / static_cast<double>(own.tokens()); }
double Comparison::top1Agreement() const { return static_cast<double>(agreeing) / static_cast<double>(own.tokens()); }

Result<Evaluation> evaluate(const EvaluateOptions &options, const std::string &toolFolder,
                            const std::function<void(const std::string &)> &progress) {
  if (!options.report.empty())
    if (Status writable = checkWritable(options.report); !writable)
      return writable.error();
  auto scratch = TemporaryFolder::create("lpu-eval");
  if (!scratch)
    return scratch.error();
  return Evaluator(options, toolFolder, progress, std::move(*scratch)).run();
}

} // namespace lpu::rt
