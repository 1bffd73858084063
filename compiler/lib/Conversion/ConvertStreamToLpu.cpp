// convert-stream-to-lpu: stream programs become scheduling problems, their
// solutions timed instructions. Everything the schedule decides is written into
// lpu operations; nothing is kept beside the IR.

#include "FlowShaper.h"
#include "MergeRuns.h"
#include "ObjectBlocks.h"
#include "TargetMachine.h"
#include "lpu/compiler/Conversion/Passes.h"
#include "lpu/compiler/Dialect/LLM/Chips.h"
#include "lpu/compiler/Dialect/Lpu/Lpu.h"
#include "lpu/compiler/Scheduling/ListScheduler.h"

#include "mlir/IR/Builders.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

using namespace mlir;

namespace lpu::compiler {
#define GEN_PASS_DEF_CONVERTSTREAMTOLPU
#include "lpu/compiler/Conversion/Passes.h.inc"

namespace {

using isa::Cycle;

class ProgramScheduler {
public:
  ProgramScheduler(const isa::Machine &machine, const ObjectMap &objects, const std::vector<sched::Block> &blocks,
                   stream::ProgramOp program, bool boundsOnly)
      : machine(machine), objects(objects), program(program), boundsOnly(boundsOnly) {
    problem.blocks = blocks;
    for (stream::ObjectOp object : objects.all())
      problem.objects.push_back(object.getSymName().str());
  }

  LogicalResult run(OpBuilder &builder) {
    if (failed(buildProblem()))
      return failure();
    if (boundsOnly)
      return writeBounds(builder);
    solution = sched::scheduleList(machine, problem);
    if (!solution.impossible.empty())
      return program.emitOpError("a flow of phase '")
             << solution.impossible << "' needs more streams or ALUs at once than machine '" << machine.name << "' has";
    if (auto fault = sched::verify(machine, problem, solution))
      return program.emitOpError("schedule is wrong: ") << *fault;
    collect();
    return write(builder);
  }

private:
  LogicalResult buildProblem() {
    auto phases = program.getBody().getOps<stream::PhaseOp>();
    bool joined = llvm::any_of(phases, [](stream::PhaseOp phase) { return phase.getJoined(); });
    FlowShaper shaper(machine, objects, llm::shardsOf(program->getParentOfType<ModuleOp>()), joined);
    for (auto phase : phases) {
      if (!phase.getJoined() || problem.phases.empty())
        problem.phases.emplace_back().label = phase.getLabel().str();
      sched::Phase &out = problem.phases.back();
      out.parts.push_back({phase.getLabel().str(), out.flows.size()});
      for (Operation &op : phase.getBody().front()) {
        FailureOr<sched::FlowShape> shape = shaper.shape(&op, phase.getLabel());
        if (failed(shape))
          return failure();
        out.flows.push_back(std::move(*shape));
      }
    }
    for (sched::Phase &phase : problem.phases)
      phase.connect();
    return success();
  }

  void collect() {
    int vxm = isa::queueNumber(machine, {isa::UnitKind::Vxm, isa::Side::East, 0});
    for (std::size_t p = 0; p < problem.phases.size(); ++p)
      for (std::size_t f = 0; f < problem.phases[p].flows.size(); ++f) {
        const sched::FlowShape &flow = problem.phases[p].flows[f];
        const sched::Placement &place = solution.placements[p][f];
        for (const sched::Issue &issue : flow.issues) {
          TimedIssue timed{place.start + issue.at, issue.count, issue.window, issue.instruction, flow.label};
          for (const auto &field : issue.streamFields)
            timed.instruction.set(field.field, place.streams[field.group] + field.byte);
          for (const auto &field : issue.aluFields)
            timed.instruction.set(field.field, place.alus[field.alu]);
          queues[issue.queue >= 0 ? issue.queue : vxm + place.alus[issue.alu]].push_back(timed);
        }
      }
    for (auto &[queue, issues] : queues) {
      std::sort(issues.begin(), issues.end(),
                [](const TimedIssue &a, const TimedIssue &b) { return a.cycle < b.cycle; });
      joinHalves(issues);
      mergeRuns(issues, machine);
    }
  }

