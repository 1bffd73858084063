// The five message types of Perfetto's format that a trace of ours needs, written by
// hand: a packet is a length-delimited field 1 of the file, so a file is complete
// after every packet. Names are sent once and referred to by number.
#include "FileSink.h"
#include "TraceWriter.h"

#include <bit>
#include <map>

namespace lpu::sim {

namespace {

/// A protobuf message as it grows.
class Message {
public:
  Message &number(int field, std::uint64_t value) {
    varint(static_cast<std::uint64_t>(field) << 3);
    varint(value);
    return *this;
  }
  Message &real(int field, double value) {
    varint(static_cast<std::uint64_t>(field) << 3 | 1);
    const auto bits = std::bit_cast<std::uint64_t>(value);
    for (int byte = 0; byte < 8; ++byte)
      bytes += static_cast<char>(bits >> (8 * byte) & 0xFF);
    return *this;
  }
  Message &text(int field, const std::string &value) {
    varint(static_cast<std::uint64_t>(field) << 3 | 2);
    varint(value.size());
    bytes += value;
    return *this;
  }
  Message &message(int field, const Message &value) { return text(field, value.bytes); }

  std::string bytes;

private:
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7)
      bytes += static_cast<char>(value | 0x80);
    bytes += static_cast<char>(value);
  }
};

// Field numbers, by message.
namespace trace {
constexpr int kPacket = 1;
}
namespace packet {
constexpr int kTimestamp = 8, kSequence = 10, kTrackEvent = 11, kInternedData = 12, kFlags = 13, kTrackDescriptor = 60;
constexpr std::uint64_t kStateCleared = 1, kNeedsState = 2;
} // namespace packet
namespace descriptor {
constexpr int kUuid = 1, kName = 2, kProcess = 3, kThread = 4, kParent = 5, kCounter = 8;
constexpr int kPid = 1, kProcessName = 6, kTid = 2, kThreadName = 5, kUnitName = 6;
} // namespace descriptor
namespace event {
constexpr int kType = 9, kNameIid = 10, kTrack = 11, kDouble = 44;
constexpr std::uint64_t kBegin = 1, kEnd = 2, kCounter = 4;
} // namespace event
namespace interned {
constexpr int kEventNames = 2, kIid = 1, kName = 2;
}

class PerfettoTrace final : public TraceWriter {
public:
  explicit PerfettoTrace(std::unique_ptr<FileSink> file) : file(std::move(file)) {}

  void addChip(int chip, const std::vector<std::string> &tracks, const std::vector<std::string> &counters) override {
    const std::uint64_t process = processOf(chip), pid = static_cast<std::uint64_t>(chip) + 1;
    describe(Message()
                 .number(descriptor::kUuid, process)
                 .message(descriptor::kProcess, Message()
                                                    .number(descriptor::kPid, pid)
                                                    .text(descriptor::kProcessName, "chip " + std::to_string(chip))));
    for (std::size_t track = 0; track < tracks.size(); ++track)
      describe(Message()
                   .number(descriptor::kUuid, trackOf(chip, static_cast<int>(track)))
                   .number(descriptor::kParent, process)
                   .message(descriptor::kThread, Message()
                                                     .number(descriptor::kPid, pid)
                                                     .number(descriptor::kTid, trackOf(chip, static_cast<int>(track)))
                                                     .text(descriptor::kThreadName, tracks[track])));
    for (std::size_t counter = 0; counter < counters.size(); ++counter) {
      const std::string &name = counters[counter];
      describe(
          Message()
              .number(descriptor::kUuid, counterOf(chip, static_cast<int>(counter)))
              .number(descriptor::kParent, process)
              .text(descriptor::kName, name)
              .message(descriptor::kCounter, Message().text(descriptor::kUnitName, name.substr(name.rfind(' ') + 1))));
    }
  }

  void slice(int chip, int track, isa::Cycle from, isa::Cycle length, const std::string &name) override {
    Message begin;
    begin.number(event::kType, event::kBegin).number(event::kTrack, trackOf(chip, track));
    const auto [known, fresh] = names.try_emplace(name, names.size() + 1);
    begin.number(event::kNameIid, known->second);
    Message own = at(from, begin);
    if (fresh)
      own.message(packet::kInternedData,
                  Message().message(interned::kEventNames,
                                    Message().number(interned::kIid, known->second).text(interned::kName, name)));
    write(own);
    write(at(from + length, Message().number(event::kType, event::kEnd).number(event::kTrack, trackOf(chip, track))));
  }

  void counter(int chip, int counter, isa::Cycle cycle, double value) override {
    write(at(cycle, Message()
                        .number(event::kType, event::kCounter)
                        .number(event::kTrack, counterOf(chip, counter))
                        .real(event::kDouble, value)));
  }

  void finish() override { file->flush(); }
  Status close() override { return file->close(); }

private:
  static constexpr std::uint64_t kSequence = 1, kCounters = 0x8000;

  static std::uint64_t processOf(int chip) { return (static_cast<std::uint64_t>(chip) + 1) << 16; }
  static std::uint64_t trackOf(int chip, int track) { return processOf(chip) + 1 + static_cast<std::uint64_t>(track); }
  static std::uint64_t counterOf(int chip, int counter) {
    return processOf(chip) + kCounters + static_cast<std::uint64_t>(counter);
  }

  Message at(isa::Cycle cycle, const Message &trackEvent) const {
    Message own;
    own.number(packet::kTimestamp, static_cast<std::uint64_t>(cycle) * 1000);
    return own.message(packet::kTrackEvent, trackEvent);
  }
  void describe(const Message &track) { write(Message().message(packet::kTrackDescriptor, track)); }

  void write(Message own) {
    own.number(packet::kSequence, kSequence)
        .number(packet::kFlags, cleared ? packet::kNeedsState : packet::kStateCleared | packet::kNeedsState);
    cleared = true;
    file->write(Message().message(trace::kPacket, own).bytes);
  }

  const std::unique_ptr<FileSink> file;
  std::map<std::string, std::uint64_t> names;
  bool cleared = false;
};

} // namespace

Result<std::unique_ptr<TraceWriter>> openPerfettoTrace(const std::string &path) {
  auto file = FileSink::open(path);
  if (!file)
    return file.error();
  return std::unique_ptr<TraceWriter>(new PerfettoTrace(std::move(*file)));
}

} // namespace lpu::sim
