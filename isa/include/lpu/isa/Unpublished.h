// Which values of a machine description nobody has published: assumptions, for
// tools that ask how much depends on them.
#pragma once

#include "lpu/isa/Result.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lpu::isa {

struct Unpublished {
  std::string key;                 ///< "latency.mxm_play"
  std::optional<double> low, high; ///< what its author believes in, if he says so
  std::string source;              ///< why: "derived: …", "guess: …"; may be empty
};

/// The marks of a description (its section `unpublished`), in their order. They say nothing about the hardware, so
/// canonical text and programs do not hold them. Error: as parseMachine.
Result<std::vector<Unpublished>> parseUnpublished(std::string_view yaml, std::string_view fileName);
/// Of a preset or a file, as loadMachine.
Result<std::vector<Unpublished>> loadUnpublished(const std::string &nameOrPath);
/// The description itself, of a preset or a file. Error: as loadMachine.
Result<std::string> machineText(const std::string &nameOrPath);

} // namespace lpu::isa
