// Sequencing of one instruction queue (T1.3, T1.4, T8): which word dispatches
// when. Knows nothing of units, streams or SystemC. An Icu is asked for the
// cycle its next word is due and hands the word out in that cycle.
#pragma once

#include "Op.h"

#include "lpu/isa/Program.h"

#include <limits>
#include <span>
#include <vector>

namespace lpu::sim {

/// A queue's text, decoded once per step program.
struct DecodedQueue {
  isa::QueueId id;
  int number = 0;
  std::vector<Op> ops;
  std::span<const isa::Word> words;
  std::span<const std::uint16_t> labels;
};
DecodedQueue decodeQueue(const isa::Machine &machine, const isa::QueueCode &code);

class Icu {
public:
  static constexpr Cycle kNever = std::numeric_limits<Cycle>::max();

  Icu(const isa::Machine &machine, isa::QueueId id, bool residentCode);

  /// Starts a step: the first word is due at `start`. Null: the queue has no code.
  void begin(const DecodedQueue *code, Cycle start);

  /// Cycle of the next dispatch; kNever when parked or at the end.
  Cycle due() const { return next; }
  bool parked() const { return waiting; }
  bool finished() const { return !waiting && next == kNever; }
  /// Ends a park: the next word is due at `now`.
  void release(Cycle now);
  /// Ends a park and the text with it: somebody else dispatches the words after it.
  void leave() { waiting = false, pc = total; }

  /// The word due at `now`, which must equal due(). op is null when the word
  /// has not arrived (see underflow()) or a fetched REPEAT only moved due().
  Dispatch take(Cycle now);
  /// The last take found no word where one was due.
  bool underflow() const { return starved; }

  /// T8: words an ifetch of this machine brings, and those free now.
  int fetchWords() const { return wordsPerFetch; }
  int freeWords() const { return queueWords - static_cast<int>(present - pc); }
  /// Takes the words at `bytes` (null: timing mode, the text itself), dispatchable from `at` on.
  void append(const std::uint8_t *bytes, Cycle at);

  bool resident() const { return residentCode; }
  isa::QueueId id() const { return queue; }

private:
  struct Arrival {
    std::size_t end; ///< words below this index have arrived
    Cycle at;
  };
  bool arrived(std::size_t index, Cycle now) const;
  const Op *ops() const { return residentCode ? code->ops.data() : fetched.data(); }
  Dispatch takeRepeated(Cycle now);
  /// If the next word is a valid REPEAT that is present, enters it.
  void enterRepeat(Cycle now);
  /// From now on the words before `end` are issued again.
  void reissue(const RepeatOp &repeat, std::size_t end);
  void scheduleAfter(Cycle at);

  const isa::Machine &machine;
  isa::QueueId queue;
  bool residentCode;
  int queueWords, wordsPerFetch;

  const DecodedQueue *code = nullptr;
  std::vector<Op> fetched;       ///< without resident code: what has been decoded so far
  std::vector<Arrival> arrivals; ///< of the words beyond the preloaded ones
  std::size_t total = 0, present = 0, pc = 0;
  Cycle next = kNever;
  Cycle last = 0; ///< dispatch cycle of the word before pc
  bool waiting = false, starved = false;

  const RepeatOp *active = nullptr;
  RepeatOp own{}; ///< copies that a word carries, as a REPEAT behind it
  std::size_t windowStart = 0, windowAt = 0;
  std::uint32_t copy = 0;
  Cycle firstIssue = 0;
};

} // namespace lpu::sim
