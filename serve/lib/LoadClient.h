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

/// A model as a server calls it; without a name it is the only one.
struct Destination {
  std::string name;
  std::uint32_t vocabulary = 0;
};

/// Sends every request at its virtual time to its model, all under way at once, and reads what each got. Error: the
/// server is not there, or answers otherwise than with 200 or 429.
Result<std::vector<Reported>> sendAll(const std::string &url, const std::vector<Destination> &models,
                                      const std::vector<Arrival> &arrivals, std::uint64_t seed);

/// The requests, of the lengths that a server served them with.
std::vector<Arrival> withLengths(std::vector<Arrival> arrivals, const std::vector<Reported> &reported);

/// The largest difference between what a server reported and the study of the same requests and lengths.
ServerComparison compare(const std::vector<Served> &served, const std::vector<Reported> &reported);

} // namespace lpu::serve
