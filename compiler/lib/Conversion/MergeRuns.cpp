// Merging of runs. Instruction text is resident and competes with weights for
// memory: a slice that feeds ten tiles in a row needs one read and one repeat,
// not ten of each.

#include "MergeRuns.h"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

namespace lpu::compiler {

namespace {

using isa::Field;
using isa::Opcode;

/// A field that a repeat advances, and the field that says by how much (timing.md T1.3e).
struct Stepped {
  Field row, step;
};

std::span<const Stepped> steppedFields(Opcode opcode) {
  static constexpr Stepped mem[] = {{Field::RdRow, Field::RdStep}, {Field::WrRow, Field::WrStep}};
  static constexpr Stepped activate[] = {{Field::LoadRow, Field::LoadStep}, {Field::PlayRow, Field::PlayStep}};
  static constexpr Stepped weights[] = {{Field::RowGroup, Field::RowStep}};
  static constexpr Stepped accumulate[] = {{Field::Row, Field::RowStep}};
  switch (opcode) {
  case Opcode::Mem:
    return mem;
  case Opcode::Activate:
    return activate;
  case Opcode::LoadWeights:
    return weights;
  case Opcode::Accumulate:
    return accumulate;
  default:
    return {};
  }
}

/// The step of a run made of both, or nothing when the later one's row is not where the earlier one's run arrives.
std::optional<std::int64_t> commonStep(const TimedIssue &a, const TimedIssue &b, Stepped field,
                                       const isa::Machine &machine) {
  std::int64_t row = a.instruction.get(field.row), next = b.instruction.get(field.row);
  bool wraps = field.row == Field::RowGroup;
  std::int64_t step = a.count > 1   ? a.instruction.get(field.step)
                      : b.count > 1 ? b.instruction.get(field.step)
                                    : next - row;
  if (b.count > 1 && b.instruction.get(field.step) != step)
    return std::nullopt;
  std::int64_t off = row + step * a.count - next;
  return off == 0 || (wraps && off % machine.superlanes == 0) ? std::optional(step) : std::nullopt;
}

bool extend(TimedIssue &a, const TimedIssue &b, const isa::Machine &machine) {
  if (b.cycle != a.cycle + a.count || a.window != 1 || b.window != 1 || a.instruction.opcode != b.instruction.opcode ||
      a.label != b.label)
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

/// Copies first … first + count − 1 of a burst as an issue of their own.
TimedIssue partOf(const TimedIssue &issue, isa::Cycle first, isa::Cycle count) {
  TimedIssue part = issue;
  part.cycle += first, part.count = static_cast<int>(count);
  for (Stepped field : steppedFields(issue.instruction.opcode)) {
    std::int64_t step = issue.instruction.get(field.step);
    part.instruction.set(field.row, issue.instruction.get(field.row) + first * step)
        .set(field.step, count > 1 ? step : 0);
  }
  return part;
}

} // namespace

void joinHalves(std::vector<TimedIssue> &issues) {
  auto endOf = [](const TimedIssue &issue) {
    return issue.cycle + (issue.window == 1 ? issue.count : isa::Cycle{issue.count - 1} * issue.window + 1);
  };
  std::vector<TimedIssue> words;
  for (std::size_t i = 0, next = 0; i < issues.size(); i = next) {
    isa::Cycle end = endOf(issues[i]);
    for (next = i + 1; next < issues.size() && issues[next].cycle < end; ++next)
      end = std::max(end, endOf(issues[next]));
    if (next == i + 1) {
      words.push_back(issues[i]);
      continue;
    }
    // Some of these overlap: between two beginnings or ends the same halves are dispatched in every cycle.
    std::vector<isa::Cycle> edges;
    for (std::size_t j = i; j < next; ++j)
      edges.insert(edges.end(), {issues[j].cycle, endOf(issues[j])});
    std::sort(edges.begin(), edges.end());
    edges.erase(std::unique(edges.begin(), edges.end()), edges.end());
    for (std::size_t e = 0; e + 1 < edges.size(); ++e) {
      bool open = false;
      for (std::size_t j = i; j < next; ++j) {
        if (issues[j].cycle > edges[e] || endOf(issues[j]) <= edges[e])
          continue;
        TimedIssue part = partOf(issues[j], edges[e] - issues[j].cycle, edges[e + 1] - edges[e]);
        if (!std::exchange(open, true)) {
          words.push_back(part);
          continue;
        }
        for (const isa::FieldInfo &field : isa::info(part.instruction.opcode).fields)
          if (std::int64_t value = part.instruction.get(field.field))
            words.back().instruction.set(field.field, value);
      }
    }
  }
  issues = std::move(words);
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
