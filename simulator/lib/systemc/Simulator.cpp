// The public simulator, as rank 0 and a process of its own see it; and what the
// other ranks do, which is what rank 0 tells them.
#include "Part.h"

#include "../core/Exchange.h"
#include "lpu/isa/Hash.h"

#include <algorithm>
#include <fmt/format.h>
#include <sys/resource.h>

namespace lpu::sim {

namespace {

using isa::Binding;
using isa::Program;
using Kind = Message::Kind;

std::uint64_t peakRssBytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024; // Linux counts KiB
}

/// Chips in the order in which their outputs are joined.
std::vector<std::size_t> outputOrder(const Program &program) {
  std::vector<std::size_t> order(program.chips.size());
  for (std::size_t i = 0; i < order.size(); ++i)
    order[i] = i;
  std::ranges::stable_sort(order, {},
                           [&](std::size_t i) { return std::pair(program.chips[i].stage, program.chips[i].shard); });
  return order;
}

/// Tells programs apart that the ranks may have been given by mistake.
std::uint64_t fingerprint(const Program &program) {
  std::vector<std::uint64_t> values = {program.image.size(), isa::hash64(program.machineYaml)};
  for (const isa::SystemStep &step : program.steps)
    values.push_back(static_cast<std::uint64_t>(step.predictedCycles));
  for (const isa::Chip &chip : program.chips) {
    values.push_back(chip.chipClass), values.push_back(chip.imageOffset);
    for (isa::Cycle start : chip.start)
      values.push_back(static_cast<std::uint64_t>(start));
  }
  return isa::hash64({reinterpret_cast<const std::uint8_t *>(values.data()), values.size() * sizeof(values[0])});
}

void put(Message &message, const isa::Counts &counts) {
  message.put(counts.words).put(counts.values);
  for (const std::vector<std::uint64_t> *links : {&counts.sent, &counts.received}) {
    message.put(links->size());
    for (std::uint64_t vectors : *links)
      message.put(vectors);
  }
}

isa::Counts getCounts(Message &message) {
  isa::Counts counts;
  counts.words = message.get<decltype(counts.words)>();
  counts.values = message.get<decltype(counts.values)>();
  for (std::vector<std::uint64_t> *links : {&counts.sent, &counts.received}) {
    links->resize(message.get<std::size_t>());
    for (std::uint64_t &vectors : *links)
      vectors = message.get<std::uint64_t>();
  }
  return counts;
}

void put(Message &message, const PartResult &result) {
  message.put(result.place).put(result.late).put(result.step.cycles).put(result.step.instructions);
  message.put(result.step.chipCycles.size());
  for (isa::Cycle cycles : result.step.chipCycles)
    message.put(cycles);
  put(message, result.step.counts);
  message.put(result.step.violation.has_value());
  if (const std::optional<Violation> &v = result.step.violation)
    message.putText(v->category)
        .put(v->cycle)
        .put(v->chip)
        .putText(v->queue)
        .putText(v->instruction)
        .putText(v->detail);
}

PartResult getResult(Message &message) {
  PartResult result;
  result.place = message.get<decltype(result.place)>();
  result.late = message.get<bool>();
  result.step.cycles = message.get<isa::Cycle>();
  result.step.instructions = message.get<std::uint64_t>();
  result.step.chipCycles.resize(message.get<std::size_t>());
  for (isa::Cycle &cycles : result.step.chipCycles)
    cycles = message.get<isa::Cycle>();
  result.step.counts = getCounts(message);
  if (message.get<bool>()) {
    Violation &v = result.step.violation.emplace();
    v.category = message.getText(), v.cycle = message.get<isa::Cycle>(), v.chip = message.get<int>();
    v.queue = message.getText(), v.instruction = message.getText(), v.detail = message.getText();
  }
  return result;
}

/// Adds what another rank's chips did.
void join(PartResult &all, PartResult part) {
  all.step.cycles = std::max(all.step.cycles, part.step.cycles);
  all.step.instructions += part.step.instructions;
  all.step.counts.add(part.step.counts);
  for (std::size_t i = 0; i < part.step.chipCycles.size(); ++i)
    all.step.chipCycles[i] = std::max(all.step.chipCycles[i], part.step.chipCycles[i]);
  const auto first = [](const PartResult &r) { return std::pair(r.late, r.place); };
  if (part.step.violation && (!all.step.violation || first(part) < first(all))) {
    all.step.violation = std::move(part.step.violation);
    all.late = part.late;
    all.place = part.place;
  }
}

/// Drives its own part and, as rank 0, those of the others.
class WholeSystem final : public Simulator {
public:
  WholeSystem(std::unique_ptr<Exchange> exchange, std::unique_ptr<Part> part)
      : exchange(std::move(exchange)), part(std::move(part)) {}

