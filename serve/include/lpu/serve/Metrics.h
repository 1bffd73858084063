// Counters and histograms of a service, as Prometheus reads them. Names are vLLM's with the prefix lpu_; times are
// virtual.
#pragma once

#include "lpu/serve/Outcome.h"

#include <map>
#include <span>
#include <string>
#include <vector>

namespace lpu::serve {

/// How many values are at most so large as each of some ends, which ascend.
class Histogram {
public:
  explicit Histogram(std::span<const double> ends) : ends(ends), counts(ends.size() + 1) {}
  void add(double value);
  /// Lines of the exposition format; `labels` as in {model_name="a"}, without braces.
  std::string lines(const std::string &name, const std::string &labels) const;

  /// Of times, in seconds: from 1 µs to 100 s.
  static Histogram ofSeconds();
  /// Of numbers of tokens: from 1 to 131,072.
  static Histogram ofTokens();

private:
  std::span<const double> ends;      ///< static
  std::vector<std::uint64_t> counts; ///< the last is of all that are larger
  double sum = 0;
};

/// Of one model.
struct ModelMetrics {
  std::uint64_t promptTokens = 0, generatedTokens = 0;
  std::map<std::string, std::uint64_t> finished; ///< sequences, by reason
  std::map<std::string, std::uint64_t> refused;  ///< requests, by the error's code
  Histogram ttft = Histogram::ofSeconds(), interToken = ttft, total = ttft, queue = ttft, prefill = ttft, decode = ttft;
  Histogram promptLengths = Histogram::ofTokens(), generationLengths = promptLengths; ///< of requests

  void add(const Usage &usage);
};

/// A gauge or counter of each model, and what it is now.
struct ModelGauges {
  std::string model;
  std::size_t running = 0, waiting = 0, slots = 0;
  std::size_t resident = 0; ///< systems whose weights are on chips
  std::uint64_t loads = 0;  ///< of systems, since the start
  double cacheUsage = 0;    ///< positions in use of all positions that caches have
  const ModelMetrics *metrics = nullptr;
};

std::string metricsText(const std::vector<ModelGauges> &models);

} // namespace lpu::serve
