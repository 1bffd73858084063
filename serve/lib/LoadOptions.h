// lpu-load's options.
#pragma once

#include <CLI/CLI.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lpu::serve {

inline constexpr unsigned kMostSystems = 4096; ///< that are studied

struct LoadOptions {
  std::vector<std::string> programs, models;
  std::string workload = "poisson:100", lengths, slo, report, server, maxWait, energy;
  std::optional<unsigned> resident;
  std::vector<unsigned> systems{1};
  std::size_t requests = 1000, queue = 256;
  std::uint64_t seed = 0;
  bool curves = true;
  std::optional<unsigned> autoscale;
};

/// What --help begins with.
extern const char *const kLoadAbout;

void declareOptions(CLI::App &app, LoadOptions &to);

} // namespace lpu::serve
