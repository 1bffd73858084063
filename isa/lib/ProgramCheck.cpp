// Range checks of a program: what makes it safe to index memory, image, label
// and map tables with its numbers. Writer and reader both apply them, so a bad
// program is reported where it is made. Words themselves are not looked at here;
// that is the legality checker's work.
#include "ProgramFormat.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>
#include <tuple>

namespace lpu::isa {
namespace {

constexpr std::uint32_t kMaxSxmMaps = 256; // 8-bit Map field
constexpr std::size_t kMaxChips = 1 << 16; // 16-bit chip numbers
constexpr Cycle kLatestStart = Cycle{1} << 40;

class Checker {
public:
  Checker(const Program &program, const std::string &file) : p(program), m(program.machine), file(file) {}

  Status run() {
    const bool good = checkSteps() &&
                      std::ranges::all_of(p.classes, [&](const ChipClass &c) { return checkClass(c); }) &&
                      checkChips() && checkWires() && checkTokenizer();
    return good ? Status(Ok{}) : Status(error);
  }

private:
  const Program &p;
  const Machine &m;
  const std::string &file;
  Error error;

  bool fail(const std::string &where, const std::string &what) {
    error = Error{file, where + ": " + what + "; compile the program again"};
    return false;
  }

  /// `width` slices from `slice0`, `rows` rows from `row0`.
  bool checkRows(const std::string &where, Side side, std::uint64_t slice0, std::uint64_t width, unsigned bank,
                 std::uint64_t row0, std::uint64_t rows) {
    if (side > Side::West)
      return fail(where, fmt::format("side {} does not exist", static_cast<int>(side)));
    if (width == 0 || slice0 + width > static_cast<std::uint64_t>(m.memSlicesPerSide))
      return fail(where, fmt::format("{} slices from {} do not fit the machine's {} a side", width, slice0,
                                     m.memSlicesPerSide));
    if (bank >= static_cast<unsigned>(m.memBanks))
      return fail(where, fmt::format("bank {} does not exist", bank));
    if (row0 + rows > static_cast<std::uint64_t>(m.memRowsPerBank))
      return fail(where, fmt::format("{} rows from {} do not fit a bank's {}", rows, row0, m.memRowsPerBank));
    return true;
  }

  bool checkSteps() {
    for (const SystemStep &step : p.steps) {
      const std::string where = fmt::format("step '{}'", step.name);
      if (step.kind > StepKind::Encode)
        return fail(where, fmt::format("kind {} does not exist", static_cast<int>(step.kind)));
      if (step.predictedCycles < 0)
        return fail(where, fmt::format("predicted to take {} cycles", step.predictedCycles));
      if (step.users == 0)
        return fail(where, "for 0 users");
    }
    return true;
  }

  bool checkClass(const ChipClass &c) {
    const std::string where = fmt::format("chip class '{}'", c.name);
    if (c.programs.size() != p.steps.size())
      return fail(where, fmt::format("{} programs for {} steps", c.programs.size(), p.steps.size()));
    for (std::size_t i = 0; i < c.programs.size(); ++i)
      if (!checkProgram(fmt::format("{}, step '{}'", where, p.steps[i].name), c.programs[i]))
        return false;
    return checkRegions(where, c) && checkMaps(where, c);
  }

  bool checkRegions(const std::string &in, const ChipClass &c) {
    for (const Region &r : c.regions) {
      const std::string where = fmt::format("{}, region '{}'", in, r.name);
      if (r.kind > Region::Kind::Code)
        return fail(where, fmt::format("kind {} does not exist", static_cast<int>(r.kind)));
      if (!checkRows(where, r.side, r.slice0, r.slices, r.bank, r.row0, r.rows))
        return false;
      const std::uint64_t bytes = std::uint64_t{r.rows} * r.slices * static_cast<std::uint64_t>(m.rowBytes());
      if (r.kind == Region::Kind::Constant && (r.imageOffset > c.imageBytes || bytes > c.imageBytes - r.imageOffset))
        return fail(where, fmt::format("its {} bytes at image offset {} are outside of the chip's image of {} bytes",
                                       bytes, r.imageOffset, c.imageBytes));
    }
    return checkApart(in, c);
  }

