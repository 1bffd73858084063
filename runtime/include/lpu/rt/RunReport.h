// What a run tells: the JSON report and the table for people.
#pragma once

#include "lpu/rt/LatencyReport.h"

#include <optional>
#include <string>
#include <vector>

namespace lpu::rt {

struct RunReport {
  std::vector<TokenId> promptTokens, tokens;
  std::string text; ///< valid UTF-8
  std::vector<StepRecord> steps;
  Latency chip, withHost;
  std::optional<std::string> memorySha256; ///< hex
  std::optional<double> perplexity;
  std::string engine;
  double hostSeconds = 0;
};

/// The report's JSON text. Keys but "host_seconds" and "engine" depend on the
/// program and the request alone; undefined figures are null.
std::string reportJson(const RunReport &report, const isa::Program &program);

/// A few aligned lines for a terminal.
std::string reportTable(const RunReport &report, const isa::Program &program);

} // namespace lpu::rt