  struct Totals {
    Cycle resource = 0, criticalPath = 0, lower = 0;
    SmallVector<Attribute> phases;
  };

  Totals bound(Builder &builder) const {
    Totals totals;
    for (auto [p, phase] : llvm::enumerate(problem.phases)) {
      sched::Bounds bounds = sched::boundPhase(machine, phase);
      totals.resource += bounds.resource;
      totals.criticalPath += bounds.criticalPath;
      totals.lower += std::max(bounds.resource, bounds.criticalPath);
      if (boundsOnly)
        totals.phases.push_back(describe(builder, phase.label, std::max(bounds.resource, bounds.criticalPath), bounds));
      else if (phase.parts.size() == 1)
        totals.phases.push_back(
            describe(builder, phase.label, solution.phaseStart[p + 1] - solution.phaseStart[p], bounds));
      else
        describeParts(builder, p, totals.phases);
    }
    return totals;
  }

  /// Parts overlap: each takes the cycles between the end of those before and its own.
  void describeParts(Builder &builder, std::size_t p, SmallVector<Attribute> &into) const {
    const sched::Phase &phase = problem.phases[p];
    Cycle before = solution.phaseStart[p];
    for (auto [i, part] : llvm::enumerate(phase.parts)) {
      std::size_t end = i + 1 < phase.parts.size() ? phase.parts[i + 1].firstFlow : phase.flows.size();
      sched::Phase alone;
      Cycle last = before;
      for (std::size_t f = part.firstFlow; f < end; ++f) {
        alone.flows.push_back(phase.flows[f]);
        last = std::max(last, solution.placements[p][f].start + phase.flows[f].end);
      }
      alone.connect();
      into.push_back(describe(builder, part.label, last - before, sched::boundPhase(machine, alone)));
      before = last;
    }
  }

  static DictionaryAttr describe(Builder &builder, StringRef name, Cycle cycles, const sched::Bounds &bounds) {
    bool byPath = bounds.criticalPath >= bounds.resource;
    return builder.getDictionaryAttr(
        {builder.getNamedAttr("name", builder.getStringAttr(name)),
         builder.getNamedAttr("cycles", builder.getI64IntegerAttr(cycles)),
         builder.getNamedAttr("bound", builder.getStringAttr(byPath ? "critical path" : bounds.busiest)),
         builder.getNamedAttr("bound_cycles",
                              builder.getI64IntegerAttr(std::max(bounds.resource, bounds.criticalPath)))});
  }

  /// Share of issue slots (or, for streams, of register slots) in use over the step.
  double usage(isa::UnitKind kind, Cycle length) const {
    double busy = 0, slots = 0;
    for (int q = 0; q < isa::queueCount(machine); ++q) {
      if (isa::queueAt(machine, q).unit != kind)
        continue;
      slots += static_cast<double>(length);
      auto found = queues.find(q);
      if (found == queues.end())
        continue;
      for (const TimedIssue &t : found->second)
        busy += t.window == 1 ? t.count : 1 + (t.count - 1.0) * t.window;
    }
    return slots > 0 ? busy / slots : 0;
  }

  double streamUsage(Cycle length) const {
    double busy = 0;
    for (const sched::Phase &phase : problem.phases)
      for (const sched::FlowShape &flow : phase.flows)
        for (const sched::Segment &s : flow.segments)
          busy += static_cast<double>(s.count) * (s.high - s.low + 1);
    return busy / (2.0 * machine.streamsPerDirection * (2 * machine.maxPosition() + 1) * static_cast<double>(length));
  }

  Cycle skew() const { return machine.superlanes - 1; }

