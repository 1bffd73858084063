// Counters and histograms of a service, as Prometheus reads them. Names are vLLM's with the prefix lpu_; times are
// virtual.
#pragma once

#include "lpu/serve/Outcome.h"

#include <array>
#include <map>
#include <string>
#include <vector>

namespace lpu::serve {

/// Of seconds, from 1 µs to 100 s.
class Histogram {
public:
  void add(double seconds);
  /// Lines of the exposition format; `labels` as in {model_name="a"}, without braces.
  std::string lines(const std::string &name, const std::string &labels) const;

private:
  static constexpr std::array<double, 17> kEnds = {1e-6,   2.5e-6, 1e-5, 2.5e-5, 1e-4, 2.5e-4, 1e-3, 2.5e-3, 1e-2,
                                                   2.5e-2, 0.1,    0.25, 1,      2.5,  10,     25,   100};
  std::array<std::uint64_t, kEnds.size() + 1> counts{}; ///< the last is of all that are longer
  double sum = 0;
};

/// Of one model.
struct ModelMetrics {
  std::uint64_t promptTokens = 0, generatedTokens = 0;
  std::map<std::string, std::uint64_t> finished; ///< sequences, by reason
  std::map<std::string, std::uint64_t> refused;  ///< requests, by the error's code
  Histogram ttft, interToken, total, queue, prefill, decode;

  void add(const Usage &usage);
};

/// A gauge or counter of each model, and what it is now.
struct ModelGauges {
  std::string model;
  std::size_t running = 0, waiting = 0, slots = 0;
  const ModelMetrics *metrics = nullptr;
};

std::string metricsText(const std::vector<ModelGauges> &models);

} // namespace lpu::serve
