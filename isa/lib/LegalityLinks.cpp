// Links between chips (T7). What a chip sends and receives, and when in its own
// time, depends on its class alone, so a pair of link ends is looked at once for
// each combination of classes, links and distance of starts: for the pair that
// starts first, of several the one of the lowest chip number.
#include "lpu/isa/Assembler.h"
#include "lpu/isa/Legality.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <tuple>

namespace lpu::isa {
namespace {

/// One end of a wire.
struct End {
  std::uint32_t chip;
  std::uint8_t link;
};

class LinkChecker {
public:
  LinkChecker(const Program &p, std::size_t s, std::span<const LegalityReport> c, const LegalityOptions &o)
      : program(p), machine(p.machine), step(s), options(o), uses(c.size()) {
    for (std::size_t k = 0; k < c.size(); ++k)
      for (const LinkUse &use : c[k].links)
        (use.send ? uses[k][use.link].sends : uses[k][use.link].receives).push_back(use.dispatch);
  }

  std::vector<Finding> run() {
    checkUnconnected();
    std::vector<std::pair<End, End>> directions;
    for (const Wire &w : program.wires) {
      const End a{w.chipA, w.linkA}, b{w.chipB, w.linkB};
      directions.emplace_back(a, b);
      if (w.chipA != w.chipB || w.linkA != w.linkB)
        directions.emplace_back(b, a);
    }
    std::ranges::stable_sort(directions, {},
                             [&](const auto &d) { return std::tuple(start(d.second), d.second.chip, d.second.link); });
    for (const auto &[from, to] : directions)
      direction(from, to);
    const auto order = [](const Finding &f) { return std::tuple(f.cycle, *f.chip, f.queue); };
    std::ranges::stable_sort(findings, {}, order);
    std::ranges::stable_sort(lost, {}, order);
    findings.insert(findings.end(), lost.begin(), lost.end());
    if (findings.size() > options.maxFindings)
      findings.resize(options.maxFindings);
    return std::move(findings);
  }

private:
  /// What a class's program does on a link, in order of cycle.
  struct Traffic {
    std::vector<Dispatch> sends, receives;
  };
  const Program &program;
  const Machine &machine;
  const std::size_t step;
  const LegalityOptions &options;
  std::vector<std::map<std::uint8_t, Traffic>> uses; ///< per class and link
  std::set<std::tuple<int, int, int, int, Cycle>> seen;
  std::vector<Finding> findings, lost;

  const Chip &chip(const End &end) const { return program.chips[end.chip]; }
  Cycle start(const End &end) const { return chip(end).start[step]; }

  const Traffic &traffic(const End &end) const {
    static const Traffic none;
    const auto &links = uses[chip(end).chipClass];
    const auto found = links.find(end.link);
    return found == links.end() ? none : found->second;
  }

  void add(std::vector<Finding> &to, const char *category, const End &end, const Dispatch &d, Cycle at,
           std::string detail) {
    if (to.size() >= options.maxFindings)
      return;
    const QueueCode &code = program.classes[chip(end).chipClass].programs[step].queues[d.queue];
    const Result<Instruction> word = decode(code.words[d.word]);
    to.push_back({category, at, code.queue, disassemble(*word), std::move(detail), end.chip});
  }

  void checkUnconnected() {
    std::set<std::pair<std::uint32_t, std::uint8_t>> wired;
    for (const Wire &w : program.wires)
      wired.insert({w.chipA, w.linkA}), wired.insert({w.chipB, w.linkB});
    std::vector<std::uint32_t> order(program.chips.size());
    std::iota(order.begin(), order.end(), 0u);
    std::ranges::stable_sort(order, {}, [&](std::uint32_t i) { return program.chips[i].start[step]; });
    std::set<std::pair<int, int>> reported; // class, link
    for (const std::uint32_t i : order)
      for (const auto &[link, use] : uses[program.chips[i].chipClass])
        if (!wired.contains({i, link}) && reported.insert({program.chips[i].chipClass, link}).second)
          for (const auto *list : {&use.sends, &use.receives})
            for (const Dispatch &d : *list)
              add(findings, "link-unconnected", {i, link}, d, start({i, link}) + d.cycle,
                  "nothing is attached to link " + std::to_string(link));
  }

