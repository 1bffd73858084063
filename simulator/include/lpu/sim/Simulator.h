// The simulator's public face, and the only simulator header the runtime sees.
// One Simulator per process: SystemC elaborates once.
#pragma once

#include "lpu/isa/Program.h"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace lpu::sim {

enum class Engine { Event, Clocked };
enum class Mode { Functional, Timing };

struct Options {
  Engine engine = Engine::Event;
  Mode mode = Mode::Functional;
  std::string tracePath; ///< Perfetto JSON; empty: no trace
};

/// A hazard of docs/spec/timing.md. The run cannot go on after one.
struct Violation {
  std::string category;    ///< as in T9, e.g. "stream-collision"
  isa::Cycle cycle = 0;    ///< within the step
  int chip = 0;
  std::string queue;       ///< queue name
  std::string instruction; ///< disassembled
  std::string detail;      ///< the arithmetic
  /// "violation stream-collision at cycle 118, chip 0, vxm.3: addf …: …" on one line.
  std::string str() const;
};

struct StepResult {
  isa::Cycle cycles = 0;         ///< measured from SystemC time (T1.5)
  std::uint64_t instructions = 0; ///< words dispatched, reissues included
  std::optional<Violation> violation;
};

class Simulator {
public:
  /// `program` must outlive the simulator. Error: unusable program, trace file not writable.
  static Result<std::unique_ptr<Simulator>> create(const isa::Program &program, const Options &options);
  virtual ~Simulator() = default;

  /// Writes an input binding's rows (host side, between steps). `data` holds
  /// items × elements values; a broadcast input (elements == 1) fills all lanes.
  virtual void writeInput(const isa::Binding &binding, std::span<const std::uint8_t> data) = 0;
  /// Runs step program `index` from its opening SYNC to its last effect.
  virtual StepResult run(std::size_t index) = 0;
  /// Reads an output binding: items × elements values, `width` bytes each.
  virtual std::vector<std::uint8_t> readOutput(const isa::Binding &binding) const = 0;
  /// Zero regions back to zeros (a new sequence).
  virtual void clearState() = 0;
  /// SHA-256 over every row of the chip in (side, slice, bank, row) order; rows never written count as zeros.
  virtual std::array<std::uint8_t, 32> memorySha256() const = 0;
  /// One row, for tests and the debugger; rows never written read as zeros.
  virtual std::vector<std::uint8_t> peek(isa::Side side, int slice, int bank, int row) const = 0;
};

} // namespace lpu::sim
