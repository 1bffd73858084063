// The mapping of a model's groups of linears: chosen before anything is lowered, as attributes of the llm IR.
#pragma once

#include "lpu/compiler/Dialect/LLM/LLM.h"
#include "lpu/compiler/Support/MappingFile.h"
#include "lpu/isa/Machine.h"

namespace lpu::compiler {

/// Attribute of an llm.linear: the form of its group, by name.
inline constexpr llvm::StringLiteral kFormAttr = "llm.form";
/// Module attribute, from llm-choose-mapping on to the report: what was chosen, and by whom.
inline constexpr llvm::StringLiteral kMappingAttr = "lpu.mapping";

/// What a linear is for, by what makes its input and what takes its result.
LinearRole roleOf(llm::LinearOp op);

/// Gives every linear of a decoder that has no form yet the one of least cost, or the one the file names. Error at the
/// module: the file chooses a form for linears that have to have another, or for such as the model does not have.
mlir::LogicalResult chooseMapping(mlir::ModuleOp module, const isa::Machine &machine, const MappingFile &file);

/// The form a linear has.
LinearForm formOf(llm::LinearOp op);

} // namespace lpu::compiler
