// What a run tells: the JSON report and the table for people.
#pragma once

#include "lpu/rt/LatencyReport.h"
#include "lpu/rt/Perplexity.h"
#include "lpu/rt/Sequence.h"

#include <optional>
#include <string>
#include <vector>

namespace lpu::rt {

/// Where host time and memory went.
struct HostUse {
  double loadSeconds = 0;         ///< until the first step can run
  double runSeconds = 0;          ///< from the first step's start to the last step's end
  std::uint64_t peakRssBytes = 0; ///< of the process that used most
  unsigned threads = 1, ranks = 1;
};

/// What one of several users got.
struct UserReport {
  std::vector<TokenId> promptTokens, tokens;
  std::string text;                   ///< valid UTF-8
  std::optional<FinishReason> finish; ///< none where nothing generates
  std::optional<std::string> digest;  ///< hex, of RequestDigest; none without values
  Latency chip, withHost;
};

struct RunReport {
  /// Of each prompt; the first one's stand at the top of the report, too.
  std::vector<UserReport> users;
  bool isBatch = false; ///< the program takes several users
  /// Of a batch: tokens generated for all users, over the chip time of the steps that yielded them.
  std::optional<double> totalTokensPerSecond;
  std::vector<StepRecord> steps;
  std::optional<std::string> memorySha256; ///< hex; none in timing mode of several chips
  std::optional<double> perplexity;
  std::optional<TextWindows> scored; ///< what perplexity is of
  std::string engine;
  double hostSeconds = 0;
  HostUse host;
};

/// The report's JSON text. Keys but "host_seconds", "host" and "engine" depend on the
/// program and the request alone; undefined figures are null.
std::string reportJson(const RunReport &report, const isa::Program &program);

/// A few aligned lines for a terminal.
std::string reportTable(const RunReport &report, const isa::Program &program);

} // namespace lpu::rt
