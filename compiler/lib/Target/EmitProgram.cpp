// Emission: classes, chips with their images, wires, when chips begin, and what the
// runtime needs to know about the model. The weight file is read here and nowhere
// later.

#include "lpu/compiler/Target/EmitProgram.h"

#include "Contents.h"
#include "EmitClass.h"
#include "StartTimes.h"
#include "lpu/compiler/Dialect/LLM/LLM.h"
#include "lpu/compiler/Dialect/LLM/Source.h"

#include "mlir/IR/Threading.h"

#include <optional>
#include <set>
#include <vector>

using namespace mlir;

namespace lpu::compiler {

namespace {

class Emitter {
public:
  Emitter(ModuleOp module, const isa::Machine &machine, bool contents)
      : module(module), machine(machine), contents(contents), classes(llm::classModules(module)) {}

  Result<isa::Program> run() {
    auto store = llm::storeOf(module);
    if (!store)
      return store.error();
    program.machine = machine;
    program.machineYaml = isa::writeMachine(machine);
    const ModelShape &shape = (*store)->shape();
    program.model = {shape.name, shape.architecture, shape.vocabulary, 0, shape.layers, shape.tokenTypes};
    program.tokenizer = (*store)->tokenizer();
    program.hasWeights = contents && (*store)->hasWeights();
    if (Status emitted = emitClasses(); !emitted)
      return emitted.error();
    placeChips();
    if (Status timed = emitSteps(); !timed)
      return timed.error();
    if (Status filled = program.hasWeights ? emitImage(**store) : Status(Ok{}); !filled)
      return filled.error();
    return std::move(program);
  }

private:
  Status emitClasses() {
    for (ModuleOp chipClass : classes) {
      auto emitted = emitClass(chipClass, chipClass.getSymName().value_or("all").str(), machine);
      if (!emitted)
        return emitted.error();
      program.classes.push_back(std::move(*emitted));
    }
    if (!llm::isPartitioned(module))
      program.classes.front().layerCount = program.model.layers;
    return Ok{};
  }

  void placeChips() {
    places = llm::chipsOf(module);
    std::set<std::int64_t> stages;
    for (const llm::ChipPlace &place : places) {
      isa::Chip chip;
      while (program.classes[chip.chipClass].name != place.chipClass)
        ++chip.chipClass;
      chip.stage = static_cast<std::uint32_t>(place.stage), chip.shard = static_cast<std::uint32_t>(place.shard);
      chip.firstLayer = static_cast<std::uint32_t>(place.firstLayer);
      program.chips.push_back(chip);
      if (program.classes[chip.chipClass].layerCount > 0)
        stages.insert(place.stage);
    }
    for (const llm::WirePlace &wire : llm::wiresOf(module))
      program.wires.push_back({static_cast<std::uint16_t>(wire.chipA), static_cast<std::uint8_t>(wire.linkA),
                               static_cast<std::uint16_t>(wire.chipB), static_cast<std::uint8_t>(wire.linkB)});
    program.tp = static_cast<std::uint32_t>(llm::shardsOf(classes.front()));
    program.pp = static_cast<std::uint32_t>(stages.size());
    if (auto topology = module->getAttrOfType<StringAttr>(llm::kTopologyAttr))
      program.topology = topology.getValue().str();
  }

  /// Every class has the steps of the model in their order.
  Status emitSteps() {
    std::vector<SmallVector<timed::ProgramOp>> programs;
    for (ModuleOp chipClass : classes)
      programs.emplace_back(chipClass.getOps<timed::ProgramOp>());
    for (std::size_t i = 0; i < programs.front().size(); ++i) {
      std::vector<ProgramTraffic> traffic;
      for (const auto &ofClass : programs)
        traffic.push_back(trafficOf(ofClass[i]));
      auto starts = startTimes(machine, program.chips, program.wires, traffic);
      if (!starts)
        return starts.error();
      for (std::size_t chip = 0; chip < program.chips.size(); ++chip)
        program.chips[chip].start.push_back((*starts)[chip]);
      timed::ProgramOp op = programs.front()[i];
      isa::SystemStep step;
      step.name = op.getSymName().str();
      step.kind = op.getKind() == "prefill"  ? isa::StepKind::Prefill
                  : op.getKind() == "encode" ? isa::StepKind::Encode
                                             : isa::StepKind::Decode;
      step.tokens = static_cast<std::uint32_t>(op.getTokens()),
      step.context = static_cast<std::uint32_t>(op.getContext());
      step.users = static_cast<std::uint32_t>(op.getUsers().value_or(1));
      program.model.maxContext = std::max(program.model.maxContext, step.context);
      program.steps.push_back(step);
      program.steps.back().predictedCycles = isa::predictedLength(program, i);
    }
    return Ok{};
  }

  /// Constants, several chips at once; without weights they have a place and no contents: the program can be timed, not
  /// computed.
  Status emitImage(WeightStore &store) {
    std::uint64_t size = 0;
    for (isa::Chip &chip : program.chips) {
      chip.imageOffset = size;
      size += program.classes[chip.chipClass].imageBytes;
    }
    auto image = std::make_shared<std::vector<std::uint8_t>>(size);
    auto scales = module->getAttrOfType<DictionaryAttr>(llm::kScalesAttr);
    std::vector<std::optional<Error>> errors(program.chips.size());
    mlir::parallelFor(module.getContext(), 0, program.chips.size(), [&](std::size_t i) {
      const isa::Chip &chip = program.chips[i];
      Contents contents(store, machine, places[i], scales);
      if (Status filled = fillChip(contents, chip, program.classes[chip.chipClass], *image); !filled)
        errors[i] = filled.error();
    });
    for (const std::optional<Error> &error : errors)
      if (error)
        return *error;
    program.image = *image;
    program.imageOwner = image;
    return Ok{};
  }

  Status fillChip(Contents &contents, const isa::Chip &chip, const isa::ChipClass &chipClass,
                  std::vector<std::uint8_t> &image) {
    std::size_t index = 0;
    for (auto op : classes[chip.chipClass].getOps<timed::RegionOp>()) {
      const isa::Region &region = chipClass.regions[index++];
      if (region.kind != isa::Region::Kind::Constant)
        continue;
      std::size_t bytes = std::size_t{region.slices} * region.rows * static_cast<std::size_t>(machine.rowBytes());
      if (Status filled = contents.fill(op, std::span(image).subspan(chip.imageOffset + region.imageOffset, bytes));
          !filled)
        return filled;
    }
    return Ok{};
  }

  ModuleOp module;
  const isa::Machine &machine;
  const bool contents; ///< constants are filled, if there are weights
  SmallVector<ModuleOp> classes;
  std::vector<llm::ChipPlace> places;
  isa::Program program;
};

} // namespace

Result<isa::Program> emitProgram(ModuleOp module, const isa::Machine &machine) {
  return Emitter(module, machine, true).run();
}

Result<isa::Program> emitBounds(ModuleOp module, const isa::Machine &machine) {
  return Emitter(module, machine, false).run();
}

} // namespace lpu::compiler
