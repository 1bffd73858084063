// Instructions decoded once per step program into small unit-specific records,
// so that a dispatch reads a few bytes instead of unpacking a word. Static
// faults of a word are kept in `problem` and reported when it dispatches.
#pragma once

#include "lpu/isa/Instruction.h"
#include "lpu/isa/Machine.h"

#include <cstdint>
#include <string>
#include <vector>

namespace lpu::sim {

using isa::Cycle;
using isa::Direction;

enum class OpKind : std::uint8_t { Illegal, Nop, Repeat, Sync, Notify, Config, IFetch, Unit };

struct StreamRef {
  Direction dir;
  std::uint8_t stream;
};

struct RepeatOp {
  std::uint32_t count, interval, window, span;
};
struct MemOp {
  bool read, write;
  std::uint8_t readBank, writeBank;
  StreamRef readTo, writeFrom;
  std::int16_t readRow, readStep, writeRow, writeStep;
};
/// gather and scatter
struct MappedOp {
  std::uint8_t bank, mapLane;
  StreamRef map, data;
};
struct VxmOperand {
  isa::OperandKind kind;
  std::uint8_t index, bytes;
  Direction dir;
};
struct VxmOp {
  VxmOperand operands[3];
  std::uint8_t operandCount, outBytes;
  bool out, accumulate;
  std::int32_t latency;
  StreamRef result;
  std::uint32_t immediate;
};
struct WeightsOp {
  std::uint8_t stream, rowGroup;
  std::int16_t step;
  bool packed; ///< int4: the row group's weights in the low nibbles, the next one's in the high nibbles
};
struct ActivateOp {
  bool load, play, install, fp16;
  std::uint8_t loadStream;
  std::int16_t loadRow, loadStep, playRow, playStep;
  std::uint32_t mask;
};
struct AccumulateOp {
  isa::AccMode mode;
  bool emit;
  std::uint8_t stream;
  std::int16_t row, step;
};
struct SxmOp {
  StreamRef source, second, result;
  std::int16_t amount;
  std::uint8_t map;
};

struct Op {
  OpKind kind = OpKind::Illegal;
  isa::Opcode opcode = isa::Opcode::Nop;
  std::uint16_t label = 0;
  /// Cycles from the last dispatch of the word to the next word of the queue (nop n: n).
  std::uint32_t gap = 1;
  std::uint16_t copies = 0; ///< that the word itself carries
  isa::Word raw{};
  const char *problem = nullptr;
  union {
    RepeatOp repeat;
    StreamRef link; ///< ifetch, send, receive
    MemOp mem;
    MappedOp mapped;
    VxmOp vxm;
    WeightsOp weights;
    ActivateOp activate;
    AccumulateOp accumulate;
    SxmOp sxm;
  };
  Op() : repeat{} {}

  /// Cycles from the word's last copy, its own or that of a REPEAT behind it, to the word after those.
  Cycle gapBehindCopies() const { return kind == OpKind::Nop ? 1 : gap; }
};

struct Source;

/// What a queue hands to its unit: one word in one cycle, or (event engine only)
/// a burst of copies of it, `interval` cycles apart, the first one at `time`.
struct Dispatch {
  const Op *op = nullptr; ///< null: nothing to dispatch
  Cycle time = 0;         ///< absolute chip cycle
  std::int32_t copy = 0;  ///< reissue number of REPEAT; step fields count this often
  std::int32_t count = 1;
  Cycle interval = 1;
  /// In a wired program where its samples come from, one entry each; null: from the streams.
  const Source *sources = nullptr;
  std::int32_t part = 0;    ///< number of this copy within the burst that `sources` and `result` are of
  std::uint32_t result = 0; ///< wired: register of what the burst's first copy drives

  /// Copy `k` of the burst as a dispatch of its own.
  Dispatch single(std::int32_t k) const {
    return {op, time + k * interval, copy + k, 1, interval, sources, part + k, result};
  }
  Cycle last() const { return time + (count - 1) * interval; }
};

/// A dispatch and the cycle to execute it in, both counted from the release.
struct Issue {
  Dispatch dispatch;
  Cycle at = 0;
  int queue = 0;
};

/// Decodes one word of `queue` and appends it to `ops`, whose earlier entries
/// are the words before it (REPEAT checks its window against them).
void decodeOp(const isa::Machine &machine, isa::QueueId queue, const isa::Word &word, std::uint16_t label,
              std::vector<Op> &ops);
/// The instruction as text, for diagnostics.
std::string describe(const Op &op);

} // namespace lpu::sim
