// Registration and verifiers of the stream dialect. Constraint labels (C1, …)
// are those of StreamOps.td.

#include "lpu/compiler/Dialect/Stream/Stream.h"

#include "lpu/isa/Instruction.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/SmallSet.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/TypeSwitch.h"

#include "lpu/compiler/Dialect/Stream/StreamDialect.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "lpu/compiler/Dialect/Stream/StreamTypes.cpp.inc"
#define GET_OP_CLASSES
#include "lpu/compiler/Dialect/Stream/StreamOps.cpp.inc"

using namespace mlir;

namespace lpu::stream {

void StreamDialect::initialize() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "lpu/compiler/Dialect/Stream/StreamTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "lpu/compiler/Dialect/Stream/StreamOps.cpp.inc"
      >();
}

Place placeOf(ObjectOp object) {
  DictionaryAttr place = *object.getPlace();
  auto field = [&](StringRef name) { return cast<IntegerAttr>(place.get(name)).getInt(); };
  return {field("side"), field("slice"), field("bank"), field("row")};
}

void setPlace(ObjectOp object, const Place &place) {
  Builder b(object.getContext());
  object.setPlaceAttr(b.getDictionaryAttr({b.getNamedAttr("side", b.getI64IntegerAttr(place.side)),
                                           b.getNamedAttr("slice", b.getI64IntegerAttr(place.slice)),
                                           b.getNamedAttr("bank", b.getI64IntegerAttr(place.bank)),
                                           b.getNamedAttr("row", b.getI64IntegerAttr(place.row))}));
}

Pieces piecesOf(ObjectOp tile) {
  Place place = placeOf(tile);
  Pieces pieces;
  auto given = tile.getPlace()->getAs<DenseI64ArrayAttr>("pieces");
  for (int64_t i = 0; i < kTilePieces; ++i)
    pieces[i] = given ? Piece{given[3 * i], given[3 * i + 1], given[3 * i + 2]}
                      : Piece{place.slice + kPieceSlices * i, place.bank, place.row};
  return pieces;
}

bool isWhole(const Pieces &pieces) {
  for (int64_t i = 1; i < kTilePieces; ++i)
    if (pieces[i] != Piece{pieces[0].slice + kPieceSlices * i, pieces[0].bank, pieces[0].row})
      return false;
  return true;
}

void setPieces(ObjectOp tile, int64_t side, const Pieces &pieces) {
  setPlace(tile, {side, pieces[0].slice, pieces[0].bank, pieces[0].row});
  if (isWhole(pieces))
    return;
  Builder b(tile.getContext());
  NamedAttrList place(*tile.getPlace());
  SmallVector<int64_t> numbers;
  for (const Piece &piece : pieces)
    numbers.append({piece.slice, piece.bank, piece.row});
  place.set("pieces", b.getDenseI64ArrayAttr(numbers));
  tile.setPlaceAttr(place.getDictionary(tile.getContext()));
}

namespace {

std::optional<isa::Opcode> vxmOpcode(StringRef mnemonic) {
  for (const isa::InstructionInfo &info : isa::instructions())
    if (isa::isVxm(info.opcode) && info.mnemonic == std::string_view(mnemonic))
      return info.opcode;
  return std::nullopt;
}

LogicalResult checkPlane(Operation *op, int64_t plane) {
  if (plane < 0 || plane > 3)
    return op->emitOpError("C1: plane ") << plane << ", expected 0 to 3";
  return success();
}

LogicalResult checkSum(Operation *op, const char *label, VecType type) {
  if (type.getWidth() != 4)
    return op->emitOpError(label) << ": the result has " << type.getWidth() << " bytes, sums have 4";
  return success();
}

/// Streams turn outwards only at VXM.
LogicalResult checkFromVxm(Operation *op, const char *label, Value value) {
  if (mlir::isa_and_nonnull<AluOp, LastOp>(value.getDefiningOp()))
    return success();
  return op->emitOpError(label) << ": the value comes from no stream.alu or stream.last; move it first";
}

} // namespace

LogicalResult VecType::verify(llvm::function_ref<InFlightDiagnostic()> emitError, unsigned width) {
  if (width != 1 && width != 2 && width != 4)
    return emitError() << "C1: a vector of " << width << " bytes, expected 1, 2 or 4";
  return success();
}

