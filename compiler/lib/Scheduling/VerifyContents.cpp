// What memory rows and weight buffers hold in the course of a solution. Nothing the scheduler derived is used, no
// dependence and no lifetime: words are replayed in order of time, and whose rows and which tile's they are was said by
// the program, in its own order. A row with two live objects, or a tile in the buffer of another, breaks no rule of
// the machine, so no later net would see it; the program would compute something else.

#include "lpu/compiler/Scheduling/Problem.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

namespace lpu::compiler::sched {

namespace {

using Fault = std::optional<std::string>;

/// The words of a solution with the cycle of their first dispatch, in the program's order.
template <typename Visit> void forEachIssue(const Problem &problem, const Solution &solution, Visit visit) {
  for (std::size_t p = 0; p < problem.phases.size(); ++p)
    for (std::size_t f = 0; f < problem.phases[p].flows.size(); ++f)
      for (const Issue &issue : problem.phases[p].flows[f].issues)
        visit(issue, solution.placements[p][f].start + issue.at, problem.phases[p].flows[f].label);
}

class Rows {
public:
  Rows(const isa::Machine &machine, const Problem &problem) : machine(machine), problem(problem) {
    for (const Block &block : problem.blocks)
      banks[{block.queue, block.bank}].push_back(&block);
    for (auto bank = banks.begin(); bank != banks.end();)
      bank = keepMeeting(bank->second) ? std::next(bank) : banks.erase(bank);
  }

  Fault run(const Solution &solution) {
    if (banks.empty())
      return std::nullopt;
    forEachIssue(problem, solution,
                 [&](const Issue &issue, Cycle at, const std::string &label) { expand(issue, at, label); });
    // Order of time; a bank does one thing a cycle, so no two events of a row are at once.
    for (auto &[row, events] : history) {
      std::sort(events.begin(), events.end(), [](const Event &a, const Event &b) { return a.cycle < b.cycle; });
      if (Fault fault = replay(row, events))
        return fault;
    }
    return std::nullopt;
  }

private:
  struct Event {
    Cycle cycle;
    bool write;
    int object;
    const std::string *label;
  };
  using Row = std::tuple<int, int, std::int64_t>; ///< queue, bank, row

  /// Only rows that several objects have need to be followed; false when there are none in the bank.
  static bool keepMeeting(std::vector<const Block *> &blocks) {
    std::sort(blocks.begin(), blocks.end(), [](const Block *a, const Block *b) { return a->row < b->row; });
    std::vector<const Block *> meeting;
    for (std::size_t i = 0; i < blocks.size(); ++i)
      for (std::size_t j = i + 1; j < blocks.size() && blocks[j]->row < blocks[i]->row + blocks[i]->rows; ++j)
        if (blocks[i]->object != blocks[j]->object)
          meeting.push_back(blocks[i]), meeting.push_back(blocks[j]);
    std::sort(meeting.begin(), meeting.end());
    meeting.erase(std::unique(meeting.begin(), meeting.end()), meeting.end());
    blocks = std::move(meeting);
    return !blocks.empty();
  }

  void expand(const Issue &issue, Cycle at, const std::string &label) {
    if (issue.object < 0)
      return;
    const isa::Instruction &i = issue.instruction;
    auto note = [&](std::int64_t bank, std::int64_t row, Cycle cycle, bool write) {
      history[{issue.queue, static_cast<int>(bank), row}].push_back({cycle, write, issue.object, &label});
    };
    for (int copy = 0; copy < issue.count; ++copy) {
      Cycle cycle = at + Cycle{copy} * issue.window;
      if (i.opcode == isa::Opcode::Mem) {
        using isa::Field;
        bool write = i.get(Field::Wr);
        std::int64_t bank = i.get(write ? Field::WrBank : Field::RdBank);
        if (const Block *block = blockOf(issue, bank))
          if (std::int64_t row =
                  i.get(write ? Field::WrRow : Field::RdRow) + copy * i.get(write ? Field::WrStep : Field::RdStep);
              row >= block->row && row < block->row + block->rows)
            note(bank, row, cycle, write);
      } else if (std::int64_t bank = i.get(isa::Field::Bank); const Block *block = blockOf(issue, bank)) {
        // Rows chosen by data: any row of the object.
        for (std::int64_t row = block->row; row < block->row + block->rows; ++row)
          note(bank, row, cycle, i.opcode == isa::Opcode::Scatter);
      }
    }
  }