  DictionaryAttr boundsOf(Builder &builder, const Totals &totals) {
    double weightBytesPerCycle = 2.0 * machine.streamsPerDirection * machine.rowBytes();
    auto i64 = [&](StringRef name, std::int64_t v) { return builder.getNamedAttr(name, builder.getI64IntegerAttr(v)); };
    return builder.getDictionaryAttr(
        {i64("weight_stream",
             static_cast<std::int64_t>(std::ceil(static_cast<double>(program.getWeightBytes()) / weightBytesPerCycle))),
         i64("resource", totals.resource + skew()), i64("critical_path", totals.criticalPath + skew()),
         i64("lower", totals.lower + skew())});
  }

  /// A program that is as long as its lower bound and does nothing.
  LogicalResult writeBounds(OpBuilder &builder) {
    Totals totals = bound(builder);
    auto timed = timed::ProgramOp::create(builder, program.getLoc(), program.getSymName(), program.getKind(),
                                          program.getTokens(), program.getContext(), totals.lower + skew(),
                                          boundsOf(builder, totals), builder.getDictionaryAttr({}),
                                          builder.getArrayAttr(totals.phases), program.getUsersAttr());
    timed.getBody().emplaceBlock();
    return success();
  }

  LogicalResult write(OpBuilder &builder) {
    Location loc = program.getLoc();
    Cycle cycles = solution.end() + skew();
    Totals totals = bound(builder);
    auto f64 = [&](StringRef name, double v) { return builder.getNamedAttr(name, builder.getF64FloatAttr(v)); };
    DictionaryAttr bounds = boundsOf(builder, totals);
    auto use = builder.getDictionaryAttr(
        {f64("mxm", usage(isa::UnitKind::MxmA, cycles)), f64("vxm", usage(isa::UnitKind::Vxm, cycles)),
         f64("sxm", usage(isa::UnitKind::Sxm, cycles)), f64("mem", usage(isa::UnitKind::Mem, cycles)),
         f64("streams", streamUsage(cycles))});
    auto timed = timed::ProgramOp::create(builder, loc, program.getSymName(), program.getKind(), program.getTokens(),
                                          program.getContext(), cycles, bounds, use,
                                          builder.getArrayAttr(totals.phases), program.getUsersAttr());
    OpBuilder body = OpBuilder::atBlockEnd(&timed.getBody().emplaceBlock());
    for (auto binding : program.getBody().getOps<stream::BindingOp>()) {
      auto object = objects.object(binding.getObjectAttr());
      stream::Place place = stream::placeOf(object);
      timed::BindingOp::create(body, loc, binding.getName(), object.getRole() == "output" ? "out" : "in",
                               object.getPlanes(), binding.getItems(), binding.getVectors(), binding.getLanesUsed(),
                               binding.getElements(), place.side, place.slice, place.bank, place.row);
    }
    for (const auto &[number, issues] : queues)
      writeQueue(body, loc, number, issues);
    return success();
  }

  void writeQueue(OpBuilder &body, Location loc, int number, const std::vector<TimedIssue> &issues) {
    auto queue = timed::QueueOp::create(body, loc, isa::queueName(isa::queueAt(machine, number)));
    OpBuilder builder = OpBuilder::atBlockEnd(&queue.getBody().emplaceBlock());
    for (const TimedIssue &t : issues) {
      std::string_view mnemonic = isa::info(t.instruction.opcode).mnemonic;
      timed::IssueOp::create(builder, loc, t.cycle, t.count, t.window, StringRef(mnemonic.data(), mnemonic.size()),
                             timed::fieldsOf(body.getContext(), t.instruction), t.label);
    }
  }

