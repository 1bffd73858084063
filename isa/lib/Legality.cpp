// The checker's main loop: every dispatch of a step, in order of time, through
// the state of the unit it belongs to. Also the step's length (T1.5), and the
// queue fill level where instruction text is fetched (T8).
#include "lpu/isa/Legality.h"

#include "LegalityCheck.h"
#include "lpu/isa/Assembler.h"

#include <algorithm>

namespace lpu::isa {

std::string Finding::str() const {
  return category + " at cycle " + std::to_string(cycle) + (chip ? ", chip " + std::to_string(*chip) : "") + ", " +
         queueName(queue) + ": " + instruction + ": " + detail;
}

namespace legality {

void Findings::add(const char *category, const Site &site, std::string detail) {
  if (!full())
    list.push_back({category, site.t, site.queue, disassemble(reissued(*site.instruction, site.reissue, machine)),
                    std::move(detail)});
}

namespace {

class Checker {
public:
  Checker(const Program &p, std::size_t classNumber, std::size_t stepNumber, const LegalityOptions &o)
      : program(p), machine(p.machine), chip(p.classes[classNumber]), step(chip.programs[stepNumber]),
        name(p.steps[stepNumber].name), options(o), expansion(expand(machine, step, o)),
        findings(machine, o, report.findings), streams(machine, findings), memory(machine, chip, step, findings),
        alus(machine, streams, findings), links(machine, streams, findings, report.links),
        planes(static_cast<std::size_t>(2 * machine.mxmPlanesPerSide), Plane(machine, streams, findings)) {
    for (int plane = 0; plane < 2 * machine.mxmPlanesPerSide; ++plane)
      if (const int index = plane % machine.mxmPlanesPerSide; index % 2 == 1)
        Plane::pair(planes[static_cast<std::size_t>(plane - 1)], planes[static_cast<std::size_t>(plane)]);
  }

  LegalityReport run() {
    report.findings = expansion.findings;
    const bool known = findQueues();
    Cycle last = 0;
    for (const Dispatch &d : expansion.dispatches) {
      const Instruction &instruction = expansion.instruction(d);
      if (const Cycle latency = effectLatency(machine, instruction); latency >= 0)
        last = std::max(last, d.cycle + latency);
      if (known && !findings.full())
        dispatch({d.cycle, step.queues[d.queue].queue, positions[d.queue], &instruction, d.reissue}, d);
    }
    for (Plane &plane : planes)
      plane.finish();
    if (!program.residentCode)
      checkFetch();
    report.dispatches = expansion.dispatches.size();
    report.length = step.queues.empty() ? 0 : last + machine.superlanes - 1;
    std::ranges::stable_sort(report.findings, {}, &Finding::cycle);
    checkClaim();
    return std::move(report);
  }

private:
  const Program &program;
  const Machine &machine;
  const ChipClass &chip;
  const StepProgram &step;
  const std::string &name;
  const LegalityOptions &options;
  LegalityReport report;
  Expansion expansion;
  Findings findings;
  Streams streams;
  Memory memory;
  Alus alus;
  Links links;
  std::vector<Plane> planes;
  std::vector<int> positions;

  /// Each queue of the step must exist on the machine, and only once.
  bool findQueues() {
    std::vector<QueueId> seen;
    for (const QueueCode &code : step.queues) {
      const int number = queueNumber(machine, code.queue);
      const bool exists = number >= 0 && number < queueCount(machine) && queueAt(machine, number) == code.queue;
      const bool twice = std::ranges::find(seen, code.queue) != seen.end();
      if (!exists || twice) {
        report.findings.push_back({twice ? "issue-conflict" : "address-range", 0, code.queue, "queue",
                                   twice ? "appears twice in the step" : "does not exist on machine " + machine.name});
        return false;
      }
      seen.push_back(code.queue);
      positions.push_back(queuePosition(machine, code.queue));
    }
    return true;
  }

  void dispatch(const Site &site, const Dispatch &d) {
    const Opcode opcode = site.instruction->opcode;
    if (!accepts(site.queue.unit, opcode))
      return findings.add("illegal-encoding", site, "this queue does not take the instruction");
    if (isVxm(opcode))
      return alus.dispatch(site);
    switch (opcode) {
    case Opcode::Config:
      if (site.get(Field::Mode) != 0)
        findings.add("illegal-encoding", site, "mode 0 is the only one");
      return;
    case Opcode::IFetch:
      return fetch(site);
    case Opcode::Mem:
      return mem(site);
    case Opcode::Gather:
      return gather(site);
    case Opcode::Scatter:
      return scatter(site);
    case Opcode::LoadWeights:
      return plane(site).loadWeights(site);
    case Opcode::Activate:
      return plane(site).activate(site);
    case Opcode::Accumulate:
      return plane(site).accumulate(site);
    case Opcode::Send:
      return links.send(site, d);
    case Opcode::Receive:
      return links.receive(site, d);
    case Opcode::Deskew:
      return;
    default:
      return sxm(site);
    }
  }

  static Direction direction(const Site &site, Field f) { return static_cast<Direction>(site.get(f)); }

  Plane &plane(const Site &site) {
    const int side = site.queue.side == Side::West ? machine.mxmPlanesPerSide : 0;
    return planes[static_cast<std::size_t>(side + site.queue.index)];
  }

