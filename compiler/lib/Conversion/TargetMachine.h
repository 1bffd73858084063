// The machine a pass compiles for.
#pragma once

#include "lpu/compiler/Conversion/BoundMachine.h"
#include "lpu/isa/Machine.h"

#include "mlir/IR/BuiltinOps.h"

namespace lpu::compiler {

/// MEM slices that feed one plane's weight load, and those next to VXM kept for everything else: three groups of four,
/// so that what a flow reads and writes at once finds slices of its own.
inline constexpr int kTileSlices = 16, kInnerSlices = 12;

/// Loads `target`, checks what the mapping relies on and binds `module` to it; reports errors at `module`.
inline mlir::FailureOr<isa::Machine> targetMachine(mlir::ModuleOp module, const std::string &target) {
  auto machine = isa::loadMachine(target);
  if (!machine)
    return module.emitError(machine.error().place.empty() ? machine.error().message
                                                          : machine.error().place + ": " + machine.error().message);
  if (Status same = checkMachine(module, *machine); !same)
    return module.emitError(same.error().message);
  if (machine->mxmPlanesPerSide != 2)
    return module.emitError("the mapping uses two MXM planes a side, machine '")
           << machine->name << "' has " << machine->mxmPlanesPerSide;
  if (machine->memSlicesPerSide < kTileSlices + kInnerSlices)
    return module.emitError("the mapping needs ")
           << kTileSlices << " MEM slices a side for weights and " << kInnerSlices << " for activations, machine '"
           << machine->name << "' has " << machine->memSlicesPerSide;
  if (machine->memSlicesPerPosition % 4 != 0)
    return module.emitError("the four bytes of a lane must lie at one stream position: slices per position must be a "
                            "multiple of 4, machine '")
           << machine->name << "' has " << machine->memSlicesPerPosition;
  if (machine->vxmAlus < 16)
    return module.emitError("the attention sweep needs 16 ALUs, machine '")
           << machine->name << "' has " << machine->vxmAlus;
  if (machine->memRowsPerBank & (machine->memRowsPerBank - 1))
    return module.emitError("embedding look-up needs a power of two of rows per bank, machine '")
           << machine->name << "' has " << machine->memRowsPerBank;
  bindMachine(module, *machine);
  return std::move(*machine);
}

} // namespace lpu::compiler
