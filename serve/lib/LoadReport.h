// What a load study tells: JSON for scripts, a page with curves, a table for a terminal.
#pragma once

#include "lpu/serve/Load.h"

#include <string>
#include <vector>

namespace lpu::serve {

/// One point of a curve.
struct StudyPoint {
  unsigned systems = 1;
  std::optional<double> load; ///< offered requests over what keeps all users busy; none: the workload as it is
  Figures figures;
};

/// A server beside the study of the same requests.
struct ServerComparison {
  std::string url;
  std::size_t requests = 0, refused = 0;
  std::size_t differentlyJudged = 0; ///< admitted by one, refused by the other
  Cycle cyclesApart = 0;             ///< the largest difference of a start, a first token or an end
};

/// One of several models that share chips.
struct SharedModel {
  std::string program;
  unsigned chips = 1; ///< of a system
  std::int64_t reloadNs = 0;
  std::uint64_t loads = 0;
  Figures swapped, dedicated; ///< of its requests on shared chips, and on chips of its own
};

struct SharedReport {
  unsigned chips = 0, dedicatedChips = 0;
  std::uint64_t loads = 0;
  double loadsPerHour = 0;
  Figures swapped, dedicated; ///< of all requests; without utilization
  std::vector<SharedModel> models;
};

/// Systems that come and go by one policy.
struct ScalingPolicy {
  double chipSeconds = 0; ///< loading included
  unsigned mostSystems = 0;
  std::uint64_t loads = 0;
  Figures figures;
};

struct ScalingReport {
  std::int64_t reloadNs = 0;
  ScalingPolicy reactive, oracle, fixed; ///< fixed: as many systems as reactive had at most, always up
};

struct LoadReport {
  std::string program, workload, lengths;
  std::uint64_t seed = 0;
  std::size_t requests = 0, dropped = 0; ///< dropped: do not fit the context
  std::uint32_t context = 0, users = 1;
  Objective objective;
  std::vector<StudyPoint> points; ///< the workload as it is, for each number of systems; then the curves
  bool searched = false;
  std::optional<unsigned> fewestSystems;
  std::string energyTable; ///< empty: none was asked
  std::optional<SharedReport> shared;
  std::optional<ScalingReport> scaling;
  std::optional<ServerComparison> server;
};

std::string reportJson(const LoadReport &report);
std::string reportHtml(const LoadReport &report);
std::string reportTable(const LoadReport &report);

} // namespace lpu::serve
