// Time (T1): turns the queues of a step into dispatches. Everything else the
// checker does, and the timed listing of lpu-objdump, starts from this.
#include "lpu/isa/Assembler.h"
#include "lpu/isa/Legality.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>

namespace lpu::isa {
namespace {

struct WordHash {
  std::size_t operator()(const Word &word) const {
    std::uint64_t halves[2];
    std::memcpy(halves, word.data(), sizeof halves);
    std::uint64_t h = (halves[0] ^ (halves[1] * 0x9e3779b97f4a7c15ull)) * 0xbf58476d1ce4e5b9ull;
    return h ^ (h >> 29);
  }
};

class Expander {
public:
  Expander(const Machine &m, const StepProgram &s, const LegalityOptions &o) : machine(m), step(s), options(o) {}

  Expansion run() {
    decodeAll();
    if (std::ranges::any_of(step.queues, [](const QueueCode &q) { return !q.words.empty(); }))
      checkBarrier();
    for (std::uint32_t q = 0; q < step.queues.size() && !full; ++q)
      expandQueue(q);
    sort();
    return std::move(out);
  }

private:
  const Machine &machine;
  const StepProgram &step;
  const LegalityOptions &options;
  Expansion out;
  bool full = false;

  void report(std::string category, std::uint32_t q, Cycle cycle, std::uint32_t word, std::string detail) {
    if (out.findings.size() < options.maxFindings)
      out.findings.push_back({std::move(category), cycle, step.queues[q].queue, disassemble(at(q, word)),
                              "word " + std::to_string(word) + ": " + detail});
  }

  const Instruction &at(std::uint32_t q, std::uint32_t word) const { return out.table[out.code[q][word]]; }

  void decodeAll() {
    std::unordered_map<Word, std::uint32_t, WordHash> numbers;
    for (std::uint32_t q = 0; q < step.queues.size(); ++q) {
      const std::vector<Word> &words = step.queues[q].words;
      out.code.emplace_back().reserve(words.size());
      out.due.emplace_back(words.size(), 0);
      for (std::uint32_t i = 0; i < words.size(); ++i) {
        const auto [entry, fresh] = numbers.try_emplace(words[i], static_cast<std::uint32_t>(out.table.size()));
        out.code[q].push_back(entry->second);
        if (!fresh)
          continue;
        const Result<Instruction> decoded = decode(words[i]);
        out.table.push_back(decoded ? *decoded : Instruction{}.set(Field::Count, 1));
        if (!decoded)
          report("illegal-encoding", q, 0, i, decoded.error().str());
      }
    }
  }

  /// T1.4: one notify in all, in front of its queue's opening sync.
  void checkBarrier() {
    int notifies = 0;
    for (std::uint32_t q = 0; q < step.queues.size(); ++q)
      if (const auto &code = out.code[q]; !code.empty() && out.table[code[0]].opcode == Opcode::Notify)
        if (++notifies > 1)
          report("illegal-encoding", q, 0, 0, "a second queue opens with notify; a step has exactly one barrier");
    if (notifies == 0)
      out.findings.push_back({"overrun", -machine.latency.Barrier,
                              step.queues.empty() ? QueueId{} : step.queues[0].queue, "sync",
                              "no queue opens with notify, so no queue is ever released"});
  }

  struct QueueState {
    Cycle next = 0;           ///< dispatch of the next word
    std::uint32_t windowFrom; ///< first word a repeat may still cover
  };

  void expandQueue(std::uint32_t q) {
    const auto size = static_cast<std::uint32_t>(out.code[q].size());
    if (size == 0)
      return;
    std::uint32_t first = at(q, 0).opcode == Opcode::Notify ? 1 : 0;
    if (first >= size || at(q, first).opcode != Opcode::Sync)
      return report("illegal-encoding", q, first - machine.latency.Barrier, std::min(first, size - 1),
                    "a queue must open with sync (after its notify, if it is the one that has it)");
    QueueState state{0, first + 1};
    for (std::uint32_t i = first + 1; i < size; ++i)
      if (!word(q, i, state))
        return;
  }

  /// False when the rest of the queue has no defined time.
  bool word(std::uint32_t q, std::uint32_t i, QueueState &state) {
    const Instruction &instruction = at(q, i);
    out.due[q][i] = state.next;
    switch (instruction.opcode) {
    case Opcode::Sync:
      report("overrun", q, state.next, i, "parks the queue for good: a step has exactly one barrier");
      return false;
    case Opcode::Notify:
      report("illegal-encoding", q, state.next, i, "a notify after the release; a step has exactly one barrier");
      state.windowFrom = i + 1;
      ++state.next;
      return true;
    case Opcode::Nop: {
      const Cycle count = instruction.get(Field::Count);
      if (count < 1)
        report("illegal-encoding", q, state.next, i, "nop counts from 1");
      state.next += std::max<Cycle>(count, 1);
      return true;
    }
    case Opcode::Repeat:
      return repeat(q, i, state);
    case Opcode::IFetch:
      state.windowFrom = i + 1;
      [[fallthrough]];
    default:
      return dispatch(q, i, state);
    }
  }

