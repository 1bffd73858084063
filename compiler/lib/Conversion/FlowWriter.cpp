// FlowWriter: building blocks of flows. The digit splits follow numerics.md N2:
// adding a bias and flipping the same bits turns the bytes of an integer into
// balanced digits, which leave on separate streams at no further cost. A plane
// takes one load a cycle, so each side gets the value twice, one ALU latency apart.

#include "FlowWriter.h"

#include "lpu/compiler/Support/HalfType.h"
#include "lpu/isa/Numerics.h"

using namespace mlir;

namespace lpu::compiler {

FlowWriter::FlowWriter(const ObjectPool &pool, OpBuilder outer, Location loc, std::int64_t repeat)
    : pool(pool), builder(outer), loc(loc) {
  auto flow = stream::FlowOp::create(builder, loc, builder.getI64IntegerAttr(repeat));
  builder.setInsertionPointToEnd(&flow.getBody().emplaceBlock());
}

Value FlowWriter::read(const std::string &object, std::int64_t row, std::int64_t step, bool once) {
  return stream::ReadOp::create(builder, loc, vec(pool.at(object).getPlanes()), symbol(object),
                                builder.getI64IntegerAttr(row), builder.getI64IntegerAttr(step),
                                once ? builder.getUnitAttr() : UnitAttr());
}

void FlowWriter::write(Value value, const std::string &object, std::int64_t row, std::int64_t step) {
  stream::WriteOp::create(builder, loc, value, symbol(object), builder.getI64IntegerAttr(row),
                          builder.getI64IntegerAttr(step));
}

Value FlowWriter::gather(Value map, const std::string &object) {
  return stream::GatherOp::create(builder, loc, vec(pool.at(object).getPlanes()), map, symbol(object));
}

void FlowWriter::scatter(Value value, Value map, const std::string &object) {
  stream::ScatterOp::create(builder, loc, value, map, symbol(object));
}

void FlowWriter::scatterTile(Value value, std::int64_t byte, Value map, const std::string &object) {
  stream::ScatterTileOp::create(builder, loc, value, builder.getI64IntegerAttr(byte), map, symbol(object));
}

void FlowWriter::fetch(const std::string &object, std::int64_t objectRow, std::int64_t byte,
                       ArrayRef<std::int64_t> planes, std::int64_t row) {
  SmallVector<std::int64_t> rows(planes.size(), row);
  stream::FetchOp::create(builder, loc, symbol(object), builder.getI64IntegerAttr(objectRow),
                          builder.getI64IntegerAttr(byte), builder.getDenseI64ArrayAttr(planes),
                          builder.getDenseI64ArrayAttr(rows));
}

Value FlowWriter::lanes(StringRef kind, Value value, std::int64_t side, std::int64_t amount, std::int64_t step,
                        std::int64_t queue) {
  auto i = [&](std::int64_t v) { return builder.getI64IntegerAttr(v); };
  return stream::LanesOp::create(builder, loc, value.getType(), builder.getStringAttr(kind), value, i(side), i(amount),
                                 i(step), i(queue));
}

void FlowWriter::load(Value value, ArrayRef<std::int64_t> planes, ArrayRef<std::int64_t> bytes,
                      ArrayRef<std::int64_t> rows, std::int64_t step) {
  stream::LoadOp::create(builder, loc, value, planes, bytes, rows, step);
}

void FlowWriter::pass(std::int64_t plane, std::int64_t row, std::int64_t acc, bool add,
                      std::optional<std::int64_t> mask, bool fp16) {
  stream::PassOp::create(builder, loc, Type(), builder.getI64IntegerAttr(plane), builder.getI64IntegerAttr(row),
                         builder.getI64IntegerAttr(acc), builder.getBoolAttr(add),
                         mask ? builder.getI64IntegerAttr(*mask) : IntegerAttr(),
                         fp16 ? builder.getUnitAttr() : UnitAttr());
}

Value FlowWriter::passAndEmit(std::int64_t plane, std::int64_t row, std::int64_t acc, bool add,
                              std::optional<std::int64_t> mask) {
  return stream::PassOp::create(builder, loc, vec(4), builder.getI64IntegerAttr(plane), builder.getI64IntegerAttr(row),
                                builder.getI64IntegerAttr(acc), builder.getBoolAttr(add),
                                mask ? builder.getI64IntegerAttr(*mask) : IntegerAttr(), UnitAttr())
      .getResult();
}

Value FlowWriter::emit(std::int64_t plane, std::int64_t acc) {
  return stream::EmitOp::create(builder, loc, vec(4), builder.getI64IntegerAttr(plane), builder.getI64IntegerAttr(acc));
}

Value FlowWriter::sweep(Value value, std::int64_t byte, std::int64_t plane, std::int64_t row, std::int64_t acc,
                        std::int64_t delay) {
  auto i = [&](std::int64_t v) { return builder.getI64IntegerAttr(v); };
  return stream::SweepOp::create(builder, loc, vec(4), value, i(byte), i(plane), i(row), i(acc), i(delay));
}

void FlowWriter::send(const std::string &object, std::int64_t row, std::int64_t byte, ArrayRef<std::int64_t> links) {
  stream::SendOp::create(builder, loc, symbol(object), builder.getI64IntegerAttr(row), builder.getI64IntegerAttr(byte),
                         builder.getDenseI64ArrayAttr(links));
}

void FlowWriter::receive(std::int64_t link, ArrayRef<std::string> objects, std::int64_t row, std::int64_t byte) {
  SmallVector<Attribute> symbols;
  for (const std::string &object : objects)
    symbols.push_back(symbol(object));
  stream::ReceiveOp::create(builder, loc, builder.getI64IntegerAttr(link), builder.getArrayAttr(symbols),
                            builder.getI64IntegerAttr(row), builder.getI64IntegerAttr(byte));
}

Value FlowWriter::buildAlu(StringRef opcode, ArrayRef<Operand> operands, unsigned width, std::optional<Value> init,
                           std::optional<std::uint32_t> initImm, bool accWrite, const std::string &rowOf,
                           std::int64_t early) {
  SmallVector<Value> args;
  SmallVector<std::int64_t> slots;
  IntegerAttr imm, initAttr, initImmAttr;
  auto argument = [&](Value v) {
    for (std::size_t i = 0; i < args.size(); ++i)
      if (args[i] == v)
        return static_cast<std::int64_t>(i);
    args.push_back(v);
    return static_cast<std::int64_t>(args.size() - 1);
  };
  for (const Operand &operand : operands) {
    switch (operand.kind) {
    case Operand::Kind::Value:
      slots.push_back(argument(operand.value));
      break;
    case Operand::Kind::Accumulator:
      slots.push_back(stream::kSlotAccumulator);
      break;
    case Operand::Kind::Immediate:
      slots.push_back(stream::kSlotImmediate);
      imm = builder.getI64IntegerAttr(operand.bits);
      break;
    }
  }
  if (init) { // an own argument even if the value is also an operand: it is sampled at another time
    initAttr = builder.getI64IntegerAttr(args.size());
    args.push_back(*init);
  }
  if (initImm)
    initImmAttr = builder.getI64IntegerAttr(*initImm);
  return stream::AluOp::create(builder, loc, vec(width), builder.getStringAttr(opcode), args,
                               builder.getDenseI64ArrayAttr(slots), imm,
                               rowOf.empty() ? FlatSymbolRefAttr() : symbol(rowOf), initAttr, initImmAttr,
                               accWrite ? builder.getUnitAttr() : UnitAttr(), builder.getI64IntegerAttr(early));
}

Value FlowWriter::alu(StringRef opcode, ArrayRef<Operand> operands, unsigned width) {
  return buildAlu(opcode, operands, width, std::nullopt, std::nullopt, false);
}

Value FlowWriter::aluHolding(StringRef opcode, Value held, Operand other, std::int64_t early) {
  return buildAlu(opcode, {Operand::accumulator(), other}, 4, held, std::nullopt, false, {}, early);
}

Value FlowWriter::repeatHeld(Value held, std::int32_t shift, unsigned width) {
  if (shift == 0)
    return buildAlu("move", {Operand::accumulator()}, width, held, std::nullopt, false);
  return buildAlu("sra", {Operand::accumulator(), Operand::i32(shift)}, width, held, std::nullopt, false);
}

Value FlowWriter::subtractHeld(Value value, Value held) {
  return buildAlu("subf", {value, Operand::accumulator()}, 4, held, std::nullopt, false);
}

Value FlowWriter::accumulate(StringRef opcode, Operand addend, std::uint32_t initial) {
  return buildAlu(opcode, {Operand::accumulator(), addend}, 4, std::nullopt, initial, true);
}

Value FlowWriter::accumulate(StringRef opcode, Operand addend, Value initial) {
  return buildAlu(opcode, {Operand::accumulator(), addend}, 4, initial, std::nullopt, true);
}

Value FlowWriter::selectInto(Value mask, Value value, std::uint32_t initial) {
  return buildAlu("select", {mask, value, Operand::accumulator()}, 4, std::nullopt, initial, true);
}

Value FlowWriter::mapTo(Value index, const std::string &object, std::int64_t offset) {
  return buildAlu("addi", {index, Operand::i32(static_cast<std::int32_t>(offset))}, 2, std::nullopt, std::nullopt,
                  false, object);
}

Value FlowWriter::mapToOrNone(Value index, const std::string &object, std::int64_t offset) {
  return mapOrNone(rowIn(index, object, offset));
}

Value FlowWriter::rowIn(Value index, const std::string &object, std::int64_t offset) {
  return buildAlu("addi", {index, Operand::i32(static_cast<std::int32_t>(offset))}, 4, std::nullopt, std::nullopt,
                  false, object);
}

Value FlowWriter::last(StringRef opcode, Value accumulating, Value other, std::int64_t stagger) {
  return stream::LastOp::create(builder, loc, vec(4), builder.getStringAttr(opcode), accumulating, other,
                                builder.getI64IntegerAttr(stagger));
}

Value FlowWriter::digits16(Value value) {
  return alu("xor", {alu("addi", {value, Operand::i32(isa::kDigit16Bias)}), Operand::i32(isa::kDigit16Bias)}, 2);
}

void FlowWriter::loadDigits16(Value scaled, std::int64_t row, std::int64_t step, int bits) {
  if (bits == kHalfBits) { // the low bytes into the lower planes, the high ones into the upper
    for (std::int64_t side = 0; side < 2; ++side)
      load(alu("cvt.f32.f16", {scaled}, 2), {2 * side, 2 * side + 1}, {0, 1}, {row, row}, step);
    return;
  }
  loadDigits(alu(bits == 8 ? "cvt.f32.i8" : "cvt.f32.d16", {scaled}), row, step);
}

void FlowWriter::loadDigits(Value quantized, std::int64_t row, std::int64_t step) {
  Value biased = alu("addi", {quantized, Operand::i32(isa::kDigit16Bias)});
  for (std::int64_t side = 0; side < 2; ++side) {
    std::int64_t planes[] = {2 * side, 2 * side + 1};
    Value digits = alu("xor", {biased, Operand::i32(isa::kDigit16Bias)}, 2);
    load(digits, planes, {0, 1}, {row, row + 1}, step);
    load(alu("move", {digits}, 2), planes, {1, 0}, {row + 1, row}, step);
  }
}

void FlowWriter::storeDigits16(Value scaled, const std::string &east, const std::string &west, std::int64_t row,
                               std::int64_t step, int bits) {
  storeDigits(alu(bits == 8 ? "cvt.f32.i8" : "cvt.f32.d16", {scaled}), east, west, row, step);
}

void FlowWriter::storeDigits(Value quantized, const std::string &east, const std::string &west, std::int64_t row,
                             std::int64_t step) {
  Value biased = alu("addi", {quantized, Operand::i32(isa::kDigit16Bias)});
  for (const std::string &object : {east, west})
    write(alu("xor", {biased, Operand::i32(isa::kDigit16Bias)}, 2), object, row, step);
}

void FlowWriter::loadDigits32(Value value, std::int64_t side, std::int64_t row, std::int64_t apart, std::int64_t step) {
  Value biased = alu("addi", {value, Operand::i32(isa::kDigit32Bias)});
  Value digits = alu("xor", {biased, Operand::i32(isa::kDigit32Bias)});
  std::int64_t planes[] = {2 * side, 2 * side + 1};
  load(digits, planes, {3, 1}, {row, row}, step);
  load(alu("move", {digits}), planes, {2, 0}, {row + apart, row + apart}, step);
}

Value FlowWriter::joinHigh(Value upper, Value lower) {
  return alu("addi", {alu("shl", {upper, Operand::i32(8)}), lower});
}

} // namespace lpu::compiler