  void writeInput(std::size_t step, std::string_view name, std::span<const std::uint8_t> data) override {
    tellAll(std::move(Message(Kind::Write).put(step).putText(name).putBytes(data)));
    part->write(step, name, data);
  }

  StepResult run(std::size_t step) override {
    if (dead)
      return {0, 0, {}, {}, dead};
    tellAll(std::move(Message(Kind::Run).put(step)));
    PartResult all = part->run(step);
    forOthers([&](Message answer) { join(all, getResult(answer)); });
    dead = all.step.violation;
    if (dead) // how far each chip has got then depends on the host
      all.step = {dead->cycle, 0, std::vector<isa::Cycle>(all.step.chipCycles.size()), {}, dead};
    return all.step;
  }

  std::vector<std::uint8_t> readOutput(std::size_t step, std::string_view name) const override {
    std::vector<std::pair<const Binding *, std::vector<std::uint8_t>>> pieces;
    std::size_t elements = 0;
    for (std::size_t chip : outputOrder(part->program))
      if (const Binding *b = findBinding(programOf(part->program, chip, step).outputs, name)) {
        pieces.emplace_back(b, readChip(chip, step, name, *b));
        elements += b->elements;
      }
    if (pieces.empty())
      return {};
    const std::size_t items = pieces.back().first->items, width = pieces.back().first->width;
    std::vector<std::uint8_t> data(items * elements * width);
    std::size_t first = 0;
    for (const auto &[b, bytes] : pieces) {
      for (std::size_t k = 0; k < items; ++k)
        std::copy_n(&bytes[k * b->elements * width], b->elements * width, &data[(k * elements + first) * width]);
      first += b->elements;
    }
    return data;
  }

  void clearState() override {
    tellAll(Message(Kind::Clear));
    part->clearState();
  }

  Status closeFiles() override { return part->closeFiles(); }

  std::array<std::uint8_t, 32> memorySha256() const override {
    Sha256 digest;
    for (std::size_t chip : part->digestOrder())
      if (part->holds(chip))
        part->hash(chip, digest);
      else
        digest = ask(chip, Message(Kind::Hash).put(chip).put(digest)).get<Sha256>();
    return digest.finish();
  }

  std::vector<std::uint8_t> peek(std::size_t chip, isa::Side side, int slice, int bank, int row) const override {
    if (part->holds(chip))
      return part->peek(chip, side, slice, bank, row);
    Message answer = ask(chip, Message(Kind::Peek).put(chip).put(side).put(slice).put(bank).put(row));
    const std::span<const std::uint8_t> bytes = answer.getBytes();
    return {bytes.begin(), bytes.end()};
  }

  std::uint64_t largestRssBytes() const override {
    std::uint64_t largest = peakRssBytes();
    tellAll(Message(Kind::Memory));
    forOthers([&](Message answer) { largest = std::max(largest, answer.get<std::uint64_t>()); });
    return largest;
  }

private:
  std::vector<std::uint8_t> readChip(std::size_t chip, std::size_t step, std::string_view name,
                                     const Binding &b) const {
    if (part->holds(chip))
      return part->read(chip, b);
    Message answer = ask(chip, Message(Kind::Read).put(chip).put(step).putText(name));
    const std::span<const std::uint8_t> bytes = answer.getBytes();
    return {bytes.begin(), bytes.end()};
  }
  void tellAll(const Message &message) const {
    if (exchange)
      exchange->tellAll(message);
  }
  template <typename Use> void forOthers(Use use) const {
    for (int rank = 1; exchange && rank < exchange->count(); ++rank)
      use(exchange->hear(rank));
  }
  /// What the rank that simulates `chip` answers.
  Message ask(std::size_t chip, Message message) const {
    const int rank = part->rankOf(chip);
    exchange->tell(rank, std::move(message));
    return exchange->hear(rank);
  }

