#include "SharedStudy.h"

#include "lpu/rt/Sampler.h"

#include <memory>

namespace lpu::serve {

void drawModels(std::vector<Arrival> &arrivals, std::size_t models, std::uint64_t seed) {
  constexpr std::uint64_t kOtherSeed = 0x5851F42D4C957F2Du; // lengths and times draw from the seed itself
  rt::Random random(seed ^ kOtherSeed);
  double all = 0;
  for (std::size_t k = 1; k <= models; ++k)
    all += 1 / static_cast<double>(k);
  for (Arrival &arrival : arrivals) {
    double left = random.uniform() * all;
    arrival.model = 0;
    while (arrival.model + 1 < models && (left -= 1 / static_cast<double>(arrival.model + 1)) >= 0)
      ++arrival.model;
  }
}

SharedServed studyModels(const std::vector<Tenant> &models, std::optional<unsigned> chips,
                         const std::vector<Arrival> &arrivals, const AdmissionRules &rules) {
  std::optional<ChipPool> pool;
  if (chips)
    pool.emplace(models, *chips);
  std::vector<std::unique_ptr<Schedule>> schedules;
  for (std::size_t i = 0; i < models.size(); ++i)
    schedules.push_back(pool ? pool->tenant(i) : createSchedule(*models[i].timing, models[i].systems));
  SharedServed out;
  for (const Arrival &arrival : arrivals) {
    const Timing &timing = *models[arrival.model].timing;
    out.requests.push_back(
        serveOne(*schedules[arrival.model], timing, rules, timing.clock().cycles(arrival.ns), arrival));
  }
  for (std::size_t i = 0; pool && i < models.size(); ++i)
    out.states.push_back(pool->state(i));
  return out;
}

} // namespace lpu::serve
