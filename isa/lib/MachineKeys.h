// The keys of a machine description: which member of Machine each one sets and
// what values it may take. Reader and canonical writer share this one list, so
// neither can know a key that the other does not.
#pragma once

#include "lpu/isa/Machine.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace lpu::isa {

struct MachineKey {
  std::string_view section, key;
  std::variant<int Machine::*, double Machine::*, Cycle Latencies::*> member;
  double low, high; ///< inclusive
  /// May be missing, which says 0; then it is not written either.
  bool optional = false;
};

/// In canonical order; keys of one section stand together.
std::span<const MachineKey> machineKeys();

/// Two keys that do not go together: what to say, and of which of them.
struct KeyConflict {
  std::string section, key, message;
};
std::optional<KeyConflict> conflictOf(const Machine &machine);

} // namespace lpu::isa
