// A point of a study with everything that follows from its values.
#pragma once

#include "lpu/explore/Study.h"

#include <optional>
#include <string>
#include <vector>

namespace lpu::explore {

/// One compilation: a workload on the point's machine. Its key is a hash over contents, not over paths.
struct Job {
  std::size_t workload = 0;
  std::string key;
  std::vector<std::string> arguments; ///< of lpucc, without machine and report
};

struct Point {
  Values values;          ///< as chosen
  isa::Machine machine;   ///< of this point, if it is possible
  isa::Variables numbers; ///< machine keys, and mapping keys that the study sets, for expressions
  std::optional<double> logicVolts;
  std::vector<Job> jobs;  ///< one for each workload
  std::string key;        ///< of all jobs together
  std::string impossible; ///< why there is no such machine; empty: there is
};

/// Chosen and derived values over the study's base. `build` names the compiler; empty: without jobs and keys.
Point makePoint(const Study &study, const Values &values, const std::string &build);

/// Every key whose value differs between points, parameters first: the columns of tables.
std::vector<std::string> shownKeys(const Study &study);
/// Of a shown key: chosen, derived, or the base's own; empty for mapping that the compiler chooses.
std::string shownValue(const Study &study, const Point &point, const std::string &key);

} // namespace lpu::explore
