// The simulator's public face, and the only simulator header the runtime sees.
// One Simulator per process: SystemC elaborates once.
#pragma once

#include "lpu/isa/Counts.h"
#include "lpu/isa/Program.h"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lpu::sim {

enum class Engine { Event, Clocked };
enum class Mode { Functional, Timing };
enum class TraceFormat { Json, Perfetto };

/// The processes of one run that simulate a system together, as one of them sees them.
class Ranks {
public:
  virtual ~Ranks() = default;
  virtual int rank() const = 0;
  virtual int count() const = 0;
  /// Sends a message, without waiting for it to arrive; messages from one rank to another keep their order. These two
  /// may be called from any thread.
  virtual void send(int to, std::vector<std::uint8_t> message) = 0;
  /// The next message that has come, and from whom; false: there is none.
  virtual bool receive(int &from, std::vector<std::uint8_t> &message) = 0;
};

/// A VCD of a run: a nanosecond is a cycle of the run, whose steps lie one after the other.
struct Waveforms {
  std::string path;                    ///< empty: none
  isa::Cycle from = 0, to = INT64_MAX; ///< cycles that are written
  std::vector<std::string> streams;    ///< clocked engine: registers to show, "e4@-3"
};

struct Options {
  Engine engine = Engine::Event;
  Mode mode = Mode::Functional;
  std::string tracePath; ///< empty: no trace
  /// Timing mode: simulate every chip, also where one could stand for several that
  /// behave alike. What is measured is the same. Functional mode always does.
  bool allChips = false;
  /// Event engine: host threads that run chips of a system at the same time. What is measured is the same.
  int threads = 1;
  /// The other processes that take part; null: none. To be called on rank 0; the others call serveRank. Event engine.
  Ranks *ranks = nullptr;
  TraceFormat traceFormat = TraceFormat::Json;
  /// Table that the curve of power in a trace is priced with: a preset or a file.
  std::string energyModel = "gf14";
  Waveforms vcd{};
};

/// A hazard of docs/spec/timing.md. The run cannot go on after one.
struct Violation {
  std::string category; ///< as in T9, e.g. "stream-collision"
  isa::Cycle cycle = 0; ///< within the step
  int chip = 0;
  std::string queue;       ///< queue name
  std::string instruction; ///< disassembled
  std::string detail;      ///< the arithmetic
  /// "violation stream-collision at cycle 118, chip 0, vxm.3: addf …: …" on one line.
  std::string str() const;
};

struct StepResult {
  isa::Cycle cycles = 0;              ///< until the last effect that any chip notes, counted from the release (T1.5)
  std::uint64_t instructions = 0;     ///< words dispatched on all chips, reissues included
  std::vector<isa::Cycle> chipCycles; ///< per chip: its last effect, counted from the release; 0: took no part
  isa::Counts counts;                 ///< of all chips: what was executed (docs/spec/counts.md)
  std::optional<Violation> violation; ///< of the rest then only `cycles` counts: when it was
};

class Simulator {
public:
  /// `program` must outlive the simulator. Error: unusable program, trace file not writable.
  static Result<std::unique_ptr<Simulator>> create(const isa::Program &program, const Options &options);
  virtual ~Simulator() = default;

  /// Writes an input of step program `step` (host side, between steps) on every chip
  /// that has it. `data` holds items × elements values; a broadcast input
  /// (elements == 1) fills all lanes.
  virtual void writeInput(std::size_t step, std::string_view name, std::span<const std::uint8_t> data) = 0;
  /// Runs system step `step` from its opening SYNC to its last effect.
  virtual StepResult run(std::size_t step) = 0;
  /// Reads an output: items × elements values, `width` bytes each; `elements` of an
  /// item are those of all chips that have it, in order of (stage, shard).
  virtual std::vector<std::uint8_t> readOutput(std::size_t step, std::string_view name) const = 0;
  /// Zero regions back to zeros (a new sequence).
  virtual void clearState() = 0;
  /// SHA-256 over every row of every chip in (chip, side, slice, bank, row) order; rows never written count as
  /// zeros. In timing mode of the chips that are simulated.
  virtual std::array<std::uint8_t, 32> memorySha256() const = 0;
  /// One row of a chip, for tests and the debugger; rows never written read as zeros.
  virtual std::vector<std::uint8_t> peek(std::size_t chip, isa::Side side, int slice, int bank, int row) const = 0;
  /// Completes the trace and the waveforms; no step may follow. Error: one could not be written; its place is the path.
  virtual Status closeFiles() { return Ok{}; }
  /// Peak resident memory of the process that used most.
  virtual std::uint64_t largestRssBytes() const { return 0; }
};

/// Number of this process among those that mpirun has started; 0 if it was not started that way.
int launchedRank();
/// Joins the processes that mpirun has started; null: this is the only one. Error: built without MPI.
Result<std::unique_ptr<Ranks>> joinRanks();
/// In a process that mpirun has started: waits until mpirun has taken what was written to stdout and stderr. It ends
/// all processes, and drops what it has not read, as soon as one of them leaves with an error: whoever says why must
/// have been read first.
void awaitLauncher();
/// On every rank but 0: simulates chips of `program` as rank 0's simulator says, until that is dismissed. `program`:
/// null if it could not be loaded, `error` says why. Returns the exit code of the whole run.
int serveRank(const isa::Program *program, const std::string &error, Ranks &ranks);
/// On rank 0, at the end and after its simulator's: lets the others end with `exitCode`, once what was said has been
/// read.
void dismissRanks(Ranks &ranks, int exitCode);

} // namespace lpu::sim
