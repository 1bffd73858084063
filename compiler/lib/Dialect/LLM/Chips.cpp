// Chips and wires as attributes of the module, so that every stage prints and
// parses with them.

#include "lpu/compiler/Dialect/LLM/Chips.h"

#include "mlir/IR/Builders.h"

namespace lpu::compiler::llm {

using mlir::cast;

llvm::SmallVector<mlir::ModuleOp> classModules(mlir::ModuleOp module) {
  llvm::SmallVector<mlir::ModuleOp> classes(module.getOps<mlir::ModuleOp>());
  if (classes.empty())
    classes.push_back(module);
  return classes;
}

bool isPartitioned(mlir::ModuleOp module) { return module->hasAttr(kChipsAttr); }

std::int64_t shardsOf(mlir::ModuleOp chipClass) {
  auto shards = chipClass->getAttrOfType<mlir::IntegerAttr>(kShardsAttr);
  return shards ? shards.getInt() : 1;
}

void setChips(mlir::ModuleOp module, llvm::ArrayRef<ChipPlace> chips) {
  mlir::Builder b(module.getContext());
  llvm::SmallVector<mlir::Attribute> list;
  for (const ChipPlace &chip : chips)
    list.push_back(
        b.getDictionaryAttr({b.getNamedAttr("class", mlir::FlatSymbolRefAttr::get(module.getContext(), chip.chipClass)),
                             b.getNamedAttr("stage", b.getI64IntegerAttr(chip.stage)),
                             b.getNamedAttr("shard", b.getI64IntegerAttr(chip.shard)),
                             b.getNamedAttr("first_layer", b.getI64IntegerAttr(chip.firstLayer))}));
  module->setAttr(kChipsAttr, b.getArrayAttr(list));
}

std::vector<ChipPlace> chipsOf(mlir::ModuleOp module) {
  auto list = module->getAttrOfType<mlir::ArrayAttr>(kChipsAttr);
  if (!list)
    return {{"all", 0, 0, 0}};
  std::vector<ChipPlace> chips;
  for (auto chip : list.getAsRange<mlir::DictionaryAttr>()) {
    auto number = [&](llvm::StringRef key) { return chip.getAs<mlir::IntegerAttr>(key).getInt(); };
    chips.push_back({chip.getAs<mlir::FlatSymbolRefAttr>("class").getValue().str(), number("stage"), number("shard"),
                     number("first_layer")});
  }
  return chips;
}

void setWires(mlir::ModuleOp module, llvm::ArrayRef<WirePlace> wires) {
  mlir::Builder b(module.getContext());
  llvm::SmallVector<mlir::Attribute> list;
  for (const WirePlace &wire : wires)
    list.push_back(b.getDenseI64ArrayAttr({wire.chipA, wire.linkA, wire.chipB, wire.linkB}));
  module->setAttr(kWiresAttr, b.getArrayAttr(list));
}

std::vector<WirePlace> wiresOf(mlir::ModuleOp module) {
  std::vector<WirePlace> wires;
  if (auto list = module->getAttrOfType<mlir::ArrayAttr>(kWiresAttr))
    for (auto wire : list.getAsRange<mlir::DenseI64ArrayAttr>())
      wires.push_back({wire[0], wire[1], wire[2], wire[3]});
  return wires;
}

std::string shiftLayer(llvm::StringRef name, std::int64_t first) {
  auto [head, rest] = name.split('.');
  auto [number, what] = rest.split('.');
  std::int64_t layer = 0;
  if ((head != "blk" && head != "cache") || number.getAsInteger(10, layer))
    return name.str();
  std::string shifted = head.str() + "." + std::to_string(first + layer);
  return what.empty() ? shifted : shifted + "." + what.str();
}

} // namespace lpu::compiler::llm