LogicalResult ObjectOp::verify() {
  static const llvm::StringSet<> roles = {"constant", "zero", "scratch", "input", "output"};
  if (!roles.contains(getRole()))
    return emitOpError("C1: role is '") << getRole() << "', expected constant, zero, scratch, input or output";
  if (int64_t planes = getPlanes(); planes != 1 && planes != 2 && planes != 4 && planes != 16)
    return emitOpError("C2: ") << planes << " planes, expected 1, 2, 4 or 16";
  if (static_cast<int64_t>(getRows()) <= 0)
    return emitOpError("C3: ") << static_cast<int64_t>(getRows()) << " rows, expected at least 1";
  if ((getRole() == "constant") != getContent().has_value())
    return emitOpError("C4: a constant has content and nothing else has");
  if (auto place = getPlace())
    for (StringRef key : {"side", "slice", "bank", "row"})
      if (auto value = mlir::dyn_cast_or_null<IntegerAttr>(place->get(key)); !value || value.getInt() < 0)
        return emitOpError("C5: place has no integer '") << key << "' of at least 0";
  if (auto place = getPlace(); place && place->get("pieces")) {
    auto pieces = mlir::dyn_cast<DenseI64ArrayAttr>(place->get("pieces"));
    if (getPlanes() != 16 || !pieces || pieces.size() != 3 * kTilePieces ||
        llvm::any_of(pieces.asArrayRef(), [](int64_t n) { return n < 0; }))
      return emitOpError("C7: pieces are four times slice, bank and row of a tile, none negative");
  }
  std::optional<int64_t> plane;
  if (getPlane())
    plane = static_cast<int64_t>(*getPlane());
  if ((getPlanes() == 16) != plane.has_value() || (plane && (*plane < 0 || *plane > 3)))
    return emitOpError(
        "C6: an object of 16 planes, and no other, is a tile and says which MXM plane, 0 to 3, loads it");
  return success();
}

LogicalResult ProgramOp::verify() {
  if (getKind() != "prefill" && getKind() != "decode" && getKind() != "encode")
    return emitOpError("C1: kind is '") << getKind() << "', expected prefill, decode or encode";
  if (static_cast<int64_t>(getTokens()) < 1 || static_cast<int64_t>(getContext()) < 1 ||
      static_cast<int64_t>(getUsers().value_or(1)) < 1)
    return emitOpError("C2: tokens, context and users are at least 1");
  return success();
}

LogicalResult AluOp::verify() {
  auto opcode = vxmOpcode(getOpcode());
  if (!opcode)
    return emitOpError("C1: '") << getOpcode() << "' is no VXM operation";
  if (static_cast<int>(getSlots().size()) != isa::info(*opcode).operands)
    return emitOpError("C1: '") << getOpcode() << "' takes " << isa::info(*opcode).operands << " operands, not "
                                << getSlots().size();
  int64_t args = static_cast<int64_t>(getArgs().size());
  bool usesAccumulator = getAccWrite();
  for (int64_t slot : getSlots()) {
    if (slot >= args || slot < kSlotAccumulator)
      return emitOpError("C2: slot ") << slot << " with " << args << " arguments";
    usesAccumulator |= slot == kSlotAccumulator;
  }
  if (auto init = getInit(); init && (static_cast<int64_t>(*init) >= args || static_cast<int64_t>(*init) < 0))
    return emitOpError("C2: init ") << static_cast<int64_t>(*init) << " with " << args << " arguments";
  if (usesAccumulator && !getInit() && !getInitImm())
    return emitOpError("C3: an accumulator is used but neither init nor init_imm is given");
  if (auto early = static_cast<int64_t>(getEarly()); early < 0)
    return emitOpError("C5: early is ") << early << ", expected at least 0";
  return success();
}

LogicalResult LastOp::verify() {
  auto alu = getAcc().getDefiningOp<AluOp>();
  if (!alu || !alu.getAccWrite())
    return emitOpError("C1: the operand is not an accumulating stream.alu");
  auto opcode = vxmOpcode(getOpcode());
  if (!opcode || isa::info(*opcode).operands != (getArg() ? 2 : 1))
    return emitOpError("C2: '") << getOpcode() << "' is no VXM operation of "
                                << (getArg() ? "two operands" : "one operand");
  return success();
}

LogicalResult LoadOp::verify() {
  if (getPlanes().size() != getBytes().size() || getPlanes().size() != getRows().size() || getPlanes().empty())
    return emitOpError("C1: planes, bytes and rows have ")
           << getPlanes().size() << ", " << getBytes().size() << " and " << getRows().size() << " entries";
  unsigned seen = 0;
  for (auto [plane, byte] : llvm::zip(getPlanes(), getBytes())) {
    if (plane < 0 || plane > 3 || byte < 0 || byte >= static_cast<int64_t>(getValue().getType().getWidth()))
      return emitOpError("C4: byte ") << byte << " of a vector of " << getValue().getType().getWidth() << " to plane "
                                      << plane << "; planes are 0 to 3";
    if (plane / 2 != getPlanes().front() / 2)
      return emitOpError("C2: planes ") << getPlanes().front() << " and " << plane << " are on different sides";
    if (seen & (1u << plane))
      return emitOpError("C3: plane ") << plane << " appears twice";
    seen |= 1u << plane;
  }
  return checkFromVxm(*this, "C5", getValue());
}

