// Keeps the earliest hazard of a step.
#include "Faults.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

namespace lpu::sim {

std::string Violation::str() const {
  return fmt::format("violation {} at cycle {}, chip {}, {}: {}: {}", category, cycle, chip, queue, instruction,
                     detail);
}

void FaultLog::report(std::string_view category, Cycle at, int chip, int queue, const Op *op, std::string detail) {
  if (found && std::tuple(at, chip, queue) >= std::tuple(firstAt, firstChip, firstQueue))
    return;
  firstAt = at;
  firstChip = chip;
  firstQueue = queue;
  system.at = std::min(system.at, at);
  found = Violation{std::string(category),
                    at - origin,
                    chip,
                    isa::queueName(isa::queueAt(machine, queue)),
                    op ? describe(*op) : "(no word)",
                    std::move(detail)};
}

} // namespace lpu::sim
