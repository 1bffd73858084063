// Changes are gathered chip by chip, sorted by time at the end of a step, and
// appended. Who ran first does not show.
#include "Vcd.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fmt/format.h>

namespace lpu::sim {

namespace {

enum QueueSignal { kOpcode, kActive, kOperation, kQueueSignals };
enum ProbeSignal { kValid, kValue, kProbeSignals };

/// Short names of signals: printable characters from '!' on.
std::string idOf(std::size_t number) {
  std::string id;
  do {
    id += static_cast<char>('!' + number % 94);
    number /= 94;
  } while (number > 0);
  return id;
}

std::string bits(std::uint64_t value, int width) {
  std::string text;
  for (int bit = width - 1; bit >= 0; --bit)
    text += value >> bit & 1 ? '1' : '0';
  return text;
}

/// Strings of a VCD end at a blank.
std::string word(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c <= ' ' || c >= 0x7F; }, '_');
  return text;
}

std::string probeName(const StreamProbe &probe) {
  return fmt::format("{}{}_at_{}{}", probe.ref.dir == Direction::East ? 'e' : 'w', static_cast<int>(probe.ref.stream),
                     probe.position < 0 ? "w" : "e", std::abs(probe.position));
}

Cycle latencyOf(const isa::Machine &machine, const Op &op) {
  if (op.opcode != isa::Opcode::Activate)
    return std::max<Cycle>(1, isa::latencyOf(machine, op.opcode));
  return op.activate.play ? machine.latency.MxmPlay : machine.latency.MxmLoad;
}

} // namespace

Result<StreamProbe> parseProbe(const isa::Machine &machine, const std::string &text) {
  const std::size_t at = text.find('@');
  int stream = -1, position = 0;
  const auto number = [&](std::size_t from, std::size_t to, int &value) {
    const auto [end, error] = std::from_chars(text.data() + from, text.data() + to, value);
    return error == std::errc() && end == text.data() + to && from < to;
  };
  const bool good = at != std::string::npos && at > 1 && (text[0] == 'e' || text[0] == 'w') && number(1, at, stream) &&
                    number(at + 1, text.size(), position);
  if (!good)
    return Error{"",
                 fmt::format("'{}' names no stream register; write e4@-3 for stream 4 eastwards at position -3", text)};
  if (stream < 0 || stream >= machine.streamsPerDirection || std::abs(position) > machine.maxPosition())
    return Error{"", fmt::format("'{}' is no register of machine '{}': streams are 0 to {}, positions {} to {}", text,
                                 machine.name, machine.streamsPerDirection - 1, -machine.maxPosition(),
                                 machine.maxPosition())};
  return StreamProbe{{text[0] == 'e' ? Direction::East : Direction::West, static_cast<std::uint8_t>(stream)}, position};
}

ChipVcd::ChipVcd(const std::vector<StreamProbe> &probes, int chip) : probes(probes), chip(chip), last(probes.size()) {}

void ChipVcd::beginStep(const isa::StepProgram &program, isa::Cycle cycleZero) {
  step = &program;
  zero = cycleZero;
}

/// The first superlane's 16 bytes, highest lane first, as a number of 128 bits would be written.
void ChipVcd::sample(std::size_t probe, isa::Cycle at, const VectorValue *value) {
  std::string text;
  if (value && value->hasPayload())
    for (int lane = 15; lane >= 0; --lane)
      text += bits(value->data()[lane], 8);
  else if (value)
    text = "x";
  if (at < zero || at - zero < from || at - zero > to || last[probe] == text)
    return;
  last[probe] = text;
  samples.push_back({probe, at - zero, std::move(text)});
}

Result<std::unique_ptr<Vcd>> Vcd::open(const std::string &path, const isa::Machine &machine, VcdOptions options) {
  auto file = FileSink::open(path);
  if (!file)
    return file.error();
  return std::unique_ptr<Vcd>(new Vcd(std::move(*file), machine, std::move(options)));
}

Vcd::Vcd(std::unique_ptr<FileSink> file, const isa::Machine &machine, VcdOptions options)
    : file(std::move(file)), machine(machine), options(std::move(options)) {}

Status Vcd::close() {
  if (!declared)
    declare();
  return file->close();
}

ChipVcd *Vcd::addChip(int chip) {
  chips.push_back(std::make_unique<ChipVcd>(options.probes, chip));
  moveWindow(*chips.back());
  return chips.back().get();
}

void Vcd::moveWindow(ChipVcd &chip) const {
  chip.from = options.from - base;
  chip.to = options.to == INT64_MAX ? INT64_MAX : options.to - base;
}

std::size_t Vcd::signalsPerChip() const {
  return static_cast<std::size_t>(isa::queueCount(machine)) * kQueueSignals + options.probes.size() * kProbeSignals;
}
std::size_t Vcd::signal(std::size_t chip, int queue, int which) const {
  return chip * signalsPerChip() + static_cast<std::size_t>(queue * kQueueSignals + which);
}
std::size_t Vcd::probeSignal(std::size_t chip, std::size_t probe, int which) const {
  return signal(chip, isa::queueCount(machine), 0) + probe * kProbeSignals + static_cast<std::size_t>(which);
}