  const Block *blockOf(const Issue &issue, std::int64_t bank) const {
    auto blocks = banks.find({issue.queue, static_cast<int>(bank)});
    if (blocks == banks.end())
      return nullptr;
    for (const Block *block : blocks->second)
      if (block->object == issue.object)
        return block;
    return nullptr;
  }

  Fault replay(const Row &row, const std::vector<Event> &events) const {
    const Event *last = nullptr; // the last write
    for (const Event &event : events) {
      if (event.write)
        last = &event;
      else if (last && last->object != event.object)
        return fmt::format("row {} of bank {} of {} is read for '{}' in cycle {} ('{}'), but holds '{}' since the "
                           "write of cycle {} ('{}')",
                           std::get<2>(row), std::get<1>(row), isa::queueName(isa::queueAt(machine, std::get<0>(row))),
                           problem.objects[event.object], event.cycle, *event.label, problem.objects[last->object],
                           last->cycle, *last->label);
    }
    return std::nullopt;
  }

  const isa::Machine &machine;
  const Problem &problem;
  std::map<std::pair<int, int>, std::vector<const Block *>> banks; ///< (queue, bank): blocks that meet another one
  std::map<Row, std::vector<Event>> history;
};

class WeightBuffers {
public:
  explicit WeightBuffers(const isa::Machine &machine) : machine(machine) {}

  Fault run(const Problem &problem, const Solution &solution) {
    Fault fault;
    forEachIssue(problem, solution, [&](const Issue &issue, Cycle at, const std::string &label) {
      if (issue.queue < 0 || fault)
        return;
      isa::QueueId queue = isa::queueAt(machine, issue.queue);
      Plane &plane = planes[{queue.side, queue.index}];
      if (issue.instruction.opcode == isa::Opcode::LoadWeights)
        fault = load(plane, issue, at, label);
      else if (issue.instruction.opcode == isa::Opcode::Activate && issue.instruction.get(isa::Field::Install))
        fault = install(plane, issue, at, label);
    });
    return fault;
  }

private:
  struct Plane {
    std::optional<Cycle> installed; ///< when the tile before was
    Cycle lastLoad = -1;            ///< of the tile to come
    const std::string *installLabel = nullptr;
  };

  /// The rows of a tile come after the install before, in whose cycle they would still be the other tile's (T5.5).
  Fault load(Plane &plane, const Issue &issue, Cycle at, const std::string &label) const {
    if (plane.installed && at <= *plane.installed)
      return fmt::format("'{}' loads the weight buffer of {} in cycle {}, before the tile of '{}' is installed from it "
                         "in cycle {}",
                         label, name(issue), at, *plane.installLabel, *plane.installed);
    plane.lastLoad = std::max(plane.lastLoad, at + lastCopy(issue));
    return std::nullopt;
  }

  Fault install(Plane &plane, const Issue &issue, Cycle at, const std::string &label) const {
    if (plane.installed && at <= *plane.installed)
      return fmt::format("'{}' installs a tile of {} in cycle {}, the tile before it in cycle {}", label, name(issue),
                         at, *plane.installed);
    if (plane.lastLoad > at)
      return fmt::format("'{}' installs a tile of {} in cycle {}, but its rows are loaded until cycle {}", label,
                         name(issue), at, plane.lastLoad);
    plane.installed = at, plane.installLabel = &label, plane.lastLoad = -1;
    return std::nullopt;
  }

  std::string name(const Issue &issue) const { return isa::queueName(isa::queueAt(machine, issue.queue)); }

  const isa::Machine &machine;
  std::map<std::pair<isa::Side, int>, Plane> planes;
};

} // namespace

Fault verifyContents(const isa::Machine &machine, const Problem &problem, const Solution &solution) {
  if (Fault fault = WeightBuffers(machine).run(problem, solution))
    return fault;
  return Rows(machine, problem).run(solution);
}

} // namespace lpu::compiler::sched
