// Timed issues of one queue, and the joining of those that continue one another
// or share a word.
#pragma once

#include "lpu/isa/Instruction.h"
#include "lpu/isa/Machine.h"

#include "llvm/ADT/StringRef.h"

#include <vector>

namespace lpu::compiler {

/// An instruction dispatched at `cycle`, and `count` − 1 times more, `window` cycles apart: an lpu.issue before it is
/// written.
struct TimedIssue {
  isa::Cycle cycle = 0;
  int count = 1, window = 1;
  isa::Instruction instruction;
  llvm::StringRef label;
};

/// Joins neighbours of which the later one goes on where the earlier one ends: next cycle, next rows, all else equal.
/// What is dispatched when stays the same, in fewer words. `issues` is one queue's, sorted by cycle.
void mergeRuns(std::vector<TimedIssue> &issues, const isa::Machine &machine);

/// Makes one word of the two halves that are dispatched in the same cycle: a load and a play or install of an MXM
/// activation queue, a read and a write of a memory slice. `issues` is one queue's, sorted by cycle.
void joinHalves(std::vector<TimedIssue> &issues);

} // namespace lpu::compiler