  /// A row belongs to one region: of two, each would be written over the other.
  bool checkApart(const std::string &in, const ChipClass &c) {
    struct Span {
      int slice; ///< side and slice
      unsigned bank;
      std::uint64_t first, end;
      const Region *region;
      auto key() const { return std::tuple(slice, bank, first); }
    };
    std::vector<Span> spans;
    for (const Region &r : c.regions)
      for (int i = 0; i < r.slices; ++i)
        spans.push_back({static_cast<int>(r.side) * m.memSlicesPerSide + r.slice0 + i, r.bank, r.row0,
                         std::uint64_t{r.row0} + r.rows, &r});
    std::ranges::sort(spans, {}, &Span::key);
    for (std::size_t i = 1; i < spans.size(); ++i)
      if (const Span &a = spans[i - 1], &b = spans[i]; a.slice == b.slice && a.bank == b.bank && b.first < a.end)
        return fail(fmt::format("{}, region '{}'", in, b.region->name),
                    fmt::format("row {} of bank {} of slice {} {} is region '{}''s too", b.first, b.bank,
                                b.slice % m.memSlicesPerSide, b.slice < m.memSlicesPerSide ? "east" : "west",
                                a.region->name));
    return true;
  }

  bool checkProgram(const std::string &where, const StepProgram &step) {
    if (step.predictedCycles < 0)
      return fail(where, fmt::format("predicted to take {} cycles", step.predictedCycles));
    for (const auto *bindings : {&step.inputs, &step.outputs})
      for (const Binding &b : *bindings)
        if (!checkBinding(fmt::format("{}, binding '{}'", where, b.name), b))
          return false;
    return checkQueues(where, step);
  }

  bool checkChips() {
    if (p.chips.empty() || p.chips.size() > kMaxChips)
      return fail("chips", fmt::format("{} chips; a system has 1 to {}", p.chips.size(), kMaxChips));
    for (std::size_t i = 0; i < p.chips.size(); ++i)
      if (!checkChip(fmt::format("chip {}", i), p.chips[i]))
        return false;
    return true;
  }

  bool checkChip(const std::string &where, const Chip &chip) {
    if (chip.chipClass >= p.classes.size())
      return fail(where, fmt::format("class {} of {}", chip.chipClass, p.classes.size()));
    if (chip.start.size() != p.steps.size())
      return fail(where, fmt::format("{} starts for {} steps", chip.start.size(), p.steps.size()));
    for (const Cycle start : chip.start)
      if (start < 0 || start > kLatestStart)
        return fail(where, fmt::format("starts at cycle {}", start));
    const std::uint64_t bytes = p.classes[chip.chipClass].imageBytes, size = p.image.size();
    if (p.hasWeights && (chip.imageOffset > size || bytes > size - chip.imageOffset))
      return fail(where,
                  fmt::format("its {} bytes of constants at image offset {} are outside of the image of {} bytes",
                              bytes, chip.imageOffset, size));
    return true;
  }

  bool checkBinding(const std::string &where, const Binding &b) {
    if (b.width != 1 && b.width != 2 && b.width != 4)
      return fail(where, fmt::format("width {} is not 1, 2 or 4 bytes", b.width));
    if (b.lanesUsed > static_cast<std::uint32_t>(m.lanes()))
      return fail(where, fmt::format("{} lanes, but a vector has {}", b.lanesUsed, m.lanes()));
    if (b.elements > std::uint64_t{b.vectors} * b.lanesUsed)
      return fail(where,
                  fmt::format("{} elements do not fit {} vectors of {} lanes", b.elements, b.vectors, b.lanesUsed));
    return checkRows(where, b.side, b.slice0, b.width, b.bank, b.row0, std::uint64_t{b.items} * b.vectors);
  }