  const isa::Machine &machine;
  const ObjectMap &objects;
  stream::ProgramOp program;
  const bool boundsOnly;
  sched::Problem problem;
  sched::Solution solution;
  std::map<int, std::vector<TimedIssue>> queues;
};

struct ConvertStreamToLpuPass : impl::ConvertStreamToLpuBase<ConvertStreamToLpuPass> {
  using ConvertStreamToLpuBase::ConvertStreamToLpuBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    FailureOr<isa::Machine> machine = targetMachine(module, target);
    if (failed(machine))
      return signalPassFailure();
    if (failed(checkPlaced(*machine, module)))
      return signalPassFailure();
    ObjectMap objects(module);
    std::vector<sched::Block> blocks = blocksOf(*machine, objects);
    if (failed(checkAlone(*machine, objects, blocks)))
      return signalPassFailure();
    OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
    writeRegions(builder, llvm::to_vector(module.getOps<stream::ObjectOp>()));
    for (auto program : llvm::to_vector(module.getOps<stream::ProgramOp>())) {
      if (failed(ProgramScheduler(*machine, objects, blocks, program, boundsOnly).run(builder)))
        return signalPassFailure();
      program.erase();
    }
    for (auto object : llvm::to_vector(module.getOps<stream::ObjectOp>()))
      object.erase();
  }

  /// A region for each object; where scratch objects share rows, for the rows of a slice that any of them takes.
  static void writeRegions(OpBuilder &builder, ArrayRef<stream::ObjectOp> objects) {
    std::map<std::array<std::int64_t, 3>, std::map<std::int64_t, std::int64_t>>
        slices; // (side, slice, bank): first row -> end
    bool shared = false;
    for (stream::ObjectOp object : objects) {
      if (object.getRole() != "scratch")
        continue;
      stream::Place place = stream::placeOf(object);
      for (std::int64_t i = 0; i < static_cast<std::int64_t>(object.getPlanes()); ++i) {
        auto &spans = slices[{place.side, place.slice + i, place.bank}];
        std::int64_t first = place.row, end = place.row + static_cast<std::int64_t>(object.getRows());
        for (auto span = spans.begin(); span != spans.end();) {
          bool meets = span->first < end && first < span->second;
          shared |= meets;
          if (meets)
            first = std::min(first, span->first), end = std::max(end, span->second);
          span = meets ? spans.erase(span) : std::next(span);
        }
        spans[first] = end;
      }
    }
    for (stream::ObjectOp object : objects)
      if (!shared || object.getRole() != "scratch")
        writeRegion(builder, object);
    if (!shared)
      return;
    Location loc = stream::ObjectOp(objects.front()).getLoc();
    for (const auto &[slice, spans] : slices)
      for (auto [first, end] : spans)
        timed::RegionOp::create(
            builder, loc,
            ("scratch." + Twine(slice[0]) + "." + Twine(slice[1]) + "." + Twine(slice[2]) + "." + Twine(first)).str(),
            "scratch", slice[0], slice[1], 1, slice[2], first, end - first, DictionaryAttr());
  }

  /// A tile in pieces becomes a region each, with its quarter of the content.
  static void writeRegion(OpBuilder &builder, stream::ObjectOp object) {
    stream::Place place = stream::placeOf(object);
    StringRef kind = object.getRole() == "constant" || object.getRole() == "zero" ? object.getRole() : "scratch";
    auto write = [&](const Twine &name, const stream::Piece &piece, std::int64_t slices, DictionaryAttr content) {
      timed::RegionOp::create(builder, object.getLoc(), name.str(), kind, place.side, piece.slice, slices, piece.bank,
                              piece.row, object.getRows(), content);
    };
    bool whole = !object.getPlane() || stream::isWhole(stream::piecesOf(object));
    if (whole)
      return write(object.getSymName(), {place.slice, place.bank, place.row}, object.getPlanes(),
                   object.getContentAttr());
    for (auto [i, piece] : llvm::enumerate(stream::piecesOf(object))) {
      NamedAttrList content(object.getContentAttr());
      content.set("piece", builder.getI64IntegerAttr(i));
      write(object.getSymName() + "." + Twine(i), piece, stream::kPieceSlices,
            content.getDictionary(object.getContext()));
    }
  }
};

} // namespace
} // namespace lpu::compiler
