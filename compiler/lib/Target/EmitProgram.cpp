// Emission: words per queue, regions with their image, and what the runtime needs
// to know about the model. The weight file is read here and nowhere later.

#include "lpu/compiler/Target/EmitProgram.h"

#include "Contents.h"
#include "lpu/compiler/Dialect/LLM/LLM.h"
#include "lpu/compiler/Target/QueueWords.h"

#include <map>

using namespace mlir;

namespace lpu::compiler {

namespace {

isa::Region::Kind regionKind(StringRef kind) {
  return kind == "constant" ? isa::Region::Kind::Constant
         : kind == "zero"   ? isa::Region::Kind::Zero
         : kind == "code"   ? isa::Region::Kind::Code
                            : isa::Region::Kind::Scratch;
}

double real(DictionaryAttr attrs, StringRef key) {
  auto attr = attrs.getAs<FloatAttr>(key);
  return attr ? attr.getValueAsDouble() : 0;
}
std::int64_t whole(DictionaryAttr attrs, StringRef key) {
  auto attr = attrs.getAs<IntegerAttr>(key);
  return attr ? attr.getInt() : 0;
}

isa::Binding bindingOf(timed::BindingOp op) {
  isa::Binding binding;
  binding.name = op.getName().str();
  binding.width = static_cast<std::uint8_t>(op.getWidth());
  binding.items = static_cast<std::uint32_t>(op.getItems());
  binding.vectors = static_cast<std::uint32_t>(op.getVectors());
  binding.lanesUsed = static_cast<std::uint32_t>(op.getLanesUsed());
  binding.elements = static_cast<std::uint32_t>(op.getElements());
  binding.side = isa::Side(op.getSide());
  binding.slice0 = static_cast<std::uint16_t>(op.getSlice());
  binding.bank = static_cast<std::uint8_t>(op.getBank());
  binding.row0 = static_cast<std::uint16_t>(op.getRow());
  return binding;
}

class Emitter {
public:
  Emitter(ModuleOp module, const isa::Machine &machine) : module(module), machine(machine) {}

  Result<isa::Program> run() {
    auto source = module->getAttrOfType<StringAttr>(llm::kSourceAttr);
    if (!source)
      return Error{"", "the module has no llm.source attribute naming its weight file"};
    auto store = WeightStore::open(source.getValue().str());
    if (!store)
      return store.error();
    program.machine = machine;
    program.machineYaml = isa::writeMachine(machine);
    const ModelShape &shape = (*store)->shape();
    program.model = {shape.name, shape.architecture, shape.vocabulary, 0, shape.layers};
    program.tokenizer = (*store)->tokenizer();
    if (Status filled = emitRegions(**store); !filled)
      return filled.error();
    for (auto step : module.getOps<timed::ProgramOp>())
      if (Status emitted = emitStep(step); !emitted)
        return emitted.error();
    chip.name = "all", chip.layerCount = program.model.layers;
    program.chips = {isa::Chip{0, 0, std::vector<isa::Cycle>(program.steps.size()), 0, 0, 0}};
    program.classes = {std::move(chip)};
    return std::move(program);
  }

private:
  /// Without weights constants have a place and no contents: the program can be timed, not computed.
  Status emitRegions(WeightStore &store) {
    std::uint64_t size = 0;
    for (auto op : module.getOps<timed::RegionOp>()) {
      isa::Region region;
      region.name = op.getName().str();
      region.kind = regionKind(op.getKind());
      region.side = isa::Side(op.getSide());
      region.slice0 = static_cast<std::uint16_t>(op.getSlice()), region.slices = static_cast<std::uint16_t>(op.getSlices());
      region.bank = static_cast<std::uint8_t>(op.getBank());
      region.row0 = static_cast<std::uint16_t>(op.getRow()), region.rows = static_cast<std::uint16_t>(op.getRows());
      if (region.kind == isa::Region::Kind::Constant) {
        region.imageOffset = size;
        size += std::uint64_t{region.slices} * region.rows * static_cast<std::uint64_t>(machine.rowBytes());
      }
      chip.regions.push_back(region);
    }
    chip.imageBytes = size;
    program.hasWeights = store.hasWeights();
    if (!program.hasWeights)
      return Ok{};
    auto image = std::make_shared<std::vector<std::uint8_t>>(size);
    Contents contents(store, machine);
    std::size_t index = 0;
    for (auto op : module.getOps<timed::RegionOp>()) {
      const isa::Region &region = chip.regions[index++];
      if (region.kind != isa::Region::Kind::Constant)
        continue;
      std::size_t bytes = std::size_t{region.slices} * region.rows * static_cast<std::size_t>(machine.rowBytes());
      if (Status filled = contents.fill(op, std::span(*image).subspan(region.imageOffset, bytes)); !filled)
        return filled;
    }
    program.image = *image;
    program.imageOwner = image;
    return Ok{};
  }

