// The stream dialect's C++ classes. Heavy: include it from few files.
#pragma once

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "lpu/compiler/Dialect/Stream/StreamDialect.h.inc"
#define GET_TYPEDEF_CLASSES
#include "lpu/compiler/Dialect/Stream/StreamTypes.h.inc"
#define GET_OP_CLASSES
#include "lpu/compiler/Dialect/Stream/StreamOps.h.inc"

namespace lpu::stream {

/// Slot codes of stream.alu.
inline constexpr int64_t kSlotImmediate = -1, kSlotAccumulator = -2;

/// Place of an object: side (0 east), first slice, bank, first row.
struct Place {
  int64_t side, slice, bank, row;
};
Place placeOf(ObjectOp object);
void setPlace(ObjectOp object, const Place &place);

} // namespace lpu::stream
