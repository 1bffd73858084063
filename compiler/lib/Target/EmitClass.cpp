// Emission of a chip class: words per queue, and where regions lie. What they hold
// differs from chip to chip and is not made here.

#include "EmitClass.h"

#include "lpu/compiler/Dialect/LLM/Chips.h"
#include "lpu/compiler/Support/SxmMaps.h"
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

class ClassEmitter {
public:
  explicit ClassEmitter(const isa::Machine &machine) : machine(machine) {}

  Result<isa::ChipClass> run(ModuleOp module, const std::string &name) {
    result.name = name;
    if (auto layers = module->getAttrOfType<IntegerAttr>(llm::kLayersAttr))
      result.layerCount = static_cast<std::uint32_t>(layers.getInt());
    for (auto op : module.getOps<timed::RegionOp>())
      emitRegion(op);
    for (auto step : module.getOps<timed::ProgramOp>())
      if (Status emitted = emitStep(step); !emitted)
        return emitted.error();
    return std::move(result);
  }

private:
  void emitRegion(timed::RegionOp op) {
    isa::Region region;
    region.name = op.getName().str();
    region.kind = regionKind(op.getKind());
    region.side = isa::Side(op.getSide());
    region.slice0 = static_cast<std::uint16_t>(op.getSlice()),
    region.slices = static_cast<std::uint16_t>(op.getSlices());
    region.bank = static_cast<std::uint8_t>(op.getBank());
    region.row0 = static_cast<std::uint16_t>(op.getRow()), region.rows = static_cast<std::uint16_t>(op.getRows());
    if (region.kind == isa::Region::Kind::Constant) {
      region.imageOffset = result.imageBytes;
      result.imageBytes += std::uint64_t{region.slices} * region.rows * static_cast<std::uint64_t>(machine.rowBytes());
    }
    result.regions.push_back(region);
  }

  Status emitStep(timed::ProgramOp op) {
    isa::StepProgram step;
    step.predictedCycles = static_cast<isa::Cycle>(op.getCycles());
    step.weightStreamBoundCycles = whole(op.getBounds(), "weight_stream"),
    step.resourceBoundCycles = whole(op.getBounds(), "resource");
    step.criticalPathCycles = whole(op.getBounds(), "critical_path"),
    step.lowerBoundCycles = whole(op.getBounds(), "lower");
    step.utilization = {real(op.getUsage(), "mxm"), real(op.getUsage(), "vxm"), real(op.getUsage(), "sxm"),
                        real(op.getUsage(), "mem"), real(op.getUsage(), "streams")};
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
        if (result.sxmMaps.empty() &&
            (instruction.opcode == isa::Opcode::Permute || instruction.opcode == isa::Opcode::Distribute))
          result.sxmMaps = sxmMaps(machine);
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
    result.programs.push_back(std::move(step));
    return Ok{};
  }

  const isa::Machine &machine;
  isa::ChipClass result;
};

} // namespace

Result<isa::ChipClass> emitClass(ModuleOp module, const std::string &name, const isa::Machine &machine) {
  return ClassEmitter(machine).run(module, name);
}

} // namespace lpu::compiler
