// Constraints between operations of the stream dialect and the objects they
// name. Labels (C1, …) are those of StreamOps.td.

#include "lpu/compiler/Dialect/Stream/Stream.h"

#include <algorithm>

using namespace mlir;

namespace lpu::stream {

namespace {

/// The object an operation names, or nothing and an error.
ObjectOp objectOf(SymbolTableCollection &symbols, Operation *op, FlatSymbolRefAttr name) {
  auto object = symbols.lookupNearestSymbolFrom<ObjectOp>(op, name);
  if (!object)
    op->emitOpError("C1: there is no stream.object ") << name;
  return object;
}

LogicalResult checkWidth(Operation *op, ObjectOp object, Value value) {
  auto width = static_cast<int64_t>(cast<VecType>(value.getType()).getWidth());
  if (width == static_cast<int64_t>(object.getPlanes()))
    return success();
  return op->emitOpError("C1: the vector has ")
         << width << " bytes, @" << object.getSymName() << " has " << object.getPlanes() << " planes";
}

/// Rows row, row + step, … of a burst lie inside the object.
LogicalResult checkRows(Operation *op, ObjectOp object, int64_t row, int64_t step, bool once) {
  int64_t copies = once ? 1 : static_cast<int64_t>(cast<FlowOp>(op->getParentOp()).getRepeat()),
          last = row + step * (copies - 1);
  auto rows = static_cast<int64_t>(object.getRows());
  if (std::min(row, last) >= 0 && std::max(row, last) < rows)
    return success();
  return op->emitOpError("C2: rows ") << row << " to " << row << " + " << step << " * " << copies - 1 << " = " << last
                                      << " are not inside the " << rows << " rows of @" << object.getSymName();
}

/// A byte of a row lies inside the object.
LogicalResult checkByte(Operation *op, ObjectOp object, int64_t row, int64_t byte) {
  auto rows = static_cast<int64_t>(object.getRows()), planes = static_cast<int64_t>(object.getPlanes());
  if (row >= 0 && row < rows && byte >= 0 && byte < planes)
    return success();
  return op->emitOpError("C2: byte ") << byte << " of row " << row << " is not inside the " << planes << " planes of "
                                      << rows << " rows of @" << object.getSymName();
}

LogicalResult checkWritable(Operation *op, ObjectOp object, const char *label = "C3") {
  if (object.getRole() != "constant")
    return success();
  return op->emitOpError(label) << ": @" << object.getSymName() << " is a constant";
}

LogicalResult checkMap(Operation *op, Value map) {
  if (unsigned width = cast<VecType>(map.getType()).getWidth(); width != 2)
    return op->emitOpError("C2: the map has ") << width << " bytes, expected 2";
  return success();
}

} // namespace

LogicalResult BindingOp::verifySymbolUses(SymbolTableCollection &symbols) {
  ObjectOp object = objectOf(symbols, *this, getObjectAttr());
  if (!object)
    return failure();
  if (object.getRole() != "input" && object.getRole() != "output")
    return emitOpError("C1: @") << object.getSymName() << " is '" << object.getRole() << "', expected input or output";
  auto items = static_cast<int64_t>(getItems()), vectors = static_cast<int64_t>(getVectors()),
       rows = static_cast<int64_t>(object.getRows());
  if (items < 1 || vectors < 1 || items > rows || items * vectors > rows)
    return emitOpError("C2: ") << items << " items of " << vectors << " vectors do not fit the " << rows << " rows of @"
                               << object.getSymName();
  return success();
}

LogicalResult LoadTileOp::verifySymbolUses(SymbolTableCollection &symbols) {
  ObjectOp object = objectOf(symbols, *this, getObjectAttr());
  if (!object)
    return failure();
  if (object.getPlanes() != 16)
    return emitOpError("C1: @") << object.getSymName() << " has " << object.getPlanes() << " planes, a tile has 16";
  auto plane = static_cast<int64_t>(getPlane());
  if (plane < 0 || plane > 3)
    return emitOpError("C2: plane ") << plane << ", expected 0 to 3";
  if (object.getPlace() && placeOf(object).side != plane / 2)
    return emitOpError("C2: plane ") << plane << " is " << (plane / 2 ? "west" : "east") << ", @" << object.getSymName()
                                     << " lies on the other side";
  auto row = static_cast<int64_t>(getRow()), all = static_cast<int64_t>(object.getRows()),
       count = getRows() ? static_cast<int64_t>(*getRows()) : all - row;
  if (row < 0 || count < 1 || row + count > all)
    return emitOpError("C3: ") << count << " rows from row " << row << " on are not inside the " << all << " rows of @"
                               << object.getSymName();
  return success();
}

LogicalResult ReadOp::verifySymbolUses(SymbolTableCollection &symbols) {
  ObjectOp object = objectOf(symbols, *this, getObjectAttr());
  if (!object || failed(checkWidth(*this, object, getResult())))
    return failure();
  return checkRows(*this, object, static_cast<int64_t>(getRow()), static_cast<int64_t>(getStep()), getOnce());
}

LogicalResult WriteOp::verifySymbolUses(SymbolTableCollection &symbols) {
  ObjectOp object = objectOf(symbols, *this, getObjectAttr());
  if (!object || failed(checkWidth(*this, object, getValue())))
    return failure();
  if (failed(checkRows(*this, object, static_cast<int64_t>(getRow()), static_cast<int64_t>(getStep()), false)))
    return failure();
  return checkWritable(*this, object);
}

LogicalResult GatherOp::verifySymbolUses(SymbolTableCollection &symbols) {
  ObjectOp object = objectOf(symbols, *this, getObjectAttr());
  if (!object || failed(checkWidth(*this, object, getResult())))
    return failure();
  return checkMap(*this, getMap());
}

LogicalResult ScatterOp::verifySymbolUses(SymbolTableCollection &symbols) {
  ObjectOp object = objectOf(symbols, *this, getObjectAttr());
  if (!object || failed(checkWidth(*this, object, getValue())) || failed(checkMap(*this, getMap())))
    return failure();
  return checkWritable(*this, object);
}

LogicalResult FetchOp::verifySymbolUses(SymbolTableCollection &symbols) {
  ObjectOp object = objectOf(symbols, *this, getObjectAttr());
  if (!object)
    return failure();
  if (auto byte = static_cast<int64_t>(getByte()); byte < 0 || byte >= static_cast<int64_t>(object.getPlanes()))
    return emitOpError("C1: byte ") << byte << " of the " << object.getPlanes() << " planes of @"
                                    << object.getSymName();
  if (object.getPlace() && placeOf(object).side != getPlanes().front() / 2)
    return emitOpError("C4: plane ") << getPlanes().front() << " and @" << object.getSymName()
                                     << " are on different sides";
  return checkRows(*this, object, static_cast<int64_t>(getRow()), 1, false);
}

LogicalResult ScatterTileOp::verifySymbolUses(SymbolTableCollection &symbols) {
  ObjectOp object = objectOf(symbols, *this, getObjectAttr());
  if (!object || failed(checkMap(*this, getMap())))
    return failure();
  if (object.getPlanes() != 16)
    return emitOpError("C1: @") << object.getSymName() << " has " << object.getPlanes() << " planes, a tile has 16";
  return checkWritable(*this, object);
}

LogicalResult AluOp::verifySymbolUses(SymbolTableCollection &symbols) {
  if (getImmRowOf() && !symbols.lookupNearestSymbolFrom<ObjectOp>(*this, getImmRowOfAttr()))
    return emitOpError("C4: there is no stream.object ") << getImmRowOfAttr();
  return success();
}

LogicalResult SendOp::verifySymbolUses(SymbolTableCollection &symbols) {
  ObjectOp object = objectOf(symbols, *this, getObjectAttr());
  return object ? checkByte(*this, object, static_cast<int64_t>(getRow()), static_cast<int64_t>(getByte())) : failure();
}

LogicalResult ReceiveOp::verifySymbolUses(SymbolTableCollection &symbols) {
  if (getObjects().empty())
    return emitOpError("C1: names no object");
  for (auto name : getObjects().getAsRange<FlatSymbolRefAttr>()) {
    ObjectOp object = objectOf(symbols, *this, name);
    if (!object || failed(checkByte(*this, object, static_cast<int64_t>(getRow()), static_cast<int64_t>(getByte()))) ||
        failed(checkWritable(*this, object, "C5")))
      return failure();
  }
  return success();
}

} // namespace lpu::stream
