// Handles and file can drift apart when IR is edited or moved; this is where they meet.

#include "lpu/compiler/Dialect/LLM/Source.h"

#include "lpu/compiler/Dialect/LLM/LLM.h"
#include "lpu/compiler/Support/OneLineErrors.h"

namespace lpu::compiler::llm {

Result<std::shared_ptr<WeightStore>> storeOf(mlir::ModuleOp module) {
  auto source = module->getAttrOfType<mlir::StringAttr>(kSourceAttr);
  if (!source)
    return Error{"", "the module has no attribute " + kSourceAttr.str() +
                         " naming its weight file; import it from a model file"};
  if (!module->hasAttr(kRoundingAttr))
    return WeightStore::open(source.str());
  auto &rounded = module.getContext()->getOrLoadDialect<LLMDialect>()->roundedSources;
  if (auto known = rounded.find(source.str()); known != rounded.end())
    return known->second;
  return Error{"", "the weights were rounded with calibration (" + kRoundingAttr.str() +
                       "), and the rounded values are not in the IR; compile from the model"};
}

void attachRounded(mlir::ModuleOp module, llvm::StringRef method, std::shared_ptr<WeightStore> store) {
  module->setAttr(kRoundingAttr, mlir::StringAttr::get(module.getContext(), method));
  module.getContext()->getOrLoadDialect<LLMDialect>()->roundedSources[store->name()] = std::move(store);
}

std::shared_ptr<WeightStore> openSource(mlir::ModuleOp module) {
  auto store = storeOf(module);
  if (!store) {
    if (store.error().place.empty())
      module.emitError(store.error().message);
    else
      (void)report(module.getContext(), store.error());
    return nullptr;
  }
  for (WeightOp weight : module.getOps<WeightOp>()) {
    auto [rows, cols] = (*store)->dimensions(weight.getSource());
    if (rows == weight.getRows() && cols == weight.getCols())
      continue;
    weight.emitError("weight @") << weight.getSymName() << " is " << weight.getRows() << "x" << weight.getCols()
                                 << ", tensor \"" << weight.getSource() << "\" of \"" << (*store)->name() << "\" is "
                                 << rows << "x" << cols << "; the IR belongs to another file";
    return nullptr;
  }
  return *store;
}

} // namespace lpu::compiler::llm
