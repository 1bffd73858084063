// Writes the operations of one stream.flow; keeps lowering code close to the
// formulas it implements.
#pragma once

#include "ObjectPool.h"

#include "lpu/compiler/Dialect/Stream/Stream.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

#include <bit>
#include <optional>
#include <string>
#include <vector>

namespace lpu::compiler {

/// An operand of a VXM operation.
struct Operand {
  enum class Kind { Value, Immediate, Accumulator } kind;
  mlir::Value value;
  std::uint32_t bits = 0;

  Operand(mlir::Value v) : kind(Kind::Value), value(v) {}
  static Operand f32(float v) { return Operand(Kind::Immediate, std::bit_cast<std::uint32_t>(v)); }
  static Operand i32(std::int32_t v) { return Operand(Kind::Immediate, static_cast<std::uint32_t>(v)); }
  static Operand accumulator() { return Operand(Kind::Accumulator, 0); }

private:
  Operand(Kind k, std::uint32_t b) : kind(k), bits(b) {}
};

class FlowWriter {
public:
  /// Opens a flow at the builder's insertion point, on objects of `pool`.
  FlowWriter(const ObjectPool &pool, mlir::OpBuilder builder, mlir::Location loc, std::int64_t repeat = 1);

  mlir::Value read(const std::string &object, std::int64_t row, std::int64_t step = 0, bool once = false);
  void write(mlir::Value value, const std::string &object, std::int64_t row, std::int64_t step = 0);
  mlir::Value gather(mlir::Value map, const std::string &object);
  void scatter(mlir::Value value, mlir::Value map, const std::string &object);
  void scatterTile(mlir::Value value, std::int64_t byte, mlir::Value map, const std::string &object);
  mlir::Value lanes(llvm::StringRef kind, mlir::Value value, std::int64_t side, std::int64_t amount,
                    std::int64_t step = 0, std::int64_t queue = 0);
  void load(mlir::Value value, llvm::ArrayRef<std::int64_t> planes, llvm::ArrayRef<std::int64_t> bytes,
            llvm::ArrayRef<std::int64_t> rows, std::int64_t step = 0);
  void fetch(const std::string &object, std::int64_t objectRow, std::int64_t byte, llvm::ArrayRef<std::int64_t> planes,
             std::int64_t row);
  void pass(std::int64_t plane, std::int64_t row, std::int64_t acc, bool add, std::optional<std::int64_t> mask = {},
            bool fp16 = false);
  /// A pass whose accumulator row leaves for VXM as soon as it has taken the sum.
  mlir::Value passAndEmit(std::int64_t plane, std::int64_t row, std::int64_t acc, bool add,
                          std::optional<std::int64_t> mask = {});
  mlir::Value emit(std::int64_t plane, std::int64_t acc);
  mlir::Value sweep(mlir::Value value, std::int64_t byte, std::int64_t plane, std::int64_t row, std::int64_t acc,
                    std::int64_t delay);

  void send(const std::string &object, std::int64_t row, std::int64_t byte, llvm::ArrayRef<std::int64_t> links);
  /// Into the same row of every object.
  void receive(std::int64_t link, llvm::ArrayRef<std::string> objects, std::int64_t row, std::int64_t byte);

  mlir::Value alu(llvm::StringRef opcode, llvm::ArrayRef<Operand> operands, unsigned width = 4);
  /// `held` sits in the accumulator from when it is there until the operation needs it; if it is read from memory, that
  /// is the cycle before or `early` cycles sooner.
  mlir::Value aluHolding(llvm::StringRef opcode, mlir::Value held, Operand other, std::int64_t early = 0);
  /// `held`, read once, in every copy of the burst, shifted to the right by `shift` bits.
  mlir::Value repeatHeld(mlir::Value held, std::int32_t shift = 0, unsigned width = 4);
  /// value − held, fp32.
  mlir::Value subtractHeld(mlir::Value value, mlir::Value held);
  /// Like alu with the first operand `held`, which the accumulator keeps for the whole burst.
  mlir::Value accumulate(llvm::StringRef opcode, Operand addend, std::uint32_t initial);
  mlir::Value accumulate(llvm::StringRef opcode, Operand addend, mlir::Value initial);
  /// Keeps `value` in the lanes where `mask` is negative, over the copies of a burst.
  mlir::Value selectInto(mlir::Value mask, mlir::Value value, std::uint32_t initial);
  /// a + first row of `object`, as a 16-bit map.
  mlir::Value mapTo(mlir::Value index, const std::string &object, std::int64_t offset = 0);
  /// The same as a number, for maps that count on from it.
  mlir::Value rowIn(mlir::Value index, const std::string &object, std::int64_t offset = 0);
  /// A number as a map, with 0xFFFF (no access) wherever it is kNoRow or more.
  mlir::Value mapOrNone(mlir::Value row) { return alu("mini", {row, Operand::i32(0xFFFF)}, 2); }
  /// a + first row of `object` as a map, with 0xFFFF (no access) wherever the index is kNoRow or more.
  mlir::Value mapToOrNone(mlir::Value index, const std::string &object, std::int64_t offset = 0);
  static constexpr std::int32_t kNoRow = 0x20000;
  mlir::Value last(llvm::StringRef opcode, mlir::Value accumulating, mlir::Value other = {}, std::int64_t stagger = 0);

  /// Quantizes an fp32 value that is already in int16 units to two balanced digits and loads them into
  /// activation rows `row` (low digit) and `row + 1` (high digit) of all four planes, `step` rows further in each copy
  /// of a burst. With 8 `bits` the value is clipped to the low digit, the high one is zero.
  void loadDigits16(mlir::Value scaled, std::int64_t row, std::int64_t step = 0, int bits = 16);
  /// The same for an int16 value.
  void loadDigits(mlir::Value quantized, std::int64_t row, std::int64_t step = 0);
  /// Quantizes as loadDigits16 does, but leaves the digits in row `row` of two objects of 2 planes, one on each side.
  void storeDigits16(mlir::Value scaled, const std::string &east, const std::string &west, std::int64_t row,
                     std::int64_t step = 0, int bits = 16);
  /// The same for an int16 value.
  void storeDigits(mlir::Value quantized, const std::string &east, const std::string &west, std::int64_t row,
                   std::int64_t step = 0);
  /// Balanced digits (N2) of an int16 value.
  mlir::Value digits16(mlir::Value value);
  /// Splits an int32 value into four balanced digits and loads them into the planes of `side`: the even plane
  /// takes digits 3 and 2 into rows `row`, `row + apart`, the odd plane digits 1 and 0; `step` rows further in each
  /// copy of a burst.
  void loadDigits32(mlir::Value value, std::int64_t side, std::int64_t row, std::int64_t apart = 1,
                    std::int64_t step = 0);
  /// hi and lo of N4 from the sums of the four digits.
  mlir::Value joinHigh(mlir::Value upper, mlir::Value lower);

private:
  stream::VecType vec(unsigned width) { return stream::VecType::get(builder.getContext(), width); }
  mlir::FlatSymbolRefAttr symbol(const std::string &name) {
    return mlir::FlatSymbolRefAttr::get(builder.getContext(), name);
  }
  mlir::Value buildAlu(llvm::StringRef opcode, llvm::ArrayRef<Operand> operands, unsigned width,
                       std::optional<mlir::Value> init, std::optional<std::uint32_t> initImm, bool accWrite,
                       const std::string &rowOf = {}, std::int64_t early = 0);

  const ObjectPool &pool;
  mlir::OpBuilder builder;
  mlir::Location loc;
};

} // namespace lpu::compiler