  /// What `from` sends must be what `to` receives.
  void direction(const End &from, const End &to) {
    const Cycle distance = start(to) - start(from);
    if (!seen.emplace(chip(from).chipClass, from.link, chip(to).chipClass, to.link, distance).second)
      return;
    const std::vector<Dispatch> &sends = traffic(from).sends, &receives = traffic(to).receives;
    std::vector<Cycle> arrivals, pops; // counted from the release
    for (const Dispatch &d : sends)
      arrivals.push_back(start(from) + d.cycle + machine.latency.C2cSend);
    for (const Dispatch &d : receives) {
      const Cycle at = start(to) + d.cycle;
      if (pops.size() < arrivals.size() && arrivals[pops.size()] <= at)
        pops.push_back(at);
      else
        add(findings, "link-empty", to, d, at,
            pops.size() < arrivals.size() ? "the next vector arrives at " + std::to_string(arrivals[pops.size()])
                                          : "no vector is under way");
    }
    checkRoom(from, sends, arrivals, pops);
    if (receives.size() < sends.size()) // a receive that found nothing has been reported
      add(lost, "lost-vector", from, sends[pops.size()], arrivals[pops.size()],
          std::to_string(arrivals.size()) + " vectors are sent to chip " + std::to_string(to.chip) + ", link " +
              std::to_string(to.link) + ", and " + std::to_string(pops.size()) + " received");
  }

  /// A vector waits from its arrival until it is popped; a pop in the cycle of an
  /// arrival makes room for it.
  void checkRoom(const End &from, const std::vector<Dispatch> &sends, const std::vector<Cycle> &arrivals,
                 const std::vector<Cycle> &pops) {
    std::size_t popped = 0;
    for (std::size_t i = 0; i < arrivals.size(); ++i) {
      while (popped < pops.size() && pops[popped] <= arrivals[i])
        ++popped;
      if (i + 1 - popped <= static_cast<std::size_t>(machine.c2cFifoVectors))
        continue;
      return add(findings, "link-overflow", from, sends[i], arrivals[i],
                 std::to_string(i + 1 - popped) + " vectors wait at cycle " + std::to_string(arrivals[i]) +
                     ", there is room for " + std::to_string(machine.c2cFifoVectors));
    }
  }
};

} // namespace

std::vector<Finding> checkLinks(const Program &program, std::size_t step, std::span<const LegalityReport> classes,
                                const LegalityOptions &options) {
  return LinkChecker(program, step, classes, options).run();
}

bool SystemLegality::legal() const {
  return findings.empty() && std::ranges::all_of(classes, [](const LegalityReport &r) { return r.findings.empty(); });
}

SystemLegality checkSystem(const Program &program, std::size_t step, const LegalityOptions &options) {
  SystemLegality out;
  for (std::size_t c = 0; c < program.classes.size(); ++c)
    out.classes.push_back(checkLegality(program, c, step, options));
  out.findings = checkLinks(program, step, out.classes, options);
  for (const Chip &chip : program.chips)
    if (const LegalityReport &own = out.classes[chip.chipClass]; own.length > 0)
      out.length = std::max(out.length, chip.start[step] + own.length);
  const SystemStep &claimed = program.steps[step];
  // Each class's own claim has been compared with its length.
  if (const Cycle length = predictedLength(program, step); options.checkClaim && claimed.predictedCycles != length)
    out.findings.push_back({"claimed-cycles",
                            length,
                            {},
                            "step " + quote(claimed.name),
                            "the step claims " + std::to_string(claimed.predictedCycles) + " cycles and its chips " +
                                std::to_string(length),
                            0});
  return out;
}

} // namespace lpu::isa
