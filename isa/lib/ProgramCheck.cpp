// Range checks of a program: what makes it safe to index memory, image, label
// and map tables with its numbers. Writer and reader both apply them, so a bad
// program is reported where it is made. Words themselves are not looked at here;
// that is the legality checker's work.
#include "ProgramFormat.h"

#include <fmt/format.h>
#include <set>

namespace lpu::isa {
namespace {

constexpr std::uint32_t kMaxSxmMaps = 256; // 8-bit Map field

class Checker {
public:
  Checker(const Program &program, const std::string &file) : p(program), m(program.machine), file(file) {}

  Status run() {
    if (checkRegions() && checkSteps() && checkMaps() && checkLoopbacks() && checkTokenizer())
      return Ok{};
    return error;
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

  bool checkRegions() {
    for (const Region &r : p.regions) {
      const std::string where = fmt::format("region '{}'", r.name);
      if (r.kind > Region::Kind::Code)
        return fail(where, fmt::format("kind {} does not exist", static_cast<int>(r.kind)));
      if (!checkRows(where, r.side, r.slice0, r.slices, r.bank, r.row0, r.rows))
        return false;
      const std::uint64_t bytes = std::uint64_t{r.rows} * r.slices * static_cast<std::uint64_t>(m.rowBytes());
      const std::uint64_t size = p.image.size();
      if (r.kind == Region::Kind::Constant && (r.imageOffset > size || bytes > size - r.imageOffset))
        return fail(where, fmt::format("its {} bytes at image offset {} are outside of the image of {} bytes",
                                       bytes, r.imageOffset, size));
    }
    return true;
  }

  bool checkSteps() {
    for (const StepProgram &step : p.steps) {
      const std::string where = fmt::format("step '{}'", step.name);
      if (step.kind > StepProgram::Kind::Decode)
        return fail(where, fmt::format("kind {} does not exist", static_cast<int>(step.kind)));
      if (step.predictedCycles < 0)
        return fail(where, fmt::format("predicted to take {} cycles", step.predictedCycles));
      for (const auto *bindings : {&step.inputs, &step.outputs})
        for (const Binding &b : *bindings)
          if (!checkBinding(fmt::format("{}, binding '{}'", where, b.name), b))
            return false;
      if (!checkQueues(where, step))
        return false;
    }
    return true;
  }

  bool checkBinding(const std::string &where, const Binding &b) {
    if (b.width != 1 && b.width != 2 && b.width != 4)
      return fail(where, fmt::format("width {} is not 1, 2 or 4 bytes", b.width));
    if (b.lanesUsed > static_cast<std::uint32_t>(m.lanes()))
      return fail(where, fmt::format("{} lanes, but a vector has {}", b.lanesUsed, m.lanes()));
    if (b.elements > std::uint64_t{b.vectors} * b.lanesUsed)
      return fail(where, fmt::format("{} elements do not fit {} vectors of {} lanes", b.elements, b.vectors,
                                     b.lanesUsed));
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

  bool checkMaps() {
    if (p.sxmMaps.size() > kMaxSxmMaps)
      return fail("SXM maps", fmt::format("{} maps, at most {} can be named", p.sxmMaps.size(), kMaxSxmMaps));
    for (std::size_t i = 0; i < p.sxmMaps.size(); ++i) {
      const std::string where = fmt::format("SXM map {}", i);
      if (p.sxmMaps[i].size() != static_cast<std::size_t>(m.lanes()))
        return fail(where, fmt::format("{} entries for {} lanes", p.sxmMaps[i].size(), m.lanes()));
      for (std::int16_t lane : p.sxmMaps[i])
        if (lane < -1 || lane >= m.lanes())
          return fail(where, fmt::format("lane {} of {}", lane, m.lanes()));
    }
    return true;
  }

  bool checkLoopbacks() {
    std::set<int> used;
    const auto wire = [&](int link) {
      if (link >= m.c2cLinks)
        return fail("loopbacks", fmt::format("link {} of {}", link, m.c2cLinks));
      return used.insert(link).second || fail("loopbacks", fmt::format("link {} is wired twice", link));
    };
    for (auto [from, to] : p.loopbacks)
      if (!wire(from) || (to != from && !wire(to)))
        return false;
    return true;
  }

  bool checkTokenizer() {
    const Tokenizer &t = p.tokenizer;
    const std::size_t n = t.tokens.size();
    if ((!t.scores.empty() && t.scores.size() != n) || (!t.types.empty() && t.types.size() != n))
      return fail("tokenizer", fmt::format("{} tokens, {} scores, {} types", n, t.scores.size(), t.types.size()));
    for (std::int32_t id : {t.bos, t.eos, t.unknown})
      if (id < -1 || (id >= 0 && static_cast<std::size_t>(id) >= n && n != 0))
        return fail("tokenizer", fmt::format("special token {} of {}", id, n));
    return true;
  }
};

} // namespace

Status checkProgram(const Program &program, const std::string &file) { return Checker(program, file).run(); }

} // namespace lpu::isa