  Status emitStep(timed::ProgramOp op) {
    isa::SystemStep system;
    system.name = op.getSymName().str();
    system.kind = op.getKind() == "prefill" ? isa::StepKind::Prefill : isa::StepKind::Decode;
    system.tokens = static_cast<std::uint32_t>(op.getTokens()), system.context = static_cast<std::uint32_t>(op.getContext());
    system.predictedCycles = static_cast<isa::Cycle>(op.getCycles());
    program.model.maxContext = std::max(program.model.maxContext, system.context);
    isa::StepProgram step;
    step.predictedCycles = system.predictedCycles;
    step.weightStreamBoundCycles = whole(op.getBounds(), "weight_stream"), step.resourceBoundCycles = whole(op.getBounds(), "resource");
    step.criticalPathCycles = whole(op.getBounds(), "critical_path"), step.lowerBoundCycles = whole(op.getBounds(), "lower");
    step.utilization = {real(op.getUsage(), "mxm"), real(op.getUsage(), "vxm"), real(op.getUsage(), "sxm"), real(op.getUsage(), "mem"),
                        real(op.getUsage(), "streams")};
    step.labels = {"control"};
    std::map<std::string, std::uint16_t> labels = {{"control", 0}};
    for (Operation &child : op.getBody().front()) {
      if (auto binding = dyn_cast<timed::BindingOp>(child))
        (binding.getDirection() == "in" ? step.inputs : step.outputs).push_back(bindingOf(binding));
      auto queue = dyn_cast<timed::QueueOp>(child);
      if (!queue)
        continue;
      isa::QueueCode code;
      code.queue = *isa::parseQueueName(queue.getQueue().str());
      auto add = [&](const isa::Instruction &instruction, const std::string &label) -> Status {
        auto word = isa::encode(instruction);
        if (!word)
          return Error{queue.getQueue().str(), word.error().message};
        auto [entry, isNew] = labels.try_emplace(label, static_cast<std::uint16_t>(step.labels.size()));
        if (isNew)
          step.labels.push_back(label);
        code.words.push_back(*word);
        code.labels.push_back(entry->second);
        return Ok{};
      };
      // One queue opens the barrier for all.
      if (step.queues.empty())
        if (Status added = add(isa::Instruction{isa::Opcode::Notify, {}}, "control"); !added)
          return added;
      for (const LabelledInstruction &entry : queueWords(queue))
        if (Status added = add(entry.instruction, entry.label.str()); !added)
          return added;
      step.queues.push_back(std::move(code));
    }
    program.steps.push_back(std::move(system));
    chip.programs.push_back(std::move(step));
    return Ok{};
  }

  ModuleOp module;
  const isa::Machine &machine;
  isa::Program program;
  isa::ChipClass chip;
};

} // namespace

Result<isa::Program> emitProgram(ModuleOp module, const isa::Machine &machine) { return Emitter(module, machine).run(); }

} // namespace lpu::compiler
