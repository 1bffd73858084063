// Handles and file can drift apart when IR is edited or moved; this is where they meet.

#include "lpu/compiler/Dialect/LLM/Source.h"

#include "lpu/compiler/Dialect/LLM/LLM.h"
#include "lpu/compiler/Support/OneLineErrors.h"

namespace lpu::compiler::llm {

std::shared_ptr<WeightStore> openSource(mlir::ModuleOp module) {
  auto source = module->getAttrOfType<mlir::StringAttr>(kSourceAttr);
  if (!source) {
    module.emitError("the module has no attribute ")
        << kSourceAttr << " naming its weight file; import it from a model file";
    return nullptr;
  }
  auto store = WeightStore::open(source.str());
  if (!store) {
    (void)report(module.getContext(), store.error());
    return nullptr;
  }
  for (WeightOp weight : module.getOps<WeightOp>()) {
    auto [rows, cols] = (*store)->dimensions(weight.getSource());
    if (rows == weight.getRows() && cols == weight.getCols())
      continue;
    weight.emitError("weight @") << weight.getSymName() << " is " << weight.getRows() << "x" << weight.getCols()
                                 << ", tensor \"" << weight.getSource() << "\" of " << source << " is " << rows << "x"
                                 << cols << "; the IR belongs to another file";
    return nullptr;
  }
  return *store;
}

} // namespace lpu::compiler::llm
