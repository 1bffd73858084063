// lpu-run's options.
#pragma once

#include "lpu/rt/Perplexity.h"
#include "lpu/rt/Sampler.h"
#include "lpu/sim/Simulator.h"

#include <optional>
#include <string>
#include <vector>

namespace lpu::rt {

/// How --show-tokens prints.
enum class TokenListing { None, Text, Json };

struct RunOptions {
  std::string program;
  /// At most one of the next four, and none with `perplexity`. Several entries are of several users.
  std::vector<std::string> prompt, promptFile; ///< a file "-" is standard input
  std::vector<std::vector<TokenId>> tokens;
  std::optional<std::uint64_t> promptTokens;    ///< timing mode: how many, whatever they are
  bool special = false;                         ///< special tokens that a text spells are parsed
  TokenListing showTokens = TokenListing::None; ///< of the prompts; nothing runs then
  std::optional<std::uint64_t> count;           ///< -n; none: as many as fit, at most kDefaultCount
  std::optional<std::vector<TokenId>> inputIds; ///< of an encoder, with none of the above
  std::vector<TokenId> tokenTypes;              ///< one for each of them, or none
  std::vector<std::string> idFiles;             ///< where those were read, when they stood in files
  std::string outputDir, outputs; ///< where an encoder's outputs go: a folder, or the beginning of file names
  SamplerOptions sampling;
  std::vector<std::string> stops; ///< texts that end generation, valid UTF-8
  bool ignoreEos = false;
  sim::Engine engine = sim::Engine::Event;
  sim::Mode mode = sim::Mode::Functional;
  bool allChips = false; ///< also where one chip could stand for several
  int threads = 1;
  bool progress = false;                         ///< also where stderr is no terminal
  std::string report, logits, trace, perplexity; ///< paths; empty: not asked for
  std::optional<Counting> counting;              ///< of perplexity
  sim::Waveforms vcd;
  std::string energy = "gf14"; ///< table that prices the curve of power in a trace
};

inline constexpr std::uint64_t kDefaultCount = 64;
inline constexpr int kMaxThreads = 1024;

/// Options to run with, or text to print and the code to exit with.
struct ParsedCommandLine {
  std::optional<RunOptions> options;
  std::string output;  ///< help text or version for stdout
  std::string error;   ///< one line for stderr
  int exitCode = 0;    ///< 0 help or version, 2 usage error
  std::string warning; ///< one line for stderr, beside options: some have no effect
};

/// `version`: what --version prints.
ParsedCommandLine parseCommandLine(int argc, const char *const *argv, const std::string &version = "");

} // namespace lpu::rt
