// Studies of several models that share chips, beside the same models on chips of their own.
#pragma once

#include "lpu/serve/Load.h"
#include "lpu/serve/Residency.h"

namespace lpu::serve {

/// Gives each request one of so many models, the k-th of them with a probability proportional to 1/k. The same for the
/// same seed on every host.
void drawModels(std::vector<Arrival> &arrivals, std::size_t models, std::uint64_t seed);

struct SharedServed {
  std::vector<Served> requests;       ///< in the order of their arrivals
  std::vector<ResidencyState> states; ///< of each model at the end; empty on chips of their own
};

/// Serves requests of several models of one clock, which have `chips` together; none: each has its own. Requests must
/// have passed their model's Timing::check.
SharedServed studyModels(const std::vector<Tenant> &models, std::optional<unsigned> chips,
                         const std::vector<Arrival> &arrivals, const AdmissionRules &rules);

} // namespace lpu::serve
