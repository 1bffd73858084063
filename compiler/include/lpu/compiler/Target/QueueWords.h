// The words of a queue, from its timed instructions.
#pragma once

#include "lpu/compiler/Dialect/Lpu/Lpu.h"

#include <string>
#include <vector>

namespace lpu::compiler {

struct LabelledInstruction {
  isa::Instruction instruction;
  llvm::StringRef label; ///< "control" for sync, nop and repeat between operations
};

/// `sync`, then every issue at its cycle; its word carries copies and the wait for the next, `repeat` makes copies of
/// windows and `nop` fills the gap before the first (timing.md T1.3a to T1.3g).
std::vector<LabelledInstruction> queueWords(timed::QueueOp queue);

} // namespace lpu::compiler
