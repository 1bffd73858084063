// A flow as the scheduler sees it: a rigid pattern of issue slots, stream slots
// and accesses, everything relative to the flow's start cycle. No dialect here.
#pragma once

#include "lpu/isa/Instruction.h"
#include "lpu/isa/Machine.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lpu::compiler::sched {

using isa::Cycle;

/// A stream group to be chosen: `width` streams, aligned to `width`.
struct StreamGroup {
  isa::Direction direction = isa::Direction::East;
  int width = 1;
};

/// Byte `byte` of a group occupies positions [low, high] for slots tau … tau + count − 1.
struct Segment {
  int group = 0, byte = 0;
  int low = 0, high = 0;
  Cycle tau = 0;
  int count = 1;
};

/// What an issue takes of its queue's slot. A word of an MXM activation queue loads and plays (or installs), one of a
/// memory slice reads and writes, so two flows may share it; in memory, if they are at different banks.
enum class Half : std::uint8_t { Whole, First, Second };

/// An instruction dispatched at `at`; `count` copies, `window` words apart (the
/// copies repeat this issue and the window − 1 issues of the queue before it).
struct Issue {
  int queue = -1; ///< dense queue number, or −1: the queue of ALU `alu`
  int alu = -1;   ///< index into FlowShape::alus
  Cycle at = 0;
  int count = 1;
  int window = 1;
  Half half = Half::Whole;
  int object = -1; ///< whose rows a memory word reads or writes; −1: nobody's that is known
  isa::Instruction instruction;
  struct StreamField {
    isa::Field field;
    int group, byte;
  };
  struct AluField {
    isa::Field field;
    int alu;
  };
  std::vector<StreamField> streamFields; ///< filled with the chosen streams
  std::vector<AluField> aluFields;       ///< filled with the chosen ALUs
};

/// An ALU to be chosen. Its accumulator is reserved over [accFrom, accTo] if accTo ≥ accFrom.
struct AluUse {
  Cycle accFrom = 0, accTo = -1;
};

/// What a flow touches. Conflicting accesses keep program order.
struct Access {
  enum class Kind : std::uint8_t {
    Memory,
    SharedRow,
    ActivationRow,
    AccumulatorRow,
    WeightBuffer,
    Array,
    LinkOut,
    LinkIn,
    Arrival
  };
  Kind kind = Kind::Memory;
  int where = 0; ///< object number, MXM plane, or link; SharedRow: bank of a slice, whose rows several objects may have
  std::int64_t low = 0, high = 0; ///< rows; Arrival: which vector of the link
  bool write = false;
  Cycle first = 0, last = 0; ///< cycles of the first and last access
  Cycle visible = 1;         ///< a write is visible this long after `last`
};

struct FlowShape {
  std::string label;
  std::vector<StreamGroup> groups;
  std::vector<Segment> segments;
  std::vector<Issue> issues;
  std::vector<AluUse> alus;
  std::vector<Access> accesses;
  bool tileLoad = false; ///< may run ahead of its phase
  Cycle lead = 0;        ///< its turn comes as if it were needed this much earlier
  Cycle end = 0;         ///< last effect, relative to the start

  /// Shifts everything so that the earliest issue is at 0, and computes `end`.
  void normalize(const isa::Machine &machine);
};

/// Cycles from dispatch to the slowest effect of one instruction (timing.md T1.5).
Cycle effectLatency(const isa::Machine &machine, const isa::Instruction &instruction);
/// The bank that an issue of half a memory word is at; nothing for all other issues.
std::optional<int> bankOf(const Issue &issue);
/// Cycles after an issue's first dispatch at which its last copy dispatches.
inline Cycle lastCopy(const Issue &issue) { return Cycle{issue.count - 1} * issue.window; }

/// Where a flow was put.
struct Placement {
  Cycle start = 0;
  std::vector<int> streams; ///< first stream of each group
  std::vector<int> alus;    ///< ALU of each AluUse
};

} // namespace lpu::compiler::sched