  std::unique_ptr<Exchange> exchange; ///< null: alone
  std::unique_ptr<Part> part;
  std::optional<Violation> dead; ///< a hazard ended the run for good
};

Status checkRanks(const Options &options) {
  if (options.engine == Engine::Clocked)
    return Error{
        "",
        "--engine=clocked moves all chips in step, in one process; start it without mpirun, or take --engine=event"};
  if (!options.vcd.path.empty())
    return Error{"", "--vcd is written by a process that simulates all chips; start it without mpirun"};
  if (!options.tracePath.empty())
    return Error{"", "--trace is written by a process that simulates all chips; start it without mpirun"};
  return Ok();
}

/// What a rank other than 0 does when asked.
class OtherRank {
public:
  OtherRank(const Program *program, std::string error, Ranks &ranks)
      : program(program), error(std::move(error)), ranks(ranks) {}

  int serve() {
    // Machines may differ between programs; before one is there no step's messages come.
    static const isa::Machine none;
    exchange = std::make_unique<Exchange>(ranks, program ? program->machine : none);
    for (;;) {
      Message message = exchange->hear(0);
      if (message.kind() == Kind::Quit)
        return message.get<int>();
      Message answer(Kind::Answer);
      if (obey(message, answer))
        exchange->tell(0, std::move(answer));
    }
  }

private:
  /// False: no answer is waited for.
  bool obey(Message &message, Message &answer) {
    switch (message.kind()) {
    case Kind::Create:
      answer.putText(create(message));
      return true;
    case Kind::Write: {
      const auto step = message.get<std::size_t>();
      const std::string name = message.getText();
      part->write(step, name, message.getBytes());
      return false;
    }
    case Kind::Run:
      put(answer, part->run(message.get<std::size_t>()));
      return true;
    case Kind::Clear:
      part->clearState();
      return false;
    case Kind::Memory:
      answer.put(peakRssBytes());
      return true;
    default:
      look(message, answer);
      return true;
    }
  }

  /// Empty, or what is wrong here.
  std::string create(Message &message) {
    const auto print = message.get<std::uint64_t>();
    Options options;
    options.mode = message.get<Mode>();
    options.allChips = message.get<bool>();
    options.threads = message.get<int>();
    if (!program)
      return error;
    if (fingerprint(*program) != print)
      return "the program is not the one of rank 0; give all ranks the same file";
    auto made = Part::create(*program, options, exchange.get());
    if (!made)
      return made.error().str();
    part = std::move(*made);
    return "";
  }

  /// Looks into the memory of a chip.
  void look(Message &message, Message &answer) {
    const auto chip = message.get<std::size_t>();
    if (message.kind() == Kind::Hash) {
      auto digest = message.get<Sha256>();
      part->hash(chip, digest);
      answer.put(digest);
    } else if (message.kind() == Kind::Read) {
      const auto step = message.get<std::size_t>();
      const Binding *b = findBinding(programOf(*program, chip, step).outputs, message.getText());
      answer.putBytes(part->read(chip, *b));
    } else {
      const auto side = message.get<isa::Side>();
      const int slice = message.get<int>(), bank = message.get<int>(), row = message.get<int>();
      answer.putBytes(part->peek(chip, side, slice, bank, row));
    }
  }

  const Program *program; ///< null: could not be loaded
  std::string error;      ///< why
  Ranks &ranks;
  std::unique_ptr<Exchange> exchange;
  std::unique_ptr<Part> part;
};

} // namespace

Result<std::unique_ptr<Simulator>> Simulator::create(const Program &program, const Options &options) {
  std::unique_ptr<Exchange> exchange;
  if (options.ranks) {
    if (Status status = checkRanks(options); !status)
      return status.error();
    exchange = std::make_unique<Exchange>(*options.ranks, program.machine);
    exchange->tellAll(
        Message(Kind::Create).put(fingerprint(program)).put(options.mode).put(options.allChips).put(options.threads));
  }
  auto part = Part::create(program, options, exchange.get());
  std::string elsewhere;
  for (int rank = 1; exchange && rank < exchange->count(); ++rank)
    if (const std::string error = exchange->hear(rank).getText(); !error.empty() && elsewhere.empty())
      elsewhere = fmt::format("on rank {}: {}", rank, error);
  if (!part)
    return part.error();
  if (!elsewhere.empty())
    return Error{"", elsewhere};
  return std::unique_ptr<Simulator>(new WholeSystem(std::move(exchange), std::move(*part)));
}

int serveRank(const Program *program, const std::string &error, Ranks &ranks) {
  return OtherRank(program, error, ranks).serve();
}

void dismissRanks(Ranks &ranks, int exitCode) {
  awaitLauncher();
  for (int rank = 1; rank < ranks.count(); ++rank)
    ranks.send(rank, Message(Kind::Quit).put(exitCode).take());
}

} // namespace lpu::sim
