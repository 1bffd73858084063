// Keeps the earliest hazard of a step.
#include "Faults.h"

#include <fmt/format.h>

namespace lpu::sim {

std::string Violation::str() const {
  return fmt::format("violation {} at cycle {}, chip {}, {}: {}: {}", category, cycle, chip, queue, instruction,
                     detail);
}

void FaultLog::report(std::string_view category, Cycle at, int chip, int queue, const Op *op, std::string detail) {
  if (found && std::array<Cycle, 3>{at, chip, queue} >= place())
    return;
  firstAt = at;
  firstChip = chip;
  firstQueue = queue;
  system.note(at);
  found = Violation{std::string(category),
                    at - origin,
                    chip,
                    isa::queueName(isa::queueAt(machine, queue)),
                    op ? describe(*op) : "(no word)",
                    std::move(detail)};
}

void FaultLog::amend(Cycle at, int queue, const std::string &more) {
  if (found && place() == std::array<Cycle, 3>{at, number, queue})
    found->detail += more;
}

} // namespace lpu::sim
