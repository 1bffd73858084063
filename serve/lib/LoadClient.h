// The workload of a study, sent to a server that runs with --virtual-arrivals.
#pragma once

#include "LoadReport.h"

namespace lpu::serve {

/// What a server made of one request.
struct Reported {
  bool refused = false;
  std::uint64_t tokens = 0;
  Cycle arrival = 0, start = 0, first = 0, end = 0;
};

/// Sends every request at its virtual time, all under way at once, and reads what each got. `model`: as the server
/// calls it; empty: its only one. Error: the server is not there, or answers otherwise than with 200 or 429.
Result<std::vector<Reported>> sendAll(const std::string &url, const std::string &model, std::uint32_t vocabulary,
                                      const std::vector<Arrival> &arrivals, std::uint64_t seed);

/// The largest difference between what a server reported and the study of the same requests, of the lengths it served.
ServerComparison compare(const Timing &timing, std::vector<Arrival> arrivals, const std::vector<Reported> &reported,
                         const StudyOptions &options);

} // namespace lpu::serve
