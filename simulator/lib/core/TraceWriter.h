// Where a trace goes: tracks of a chip, slices and counter values on them, in chip
// cycles from the beginning of the run. One writer for each file format.
#pragma once

#include "lpu/isa/Machine.h"
#include "lpu/isa/Result.h"

#include <memory>
#include <string>
#include <vector>

namespace lpu::sim {

class TraceWriter {
public:
  virtual ~TraceWriter() = default;
  /// Track and counter names by number.
  virtual void addChip(int chip, const std::vector<std::string> &tracks, const std::vector<std::string> &counters) = 0;
  virtual void slice(int chip, int track, isa::Cycle from, isa::Cycle length, const std::string &name) = 0;
  /// Holds from `at` on.
  virtual void counter(int chip, int counter, isa::Cycle at, double value) = 0;
  /// What is on disk is a complete file from here on.
  virtual void finish() = 0;
  /// At the end. Error: something could not be written.
  virtual Status close() = 0;
};

/// Chrome's JSON, which Perfetto reads as well: a microsecond is a cycle. Error: the file cannot be written.
Result<std::unique_ptr<TraceWriter>> openJsonTrace(const std::string &path, const isa::Machine &machine);
/// Perfetto's protobuf: a thousand nanoseconds are a cycle. A third of the size. Error: the same.
Result<std::unique_ptr<TraceWriter>> openPerfettoTrace(const std::string &path);

} // namespace lpu::sim
