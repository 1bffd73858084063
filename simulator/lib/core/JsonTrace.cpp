// Events are appended; then the closing brackets are written and the file position
// moves back in front of them, so that what is on disk is valid JSON whenever the
// run ends.
#include "FileSink.h"
#include "TraceWriter.h"

#include <fmt/format.h>

namespace lpu::sim {

namespace {

std::string quoted(const std::string &text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\')
      out += '\\', out += c;
    else if (static_cast<unsigned char>(c) < 0x20)
      out += fmt::format("\\u{:04x}", static_cast<int>(c));
    else
      out += c;
  }
  return out + '"';
}

class JsonTrace final : public TraceWriter {
public:
  JsonTrace(std::unique_ptr<FileSink> to, const isa::Machine &machine) : file(std::move(to)) {
    file->write(
        fmt::format("{{\"displayTimeUnit\":\"ns\",\"otherData\":{{\"time\":\"1 us in this trace is 1 chip cycle\","
                    "\"machine\":{},\"clock_ghz\":{}}},\"traceEvents\":[\n",
                    quoted(machine.name), machine.clockGHz));
    finish();
  }

  void addChip(int chip, const std::vector<std::string> &tracks, const std::vector<std::string> &names) override {
    counters = names;
    event(fmt::format("{{\"ph\":\"M\",\"pid\":{},\"name\":\"process_name\",\"args\":{{\"name\":\"chip {}\"}}}}", chip,
                      chip));
    for (std::size_t track = 0; track < tracks.size(); ++track)
      event(fmt::format("{{\"ph\":\"M\",\"pid\":{},\"tid\":{},\"name\":\"thread_name\",\"args\":{{\"name\":\"{}\"}}}}",
                        chip, track, tracks[track]));
  }

  void slice(int chip, int track, isa::Cycle from, isa::Cycle length, const std::string &name) override {
    event(fmt::format("{{\"ph\":\"X\",\"pid\":{},\"tid\":{},\"ts\":{},\"dur\":{},\"name\":{}}}", chip, track, from,
                      length, quoted(name)));
  }

  void counter(int chip, int counter, isa::Cycle at, double value) override {
    event(fmt::format("{{\"ph\":\"C\",\"pid\":{},\"ts\":{},\"name\":{},\"args\":{{\"value\":{:.4g}}}}}", chip, at,
                      quoted(counters[static_cast<std::size_t>(counter)]), value));
  }

  void finish() override { file->writeTail("\n]}\n"); }
  Status close() override { return file->close(); }

private:
  void event(const std::string &json) {
    if (!first)
      file->write(",\n");
    first = false;
    file->write(json);
  }

  const std::unique_ptr<FileSink> file;
  std::vector<std::string> counters;
  bool first = true;
};

} // namespace

Result<std::unique_ptr<TraceWriter>> openJsonTrace(const std::string &path, const isa::Machine &machine) {
  auto file = FileSink::open(path);
  if (!file)
    return file.error();
  return std::unique_ptr<TraceWriter>(new JsonTrace(std::move(*file), machine));
}

} // namespace lpu::sim
