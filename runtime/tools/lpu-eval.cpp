// lpu-eval: command line of the evaluation; the work is in lpu/rt/Evaluate.h.
#include "lpu/isa/FileUses.h"
#include "lpu/isa/Files.h"
#include "lpu/isa/Version.h"
#include "lpu/rt/Evaluate.h"

#include <CLI/CLI.hpp>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <limits>
#include <unistd.h>

using namespace lpu;

namespace {

struct CommandLine {
  rt::EvaluateOptions options;
  std::vector<isa::FileUse> reads;
  int exitCode = -1; ///< not negative: leave with it
};

int usage(const std::string &line) {
  std::fprintf(stderr, "%s; see lpu-eval --help\n", line.c_str());
  return 2;
}

CommandLine parse(int argc, char **argv) {
  CommandLine out;
  std::string config = "int8/a16/int16", on = "interpreter";
  CLI::App app("Compares compiled configurations of a model with float on a text: quality, memory, chips, cycles.\n\n"
               "  lpu-eval model.gguf --text=story.txt --config=int8/a16/int16,int8-group/a16/int16\n",
               "lpu-eval");
  app.add_option("model", out.options.model, "model, as lpucc takes it")->required();
  app.add_option("--text", out.options.text, "text to predict, UTF-8")->required();
  app.add_option("--config", config,
                 "WEIGHTS/ACTIVATIONS/KV[,...] in the words of lpucc's --weight-type, --activation-type, --kv-type")
      ->capture_default_str();
  app.add_option("--on", on,
                 "where values come from: the reference interpreter, or the simulated chip, which gives the same bits")
      ->check(CLI::IsMember({"interpreter", "simulator"}))
      ->capture_default_str();
  app.add_option("--report", out.options.report, "write the table as JSON");
  app.add_option("--max-tokens", out.options.maxTokens, "use only the first so many tokens of the text (default: all)")
      ->check(CLI::Range(std::int64_t{1}, std::numeric_limits<std::int64_t>::max()));
  app.add_option_function<std::string>(
         "--counting",
         [&out](const std::string &value) {
           out.options.counting = value == "all" ? rt::Counting::All : rt::Counting::SecondHalf;
         },
         "all tokens of a window count, or those of its second half as in llama-perplexity (default: all, but "
         "second-half for vocabularies without BOS if the text fills two windows)")
      ->check(CLI::IsMember({"all", "second-half"}));
  for (const char *name : {"--target", "--max-context", "--chips", "--tp", "--pp", "--calibration",
                           "--calibration-method", "--rounding", "--quant-config"})
    app.add_option_function<std::string>(
        name,
        [&out, name](const std::string &value) {
          isa::addUse(out.reads, name, value); // a number is no file's name, and does no harm
          out.options.compilerFlags.push_back(std::string(name) + "=" + value);
        },
        "as in lpucc");
  app.set_version_flag("--version", isa::versionLine("lpu-eval"), "version, commit and instruction set");
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success &success) {
    out.exitCode = app.exit(success);
    return out;
  } catch (const CLI::ParseError &error) {
    out.exitCode = usage(std::string("lpu-eval: error: ") + error.what());
    return out;
  }
  auto precisions = rt::parsePrecisions(config);
  if (!precisions) {
    out.exitCode = usage(precisions.error().str());
    return out;
  }
  out.options.precisions = *precisions;
  out.options.onSimulator = on == "simulator";
  return out;
}

int fail(const Error &error) {
  std::fprintf(stderr, "%s\n", error.str().c_str());
  return 1;
}

} // namespace

int main(int argc, char **argv) {
  CommandLine command = parse(argc, argv);
  if (command.exitCode >= 0)
    return command.exitCode;
  isa::addUse(command.reads, "the model", command.options.model);
  isa::addUse(command.reads, "--text", command.options.text);
  if (!command.options.report.empty())
    if (Status distinct = isa::checkOutputs(command.reads, {{"--report", command.options.report}}); !distinct)
      return fail(distinct.error());
  std::error_code ec;
  std::string folder = std::filesystem::read_symlink("/proc/self/exe", ec).parent_path().string();
  bool terminal = isatty(STDERR_FILENO);
  auto evaluation = rt::evaluate(command.options, folder, [&](const std::string &what) {
    if (terminal)
      std::fprintf(stderr, "lpu-eval: %s\n", what.c_str());
  });
  if (!evaluation)
    return fail(evaluation.error());
  if (!command.options.report.empty())
    if (Status written = writeFileAtomically(command.options.report, rt::reportJson(*evaluation)); !written)
      return fail(written.error());
  const std::string table = rt::reportTable(*evaluation);
  if (std::fwrite(table.data(), 1, table.size(), stdout) != table.size() || std::fflush(stdout) != 0)
    return fail({"stdout", std::string("cannot write: ") + std::strerror(errno)});
  return 0;
}