  bool queueExists(QueueId q) const {
    if (q.unit > UnitKind::C2c || q.side > Side::West)
      return false;
    // Queues without a side are East by definition; the numbering then decides.
    if ((q.unit == UnitKind::Vxm || q.unit == UnitKind::C2c) && q.side != Side::East)
      return false;
    const int number = queueNumber(m, q);
    return number >= 0 && number < queueCount(m) && queueAt(m, number) == q;
  }

  bool checkQueues(const std::string &where, const StepProgram &step) {
    std::set<QueueId> seen;
    for (const QueueCode &code : step.queues) {
      const std::string at = fmt::format("{}, queue {}", where, queueName(code.queue));
      if (!queueExists(code.queue))
        return fail(at, "the machine has no such queue");
      if (!seen.insert(code.queue).second)
        return fail(at, "has code twice");
      if (code.labels.size() != code.words.size())
        return fail(at, fmt::format("{} labels for {} words", code.labels.size(), code.words.size()));
      for (std::uint16_t label : code.labels)
        if (label >= step.labels.size())
          return fail(at, fmt::format("label {} of {}", label, step.labels.size()));
    }
    return true;
  }

  bool checkMaps(const std::string &in, const ChipClass &c) {
    if (c.sxmMaps.size() > kMaxSxmMaps)
      return fail(in + ", SXM maps", fmt::format("{} maps, at most {} can be named", c.sxmMaps.size(), kMaxSxmMaps));
    for (std::size_t i = 0; i < c.sxmMaps.size(); ++i) {
      const std::string where = fmt::format("{}, SXM map {}", in, i);
      if (c.sxmMaps[i].size() != static_cast<std::size_t>(m.lanes()))
        return fail(where, fmt::format("{} entries for {} lanes", c.sxmMaps[i].size(), m.lanes()));
      for (std::int16_t lane : c.sxmMaps[i])
        if (lane < -1 || lane >= m.lanes())
          return fail(where, fmt::format("lane {} of {}", lane, m.lanes()));
    }
    return true;
  }

  bool checkWires() {
    std::set<std::pair<int, int>> used;
    const auto plug = [&](int chip, int link) {
      if (static_cast<std::size_t>(chip) >= p.chips.size())
        return fail("wires", fmt::format("chip {} of {}", chip, p.chips.size()));
      if (link >= m.c2cLinks)
        return fail("wires", fmt::format("link {} of {}", link, m.c2cLinks));
      return used.insert({chip, link}).second ||
             fail("wires", fmt::format("chip {}, link {} is wired twice", chip, link));
    };
    for (const Wire &w : p.wires)
      if (!plug(w.chipA, w.linkA) || ((w.chipB != w.chipA || w.linkB != w.linkA) && !plug(w.chipB, w.linkB)))
        return false;
    return true;
  }

  bool checkTokenizer() {
    const Tokenizer &t = p.tokenizer;
    const std::size_t n = t.tokens.size();
    if ((!t.scores.empty() && t.scores.size() != n) || (!t.types.empty() && t.types.size() != n))
      return fail("tokenizer", fmt::format("{} tokens, {} scores, {} types", n, t.scores.size(), t.types.size()));
    std::vector<std::int32_t> ids = t.ends;
    ids.insert(ids.end(), {t.bos, t.eos, t.unknown});
    for (std::int32_t id : ids)
      if (id < -1 || (id >= 0 && static_cast<std::size_t>(id) >= n && n != 0))
        return fail("tokenizer", fmt::format("special token {} of {}", id, n));
    return true;
  }
};

} // namespace

Cycle predictedLength(const Program &program, std::size_t step) {
  Cycle length = 0;
  for (const Chip &chip : program.chips)
    if (const StepProgram &own = program.classes[chip.chipClass].programs[step]; !own.queues.empty())
      length = std::max(length, chip.start[step] + own.predictedCycles);
  return length;
}

Status checkProgram(const Program &program, const std::string &file) { return Checker(program, file).run(); }

} // namespace lpu::isa