  /// A word of a unit, with the copies and the wait it carries.
  bool dispatch(std::uint32_t q, std::uint32_t i, QueueState &state) {
    const Instruction &instruction = at(q, i);
    const Cycle copies = instruction.get(Field::Copies);
    if (copies > 0)
      state.windowFrom = i + 1;
    for (Cycle j = 0; j <= copies; ++j)
      if (!emit(q, i, state.next + j, static_cast<std::uint32_t>(j)))
        return false;
    state.next += copies + 1 + instruction.get(Field::Wait);
    return true;
  }

  bool repeat(std::uint32_t q, std::uint32_t i, QueueState &state) {
    const Instruction &r = at(q, i);
    const Cycle count = r.get(Field::Count), interval = r.get(Field::Interval), window = r.get(Field::Window);
    const auto from = static_cast<Cycle>(i) - window;
    if (window < 1 || from < state.windowFrom) {
      report("illegal-encoding", q, state.next, i,
             "its window of " + std::to_string(window) +
                 " words holds a sync, notify, repeat, ifetch or copies, or is empty, or starts before the release");
      return false;
    }
    state.windowFrom = i + 1;
    const std::vector<Cycle> &due = out.due[q];
    const Cycle span = due[i - 1] - due[from] + 1;
    if (interval < span) {
      report("illegal-encoding", q, state.next, i,
             "interval " + std::to_string(interval) + " is shorter than the window's span of " + std::to_string(span));
      return false;
    }
    for (Cycle j = 1; j <= count; ++j)
      for (auto w = static_cast<std::uint32_t>(from); w < i; ++w)
        if (at(q, w).opcode != Opcode::Nop && !emit(q, w, due[w] + j * interval, static_cast<std::uint32_t>(j)))
          return false;
    state.next = due[i - 1] + count * interval + 1 + at(q, i - 1).get(Field::Wait);
    return true;
  }

  bool emit(std::uint32_t q, std::uint32_t word, Cycle cycle, std::uint32_t reissue) {
    if (out.dispatches.size() >= options.maxDispatches) {
      report("overrun", q, cycle, word,
             "more than " + std::to_string(options.maxDispatches) + " dispatches in one step");
      full = true;
      return false;
    }
    out.dispatches.push_back({cycle, q, word, reissue});
    return true;
  }

  /// By cycle, queues in file order. Counting sort where the cycles are dense.
  void sort() {
    std::vector<Dispatch> &d = out.dispatches;
    Cycle last = 0;
    for (const Dispatch &x : d)
      last = std::max(last, x.cycle);
    if (last > static_cast<Cycle>(8 * d.size() + 1024)) {
      std::ranges::stable_sort(d, {}, &Dispatch::cycle);
      return;
    }
    std::vector<std::size_t> start(static_cast<std::size_t>(last) + 2, 0);
    for (const Dispatch &x : d)
      ++start[static_cast<std::size_t>(x.cycle) + 1];
    for (std::size_t i = 1; i < start.size(); ++i)
      start[i] += start[i - 1];
    std::vector<Dispatch> sorted(d.size());
    for (const Dispatch &x : d)
      sorted[start[static_cast<std::size_t>(x.cycle)]++] = x;
    d = std::move(sorted);
  }
};

} // namespace

Expansion expand(const Machine &machine, const StepProgram &step, const LegalityOptions &options) {
  return Expander(machine, step, options).run();
}

Instruction reissued(const Instruction &instruction, std::uint32_t reissue, const Machine &machine) {
  Instruction copy = instruction;
  const auto advance = [&](Field row, Field stepField) {
    copy.set(row, copy.get(row) + static_cast<std::int64_t>(reissue) * copy.get(stepField));
  };
  switch (instruction.opcode) {
  case Opcode::Mem:
    advance(Field::RdRow, Field::RdStep);
    advance(Field::WrRow, Field::WrStep);
    break;
  case Opcode::LoadWeights:
    advance(Field::RowGroup, Field::RowStep);
    if (const std::int64_t n = machine.superlanes; reissue != 0)
      copy.set(Field::RowGroup, (copy.get(Field::RowGroup) % n + n) % n);
    break;
  case Opcode::Activate:
    advance(Field::LoadRow, Field::LoadStep);
    advance(Field::PlayRow, Field::PlayStep);
    break;
  case Opcode::Accumulate:
    advance(Field::Row, Field::RowStep);
    break;
  default:
    break;
  }
  return copy;
}

Cycle effectLatency(const Machine &machine, const Instruction &i) {
  const Latencies &l = machine.latency;
  switch (i.opcode) {
  case Opcode::Nop:
  case Opcode::Repeat:
  case Opcode::Sync:
  case Opcode::Notify:
  case Opcode::Deskew:
    return -1;
  case Opcode::Config:
    return 1;
  case Opcode::Mem:
    return std::max(i.get(Field::Rd) ? l.MemRead : -1, i.get(Field::Wr) ? l.MemWrite : -1);
  case Opcode::Activate:
    return std::max({i.get(Field::Load) ? l.MxmLoad : -1, i.get(Field::Play) ? l.MxmPlay : -1,
                     i.get(Field::Install) ? l.MxmInstall : -1});
  default:
    return latencyOf(machine, i.opcode);
  }
}

} // namespace lpu::isa
