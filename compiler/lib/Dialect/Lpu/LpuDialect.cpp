// Registration and verifiers of the lpu dialect. Constraint labels (C1, …) are
// those of LpuOps.td.

#include "lpu/compiler/Dialect/Lpu/Lpu.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

#include "lpu/compiler/Dialect/Lpu/LpuDialect.cpp.inc"
#define GET_OP_CLASSES
#include "lpu/compiler/Dialect/Lpu/LpuOps.cpp.inc"

using namespace mlir;

namespace lpu::timed {

void LpuDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "lpu/compiler/Dialect/Lpu/LpuOps.cpp.inc"
      >();
}

namespace {

const isa::InstructionInfo *findInstruction(StringRef mnemonic) {
  static const auto *table = [] {
    auto *map = new llvm::StringMap<const isa::InstructionInfo *>;
    for (const isa::InstructionInfo &info : isa::instructions())
      (*map)[StringRef(info.mnemonic.data(), info.mnemonic.size())] = &info;
    return map;
  }();
  auto it = table->find(mnemonic);
  return it == table->end() ? nullptr : it->second;
}

StringRef nameOf(isa::Field field) {
  std::string_view name = isa::fieldName(field);
  return {name.data(), name.size()};
}

/// 64-bit attributes read as unsigned, whatever their sign.
bool anyNegative(std::initializer_list<uint64_t> values) {
  return llvm::any_of(values, [](uint64_t v) { return static_cast<int64_t>(v) < 0; });
}

} // namespace

isa::Instruction instructionOf(IssueOp issue) {
  const isa::InstructionInfo *info = findInstruction(issue.getOpcode());
  isa::Instruction instruction;
  instruction.opcode = info->opcode;
  for (const isa::FieldInfo &field : info->fields)
    if (auto value = issue.getFields().getAs<IntegerAttr>(nameOf(field.field)))
      instruction.set(field.field, value.getInt());
  return instruction;
}

DictionaryAttr fieldsOf(MLIRContext *context, const isa::Instruction &instruction) {
  Builder b(context);
  SmallVector<NamedAttribute> fields;
  for (const isa::FieldInfo &field : isa::info(instruction.opcode).fields)
    if (int64_t value = instruction.get(field.field))
      fields.push_back(b.getNamedAttr(nameOf(field.field), b.getI64IntegerAttr(value)));
  return b.getDictionaryAttr(fields);
}

LogicalResult RegionOp::verify() {
  StringRef kind = getKind();
  if (kind != "constant" && kind != "zero" && kind != "scratch" && kind != "code")
    return emitOpError("C1: kind is '") << kind << "', expected constant, zero, scratch or code";
  if ((kind == "constant") != getContent().has_value())
    return emitOpError("C2: a constant has content and nothing else has");
  if (anyNegative({getSide(), getSlice(), getBank(), getRow()}) || anyNegative({getSlices() - 1, getRows() - 1}))
    return emitOpError("C3: a negative place, or no slices or rows");
  return success();
}

LogicalResult ProgramOp::verify() {
  if (auto lower = getBounds().getAs<IntegerAttr>("lower"); lower && lower.getInt() > static_cast<int64_t>(getCycles()))
    return emitOpError("C1: ") << getCycles() << " cycles are fewer than the lower bound " << lower.getInt();
  llvm::StringSet<> seen;
  for (auto queue : getBody().getOps<QueueOp>())
    if (!seen.insert(queue.getQueue()).second)
      return queue.emitOpError("C2: ") << queue.getQueue() << " appears twice in @" << getSymName();
  return success();
}

LogicalResult BindingOp::verify() {
  if (getDirection() != "in" && getDirection() != "out")
    return emitOpError("C1: direction is '") << getDirection() << "', expected in or out";
  if (getWidth() != 1 && getWidth() != 2 && getWidth() != 4)
    return emitOpError("C2: width is ") << static_cast<int64_t>(getWidth()) << ", expected 1, 2 or 4";
  if (anyNegative({getItems() - 1, getVectors() - 1, getLanesUsed(), getElements(), getSide(), getSlice(), getBank(),
                   getRow()}))
    return emitOpError("C3: items and vectors are at least 1, the other numbers at least 0");
  return success();
}

LogicalResult QueueOp::verify() {
  if (!isa::parseQueueName(getQueue().str()))
    return emitOpError("C1: '") << getQueue() << "' is no queue name";
  return success();
}

LogicalResult IssueOp::verify() {
  const isa::InstructionInfo *info = findInstruction(getOpcode());
  if (!info)
    return emitOpError("C1: no instruction is called '") << getOpcode() << "'";
  auto queue = isa::parseQueueName(cast<QueueOp>((*this)->getParentOp()).getQueue().str());
  if (queue && !isa::accepts(queue->unit, info->opcode))
    return emitOpError("C1: queue ") << cast<QueueOp>((*this)->getParentOp()).getQueue() << " does not take '"
                                     << getOpcode() << "'";
  isa::Instruction instruction;
  instruction.opcode = info->opcode;
  for (NamedAttribute entry : getFields()) {
    const isa::FieldInfo *found = nullptr;
    for (const isa::FieldInfo &field : info->fields)
      if (nameOf(field.field) == entry.getName().getValue())
        found = &field;
    auto value = dyn_cast<IntegerAttr>(entry.getValue());
    if (!found || !value)
      return emitOpError("C2: '") << getOpcode() << "' has no field '" << entry.getName().getValue() << "'";
    if (found->field == isa::Field::Copies || found->field == isa::Field::Wait)
      return emitOpError("C2: field '") << entry.getName().getValue()
                                        << "' follows from count and from the next issue's cycle";
    instruction.set(found->field, value.getInt());
  }
  if (auto word = isa::encode(instruction); !word)
    return emitOpError("C2: ") << word.error().message << " (" << word.error().place << ")";
  if (anyNegative({getCycle(), getCount() - 1, getWindow() - 1}) || getWindow() > 255)
    return emitOpError("C3: cycle ") << static_cast<int64_t>(getCycle()) << ", count "
                                     << static_cast<int64_t>(getCount()) << ", window "
                                     << static_cast<int64_t>(getWindow())
                                     << "; expected at least 0, at least 1 and 1 to 255";
  return success();
}

} // namespace lpu::timed
