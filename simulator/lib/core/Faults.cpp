// Keeps the earliest hazard of a step.
#include "Faults.h"

#include <fmt/format.h>

namespace lpu::sim {

std::string Violation::str() const {
  return fmt::format("violation {} at cycle {}, chip {}, {}: {}: {}", category, cycle, chip, queue, instruction,
                     detail);
}

void FaultLog::report(std::string_view category, Cycle at, int queue, const Op *op, std::string detail) {
  if (found && (at > firstAt || (at == firstAt && queue >= firstQueue)))
    return;
  firstAt = at;
  firstQueue = queue;
  found = Violation{std::string(category),
                    at - origin,
                    0,
                    isa::queueName(isa::queueAt(machine, queue)),
                    op ? describe(*op) : "(no word)",
                    std::move(detail)};
}

} // namespace lpu::sim
