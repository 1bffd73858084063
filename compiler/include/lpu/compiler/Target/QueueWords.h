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

/// `sync`, then every issue at its cycle: `nop` fills gaps, `repeat` makes copies (timing.md T1.3).
std::vector<LabelledInstruction> queueWords(timed::QueueOp queue);

} // namespace lpu::compiler
