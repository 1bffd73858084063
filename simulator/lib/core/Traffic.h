// What a step program's text says about links: in which cycles a chip sends and
// receives on each. After the release nothing but the text decides that (T1.3),
// so both ends of a link know when which vector comes, whoever simulates them.
#pragma once

#include "lpu/isa/Program.h"

#include <vector>

namespace lpu::sim {

struct LinkTraffic {
  /// False: the queue fetches its text, or holds a word that is legal nowhere; the lists are empty.
  bool known = true;
  std::vector<isa::Cycle> sends, receives; ///< cycles from the chip's release on, ascending
};

/// One for each link of a chip that runs `step`.
std::vector<LinkTraffic> trafficOf(const isa::Program &program, const isa::StepProgram &step);

} // namespace lpu::sim
