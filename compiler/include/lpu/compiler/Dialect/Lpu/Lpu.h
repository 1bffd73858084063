// The lpu dialect's C++ classes. Heavy: include it from few files.
#pragma once

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"

#include "lpu/compiler/Dialect/Lpu/LpuDialect.h.inc"
#define GET_OP_CLASSES
#include "lpu/compiler/Dialect/Lpu/LpuOps.h.inc"

#include "lpu/isa/Instruction.h"

namespace lpu::timed {

/// The machine instruction an issue stands for; the op's verifier has checked it.
isa::Instruction instructionOf(IssueOp issue);
/// Non-zero fields of an instruction, by assembler name.
mlir::DictionaryAttr fieldsOf(mlir::MLIRContext *context, const isa::Instruction &instruction);

} // namespace lpu::timed
