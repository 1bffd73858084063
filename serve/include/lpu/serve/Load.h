// Load studies: requests that arrive by a law or as they did somewhere, and what becomes of them by the schedule. The
// same function that a server admits and answers by, so a study is what the server would do, to the cycle.
#pragma once

#include "lpu/serve/Admission.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace lpu::serve {

/// One request of a workload.
struct Arrival {
  std::int64_t ns = 0; ///< since the beginning; ascending
  Work work;
  std::uint64_t tokens = 0; ///< that it turns out to generate; 0: as many as it may
  std::size_t model = 0;    ///< of those that are studied together
};

/// Lengths of prompts and answers, drawn by a law.
struct Lengths {
  enum class Law { Fixed, Uniform, LogNormal } law = Law::Fixed;
  struct Side {
    double low = 1, high = 1;    ///< Uniform; Fixed: low
    double median = 1, mean = 1; ///< LogNormal
  } prompt, output;
};

/// "32:64", "16-64:8-32", or the name of a fitted trace: azure-conv, azure-code, mooncake-conv, sharegpt.
Result<Lengths> parseLengths(const std::string &text);

struct Workload {
  enum class Law { Poisson, Gamma, Closed, Trace } law = Law::Poisson;
  double rate = 1;        ///< requests a second, of Poisson and Gamma
  double burstiness = 1;  ///< shape of Gamma's gaps: their coefficient of variation is 1/√shape
  unsigned users = 1;     ///< Closed: each sends again when it is answered
  std::string file = {};  ///< Trace
  double compression = 1; ///< Trace: so many times as fast
};

/// "poisson:R", "gamma:R:B", "closed:U", "trace:FILE[:xK]". R is in requests a second.
Result<Workload> parseWorkload(const std::string &text);

/// Requests of a trace: Azure's CSV (TIMESTAMP, ContextTokens, GeneratedTokens) or Mooncake's JSON lines (timestamp in
/// ms, input_length, output_length), told apart by the first character.
Result<std::vector<Arrival>> readTrace(const std::string &path);

/// `count` requests by the law, the same for the same seed on every host. Not for Closed.
std::vector<Arrival> generate(const Workload &workload, const Lengths &lengths, std::size_t count, std::uint64_t seed);

/// What became of a request, in cycles since the beginning.
struct Served {
  Cycle arrival = 0, start = 0, first = 0, end = 0;
  std::uint64_t prompt = 0, tokens = 0;
  unsigned system = 0;
  bool refused = false;
};

struct StudyOptions {
  unsigned systems = 1;
  AdmissionRules rules{SIZE_MAX, std::nullopt};
};

/// Serves one request whose length is known at once. Requests are to be served in the order of their arrivals.
Served serveOne(Schedule &schedule, const Timing &timing, const AdmissionRules &rules, Cycle at,
                const Arrival &arrival);

/// Serves an open workload. Requests must have passed Timing::check.
std::vector<Served> study(const Timing &timing, const std::vector<Arrival> &arrivals, const StudyOptions &options);
/// Serves `count` requests of `users` who send one after the other, with lengths as they are drawn.
std::vector<Served> studyClosed(const Timing &timing, unsigned users, const std::vector<Work> &works,
                                const StudyOptions &options);

/// A promise to users: times that `share` of all requests must keep to, refused ones counted as missed.
struct Objective {
  std::optional<std::int64_t> ttftNs, tpotNs;
  double share = 0.99;
};
/// "ttft:200ms,tpot:50ms" with either or both, and "share:0.99".
Result<Objective> parseObjective(const std::string &text);

struct Percentiles {
  std::int64_t p50 = 0, p99 = 0, p999 = 0, mean = 0; ///< ns; by nearest rank
};

/// By the low, the typical and the high values of a table.
struct JoulesPerToken {
  double low = 0, typical = 0, high = 0;
};

/// Of one study. Times are virtual; those of requests are over all that were served.
struct Figures {
  std::size_t requests = 0, refused = 0;
  double offeredPerSecond = 0;                      ///< requests, over the span of their arrivals
  double utilization = 0;                           ///< of all users' places, until the last end
  double tokensPerSecond = 0, goodputPerSecond = 0; ///< requests that kept to the objective
  double attained = 1;                              ///< their share of all
  Percentiles ttft, queue, tpot;
  std::optional<JoulesPerToken> joules; ///< none: no table was asked
};
Figures figuresOf(const Timing &timing, const std::vector<Served> &served, unsigned systems,
                  const Objective &objective);

/// The fewest systems that meet the objective, at most `most`; none: not even those do.
std::optional<unsigned> fewestSystems(const Timing &timing, const std::vector<Arrival> &arrivals,
                                      const StudyOptions &options, const Objective &objective, unsigned most);

/// Requests a second at which all users of `systems` systems are always busy.
double capacityPerSecond(const Timing &timing, const std::vector<Arrival> &arrivals, unsigned systems);

} // namespace lpu::serve
