// Queue words: the inverse of how a queue dispatches. The cursor is the cycle at
// which the next word would dispatch. A word carries its burst and the gap behind
// it; only what its fields do not hold takes words of its own.

#include "lpu/compiler/Target/QueueWords.h"

#include <algorithm>
#include <cassert>
#include <optional>

namespace lpu::compiler {

using isa::Field;
using isa::Opcode;

namespace {

constexpr std::int64_t kLargest = 65535; // 16-bit counts

isa::Instruction make(Opcode opcode) {
  isa::Instruction instruction;
  instruction.opcode = opcode;
  return instruction;
}

} // namespace

std::vector<LabelledInstruction> queueWords(timed::QueueOp queue) {
  std::vector<LabelledInstruction> words = {{make(Opcode::Sync), "control"}};
  isa::Cycle cursor = 0;
  std::optional<std::size_t> last; // the word that carries the gap behind it
  for (auto issue : queue.getBody().getOps<timed::IssueOp>()) {
    auto cycle = static_cast<isa::Cycle>(issue.getCycle());
    assert(cycle >= cursor && "verified by lpu-verify-schedule");
    if (last) {
      std::int64_t gap = std::min(cycle - cursor, kLargest);
      words[*last].instruction.set(Field::Wait, gap);
      cursor += gap;
    }
    while (cursor < cycle) {
      std::int64_t gap = std::min(cycle - cursor, kLargest);
      words.push_back({make(Opcode::Nop).set(Field::Count, gap), "control"});
      cursor += gap;
    }
    last = words.size();
    words.push_back({timed::instructionOf(issue), issue.getLabel()});
    auto copies = static_cast<std::int64_t>(issue.getCount()) - 1,
         window = static_cast<std::int64_t>(issue.getWindow());
    if (window == 1 && copies <= kLargest)
      words.back().instruction.set(Field::Copies, copies);
    else if (copies > 0)
      words.push_back(
          {make(Opcode::Repeat).set(Field::Count, copies).set(Field::Interval, window).set(Field::Window, window),
           issue.getLabel()});
    cursor = cycle + copies * window + 1;
  }
  return words;
}

} // namespace lpu::compiler