LogicalResult FetchOp::verify() {
  if (getPlanes().size() != getRows().size() || getPlanes().empty())
    return emitOpError("C3: planes and rows have ") << getPlanes().size() << " and " << getRows().size() << " entries";
  unsigned seen = 0;
  for (int64_t plane : getPlanes()) {
    if (plane < 0 || plane > 3 || plane / 2 != getPlanes().front() / 2 || (seen & (1u << plane)))
      return emitOpError("C4: plane ") << plane << "; planes are 0 to 3, all on one side and none twice";
    seen |= 1u << plane;
  }
  return success();
}

LogicalResult FlowOp::verify() {
  if (static_cast<int64_t>(getRepeat()) < 1)
    return emitOpError("C1: repeat is ") << static_cast<int64_t>(getRepeat()) << ", expected at least 1";
  if (getBody().getNumArguments())
    return emitOpError("C2: the body has arguments");
  return success();
}

LogicalResult WriteOp::verify() { return checkFromVxm(*this, "C4", getValue()); }

LogicalResult InstallOp::verify() { return checkPlane(*this, static_cast<int64_t>(getPlane())); }

LogicalResult PassOp::verify() {
  if (getResult() && getResult().getType().getWidth() != 4)
    return emitOpError("C2: the sum has 4 bytes, not ") << getResult().getType().getWidth();
  if (getFp16() && (getPlane() % 2 || !getMask()))
    return emitOpError("C3: a pass of fp16 values names the lower plane of a pair, and a mask");
  return checkPlane(*this, static_cast<int64_t>(getPlane()));
}

LogicalResult ScatterTileOp::verify() {
  if (auto byte = static_cast<int64_t>(getByte());
      byte < 0 || byte >= static_cast<int64_t>(getValue().getType().getWidth()))
    return emitOpError("C4: byte ") << byte << " of a vector of " << getValue().getType().getWidth();
  return failed(checkFromVxm(*this, "C5", getValue())) ? failure() : checkFromVxm(*this, "C5", getMap());
}

LogicalResult LanesOp::verify() {
  static const llvm::StringSet<> kinds = {
      "permute.broadcast", "permute.rotate", "permute.exchange", "permute.spread", "distribute.broadcast",
      "distribute.rotate", "rotate"};
  if (!kinds.contains(getKind()))
    return emitOpError("C1: '") << getKind()
                                << "', expected rotate, or permute or distribute with .broadcast or .rotate, or "
                                   "permute.exchange or permute.spread";
  if (getSide() > 1)
    return emitOpError("C2: side ") << static_cast<int64_t>(getSide()) << ", expected 0 (east) or 1";
  if (static_cast<int64_t>(getAmount()) < 0 || static_cast<int64_t>(getQueue()) < 0)
    return emitOpError("C4: amount and queue are at least 0");
  return checkFromVxm(*this, "C3", getValue());
}

LogicalResult EmitOp::verify() {
  if (failed(checkPlane(*this, static_cast<int64_t>(getPlane()))))
    return failure();
  return checkSum(*this, "C2", getResult().getType());
}

LogicalResult SweepOp::verify() {
  if (failed(checkPlane(*this, static_cast<int64_t>(getPlane()))))
    return failure();
  if (auto byte = static_cast<int64_t>(getByte());
      byte < 0 || byte >= static_cast<int64_t>(getValue().getType().getWidth()))
    return emitOpError("C2: byte ") << byte << " of a vector of " << getValue().getType().getWidth();
  return checkSum(*this, "C3", getResult().getType());
}

LogicalResult SendOp::verify() {
  llvm::SmallSet<int64_t, 8> seen;
  if (getLinks().empty() ||
      llvm::any_of(getLinks(), [&](int64_t link) { return link < 0 || !seen.insert(link).second; }))
    return emitOpError("C3: needs one link or several different ones, numbered from 0");
  if (auto repeat = static_cast<int64_t>(cast<FlowOp>((*this)->getParentOp()).getRepeat()); repeat != 1)
    return emitOpError("C4: stands in a flow that happens ") << repeat << " times";
  return success();
}

LogicalResult ReceiveOp::verify() {
  if (auto link = static_cast<int64_t>(getLink()); link < 0)
    return emitOpError("C3: link ") << link << ", expected at least 0";
  if (auto repeat = static_cast<int64_t>(cast<FlowOp>((*this)->getParentOp()).getRepeat()); repeat != 1)
    return emitOpError("C4: stands in a flow that happens ") << repeat << " times";
  return success();
}

} // namespace lpu::stream
