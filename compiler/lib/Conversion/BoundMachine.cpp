#include "lpu/compiler/Conversion/BoundMachine.h"

#include "lpu/isa/Hash.h"

#include "mlir/IR/BuiltinAttributes.h"

#include <fmt/format.h>

namespace lpu::compiler {

static std::string hashOf(const isa::Machine &machine) {
  return fmt::format("{:016x}", isa::hash64(isa::writeMachine(machine)));
}

void bindMachine(mlir::ModuleOp module, const isa::Machine &machine) {
  module->setAttr(kMachineAttr, mlir::StringAttr::get(module.getContext(), machine.name));
  module->setAttr(kMachineHashAttr, mlir::StringAttr::get(module.getContext(), hashOf(machine)));
}

Status checkMachine(mlir::ModuleOp module, const isa::Machine &machine) {
  auto name = module->getAttrOfType<mlir::StringAttr>(kMachineAttr),
       hash = module->getAttrOfType<mlir::StringAttr>(kMachineHashAttr);
  if (!name || !hash || hash.getValue() == hashOf(machine))
    return Ok{};
  const std::string wanted = name.str();
  if (wanted == machine.name)
    return Error{"", fmt::format("this IR is for machine '{}' as it was described when the IR was made, and the "
                                 "description has changed; start from the model",
                                 wanted)};
  auto preset = isa::loadMachine(wanted);
  const bool isPreset = preset && hash.getValue() == hashOf(*preset);
  return Error{"", fmt::format("this IR is for machine '{}', not '{}'; give {}", wanted, machine.name,
                               isPreset ? "--target=" + wanted : "that machine's description by --target")};
}

} // namespace lpu::compiler
