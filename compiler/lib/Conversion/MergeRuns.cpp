// Merging of runs. Instruction text is resident and competes with weights for
// memory: a slice that feeds ten tiles in a row needs one read and one repeat,
// not ten of each.

#include "MergeRuns.h"

#include <algorithm>
#include <optional>
#include <span>

namespace lpu::compiler {

namespace {

using isa::Field;
using isa::Opcode;

/// A field that a repeat advances, and the field that says by how much (timing.md T1.3).
struct Stepped {
  Field row, step;
};

std::span<const Stepped> steppedFields(Opcode opcode) {
  static constexpr Stepped mem[] = {{Field::RdRow, Field::RdStep}, {Field::WrRow, Field::WrStep}};
  static constexpr Stepped activate[] = {{Field::LoadRow, Field::LoadStep}, {Field::PlayRow, Field::PlayStep}};
  static constexpr Stepped weights[] = {{Field::RowGroup, Field::RowStep}};
  static constexpr Stepped accumulate[] = {{Field::Row, Field::RowStep}};
  switch (opcode) {
  case Opcode::Mem: return mem;
  case Opcode::Activate: return activate;
  case Opcode::LoadWeights: return weights;
  case Opcode::Accumulate: return accumulate;
  default: return {};
  }
}

/// The step of a run made of both, or nothing when the later one's row is not where the earlier one's run arrives.
std::optional<std::int64_t> commonStep(const TimedIssue &a, const TimedIssue &b, Stepped field, const isa::Machine &machine) {
  std::int64_t row = a.instruction.get(field.row), next = b.instruction.get(field.row);
  bool wraps = field.row == Field::RowGroup;
  std::int64_t step = a.count > 1 ? a.instruction.get(field.step) : b.count > 1 ? b.instruction.get(field.step) : next - row;
  if (b.count > 1 && b.instruction.get(field.step) != step)
    return std::nullopt;
  std::int64_t off = row + step * a.count - next;
  return off == 0 || (wraps && off % machine.superlanes == 0) ? std::optional(step) : std::nullopt;
}

bool extend(TimedIssue &a, const TimedIssue &b, const isa::Machine &machine) {
  if (b.cycle != a.cycle + a.count || a.window != 1 || b.window != 1 || a.instruction.opcode != b.instruction.opcode || a.label != b.label)
    return false;
  isa::Instruction merged = a.instruction, rest = b.instruction;
  for (Stepped field : steppedFields(a.instruction.opcode)) {
    std::optional<std::int64_t> step = commonStep(a, b, field, machine);
    if (!step)
      return false;
    merged.set(field.step, *step);
    rest.set(field.row, merged.get(field.row)).set(field.step, *step);
  }
  if (merged != rest || !isa::encode(merged))
    return false;
  a.instruction = merged;
  a.count += b.count;
  return true;
}

/// Copy j of a burst as an issue of its own.
TimedIssue copyOf(const TimedIssue &issue, int j) {
  TimedIssue copy = issue;
  copy.cycle += j, copy.count = 1;
  for (Stepped field : steppedFields(issue.instruction.opcode))
    copy.instruction.set(field.row, issue.instruction.get(field.row) + j * issue.instruction.get(field.step)).set(field.step, 0);
  return copy;
}

} // namespace

void joinHalves(std::vector<TimedIssue> &issues) {
  std::vector<TimedIssue> words;
  for (const TimedIssue &issue : issues)
    for (int j = 0; j < (issue.window == 1 ? issue.count : 1); ++j)
      words.push_back(issue.window == 1 ? copyOf(issue, j) : issue);
  std::stable_sort(words.begin(), words.end(), [](const TimedIssue &a, const TimedIssue &b) { return a.cycle < b.cycle; });
  issues.clear();
  for (const TimedIssue &word : words) {
    if (issues.empty() || issues.back().cycle != word.cycle) {
      issues.push_back(word);
      continue;
    }
    for (const isa::FieldInfo &field : isa::info(word.instruction.opcode).fields)
      if (std::int64_t value = word.instruction.get(field.field))
        issues.back().instruction.set(field.field, value);
  }
}

void mergeRuns(std::vector<TimedIssue> &issues, const isa::Machine &machine) {
  // The words a window repeats stay as they are.
  std::vector<bool> fixed(issues.size());
  for (std::size_t i = 0; i < issues.size(); ++i)
    for (int back = 0; issues[i].window > 1 && back < issues[i].window; ++back)
      fixed[i - static_cast<std::size_t>(back)] = true;
  std::size_t kept = 0;
  bool open = false; // the last kept issue may grow
  for (std::size_t i = 0; i < issues.size(); ++i) {
    if (open && !fixed[i] && extend(issues[kept - 1], issues[i], machine))
      continue;
    open = !fixed[i];
    issues[kept++] = issues[i];
  }
  issues.resize(kept);
}

} // namespace lpu::compiler