void Vcd::declare() {
  declared = true;
  file->write(
      fmt::format("$comment a nanosecond is a cycle of machine {} $end\n$timescale 1 ns $end\n", word(machine.name)));
  std::string initial;
  for (std::size_t c = 0; c < chips.size(); ++c) {
    file->write(fmt::format("$scope module chip{} $end\n", chips[c]->chip));
    const auto variable = [&](const char *type, int width, std::size_t number, const std::string &name) {
      file->write(fmt::format("$var {} {} {} {} $end\n", type, width, idOf(number), name));
    };
    for (int q = 0; q < isa::queueCount(machine); ++q) {
      std::string name = isa::queueName(isa::queueAt(machine, q));
      std::replace(name.begin(), name.end(), '.', '_');
      file->write(fmt::format("$scope module {} $end\n", name));
      variable("reg", 8, signal(c, q, kOpcode), "opcode");
      variable("wire", 1, signal(c, q, kActive), "active");
      variable("string", 1, signal(c, q, kOperation), "operation");
      file->write("$upscope $end\n");
      initial += fmt::format("bz {}\n0{}\ns- {}\n", idOf(signal(c, q, kOpcode)), idOf(signal(c, q, kActive)),
                             idOf(signal(c, q, kOperation)));
    }
    for (std::size_t p = 0; p < options.probes.size(); ++p) {
      file->write(fmt::format("$scope module stream_{} $end\n", probeName(options.probes[p])));
      variable("wire", 1, probeSignal(c, p, kValid), "valid");
      variable("reg", 128, probeSignal(c, p, kValue), "superlane0");
      file->write("$upscope $end\n");
      initial += fmt::format("0{}\nbz {}\n", idOf(probeSignal(c, p, kValid)), idOf(probeSignal(c, p, kValue)));
    }
    file->write("$upscope $end\n");
  }
  file->write(fmt::format("$enddefinitions $end\n#{}\n$dumpvars\n{}$end\n", std::max<Cycle>(options.from, 0), initial));
}

/// Words of one queue in order of time. An opcode stands for a cycle; work is under way until its effect.
void Vcd::addQueue(const std::vector<ChipVcd::Word> &words, const ChipVcd &chip, std::size_t first,
                   std::vector<Change> &changes) const {
  const std::string opcode = idOf(first + kOpcode), active = idOf(first + kActive), text = idOf(first + kOperation);
  Cycle busyUntil = INT64_MIN;
  int label = -1;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const ChipVcd::Word &w = words[i];
    changes.push_back({w.at, fmt::format("b{} {}", bits(static_cast<std::uint64_t>(w.op->opcode), 8), opcode)});
    if (i + 1 == words.size() || words[i + 1].at != w.at + 1)
      changes.push_back({w.at + 1, "bz " + opcode});
    if (w.op->label != label && w.op->label < chip.step->labels.size())
      changes.push_back({w.at, fmt::format("s{} {}", word(chip.step->labels[w.op->label]), text)});
    label = w.op->label;
    if (w.at > busyUntil) {
      if (busyUntil != INT64_MIN)
        changes.push_back({busyUntil, "0" + active});
      changes.push_back({w.at, "1" + active});
    }
    busyUntil = std::max(busyUntil, w.at + latencyOf(machine, *w.op));
  }
  if (!words.empty())
    changes.push_back({busyUntil, "0" + active});
}

void Vcd::addWords(const ChipVcd &chip, std::size_t number, std::vector<Change> &changes) const {
  std::vector<std::vector<ChipVcd::Word>> queues(static_cast<std::size_t>(isa::queueCount(machine)));
  for (const ChipVcd::Word &w : chip.words)
    queues[static_cast<std::size_t>(w.queue)].push_back(w);
  for (int q = 0; q < static_cast<int>(queues.size()); ++q) {
    std::vector<ChipVcd::Word> &words = queues[static_cast<std::size_t>(q)];
    std::ranges::stable_sort(words, {}, &ChipVcd::Word::at);
    addQueue(words, chip, signal(number, q, 0), changes);
  }
  for (const ChipVcd::Sample &sample : chip.samples) {
    changes.push_back(
        {sample.at, (sample.value.empty() ? "0" : "1") + idOf(probeSignal(number, sample.probe, kValid))});
    changes.push_back({sample.at, fmt::format("b{} {}", sample.value.empty() ? "z" : sample.value,
                                              idOf(probeSignal(number, sample.probe, kValue)))});
  }
}

void Vcd::endStep(isa::Cycle cycles) {
  if (!declared)
    declare();
  std::vector<Change> changes;
  for (std::size_t c = 0; c < chips.size(); ++c) {
    addWords(*chips[c], c, changes);
    chips[c]->words.clear();
    chips[c]->samples.clear();
  }
  std::ranges::stable_sort(changes, {}, &Change::at);
  Cycle now = INT64_MIN;
  for (const Change &change : changes) {
    const Cycle at = base + change.at;
    if (at < options.from || at > options.to)
      continue;
    if (at != now)
      file->write(fmt::format("#{}\n", now = at));
    file->write(fmt::format("{}\n", change.text));
  }
  base += cycles;
  for (auto &chip : chips)
    moveWindow(*chip);
  file->flush();
}

} // namespace lpu::sim