  void mem(const Site &site) {
    const bool rd = site.get(Field::Rd) != 0, wr = site.get(Field::Wr) != 0;
    const int rdBank = static_cast<int>(site.get(Field::RdBank)), wrBank = static_cast<int>(site.get(Field::WrBank));
    if (rd && wr && rdBank == wrBank)
      findings.add("bank-conflict", site, "both halves use bank " + std::to_string(rdBank));
    if (rd) {
      memory.read(site, rdBank, site.row(Field::RdRow, Field::RdStep));
      streams.drive(site, direction(site, Field::RdDir), site.get(Field::RdStream), 1,
                    site.t + machine.latency.MemRead);
    }
    if (wr) {
      streams.sample(site, direction(site, Field::WrDir), site.get(Field::WrStream), 1);
      memory.write(site, wrBank, site.row(Field::WrRow, Field::WrStep));
    }
  }

  void gather(const Site &site) {
    streams.sample(site, direction(site, Field::MapDir), site.get(Field::MapStream), 2);
    streams.drive(site, direction(site, Field::Dir), site.get(Field::Stream), 1, site.t + machine.latency.MemGather);
  }

  void scatter(const Site &site) {
    streams.sample(site, direction(site, Field::MapDir), site.get(Field::MapStream), 2);
    streams.sample(site, direction(site, Field::Dir), site.get(Field::Stream), 1);
    memory.scatter(site, static_cast<int>(site.get(Field::Bank)));
  }

  /// T6: which opcodes a queue of the side takes, by its number.
  bool sxmTakes(int index, Opcode opcode) const {
    if ((index -= machine.sxmTransposeQueues) < 0)
      return opcode == Opcode::Transpose;
    if ((index -= machine.sxmPermuteQueues) < 0)
      return opcode == Opcode::Permute || opcode == Opcode::Shift;
    if ((index -= machine.sxmDistributeQueues) < 0)
      return opcode == Opcode::Distribute;
    return opcode == Opcode::Rotate || opcode == Opcode::SelectLanes;
  }

  /// The instruction's map has `lanes` entries, each below `lanes`.
  void map(const Site &site, int lanes) {
    const auto number = static_cast<std::size_t>(site.get(Field::Map));
    if (number >= chip.sxmMaps.size())
      return findings.add("address-range", site, "the program has " + std::to_string(chip.sxmMaps.size()) + " maps");
    const std::vector<std::int16_t> &entries = chip.sxmMaps[number];
    for (int i = 0; i < lanes; ++i)
      if (i >= static_cast<int>(entries.size()) || entries[i] >= lanes)
        return findings.add("address-range", site,
                            "entry " + std::to_string(i) + " of the map is missing or not below " +
                                std::to_string(lanes));
  }

  void sxm(const Site &site) {
    const Opcode opcode = site.instruction->opcode;
    if (!sxmTakes(site.queue.index, opcode))
      return findings.add("illegal-encoding", site, "this SXM queue does not take the instruction");
    if (opcode == Opcode::Permute || opcode == Opcode::SelectLanes)
      map(site, machine.lanes());
    if (opcode == Opcode::Distribute)
      map(site, machine.lanesPerSuperlane);
    const int count = opcode == Opcode::Transpose ? 16 : 1;
    streams.sample(site, direction(site, Field::SrcDir), site.get(Field::SrcStream), count);
    if (opcode == Opcode::SelectLanes)
      streams.sample(site, direction(site, Field::Src2Dir), site.get(Field::Src2Stream), 1);
    streams.drive(site, direction(site, Field::DstDir), site.get(Field::DstStream), count,
                  site.t + latencyOf(machine, opcode));
  }

  void fetch(const Site &site) {
    streams.sample(site, direction(site, Field::Dir), site.get(Field::Stream), 2);
    if (program.residentCode)
      findings.add("illegal-encoding", site, "the program's queues hold their whole text (T8)");
  }

  /// T8, by word numbers: a word leaves the queue when it is dispatched.
  void checkFetch() {
    const int refill = machine.lanes() * 2 / 16;
    for (std::uint32_t q = 0; q < step.queues.size(); ++q) {
      std::deque<Cycle> arriving;
      auto loaded = static_cast<std::int64_t>(machine.queuePreloadWords);
      for (std::uint32_t i = 0; i < step.queues[q].words.size(); ++i) {
        const Cycle due = expansion.due[q][i];
        const Instruction &word = expansion.table[expansion.code[q][i]];
        const Site site{due, step.queues[q].queue, 0, &word, 0};
        while (!arriving.empty() && arriving.front() <= due) {
          arriving.pop_front();
          loaded += refill;
        }
        if (i >= loaded) {
          findings.add("queue-underflow", site,
                       "word " + std::to_string(i) + " is due, " + std::to_string(loaded) + " have been fetched");
          break;
        }
        if (word.opcode != Opcode::IFetch)
          continue;
        const std::int64_t coming = static_cast<std::int64_t>(arriving.size()) * refill;
        if (const std::int64_t free = machine.queueWords - (loaded + coming - i - 1); free < refill)
          findings.add("queue-overflow", site,
                       std::to_string(free) + " words are free, " + std::to_string(refill) + " would arrive");
        arriving.push_back(due + machine.latency.IFetch);
      }
    }
  }

  void checkClaim() {
    if (options.checkClaim && step.predictedCycles != report.length)
      report.findings.push_back({"claimed-cycles", report.length,
                                 step.queues.empty() ? QueueId{} : step.queues[0].queue, "step " + quote(name),
                                 "the step claims " + std::to_string(step.predictedCycles) + " cycles and takes " +
                                     std::to_string(report.length)});
  }
};

} // namespace
} // namespace legality

LegalityReport checkLegality(const Program &program, std::size_t chipClass, std::size_t step,
                             const LegalityOptions &options) {
  return legality::Checker(program, chipClass, step, options).run();
}

} // namespace lpu::isa
