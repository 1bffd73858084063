// The stream dialect's C++ classes. Heavy: include it from few files.
#pragma once

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include <array>

#include "lpu/compiler/Dialect/Stream/StreamDialect.h.inc"
#define GET_TYPEDEF_CLASSES
#include "lpu/compiler/Dialect/Stream/StreamTypes.h.inc"
#define GET_OP_CLASSES
#include "lpu/compiler/Dialect/Stream/StreamOps.h.inc"

namespace lpu::stream {

/// Slot codes of stream.alu.
inline constexpr int64_t kSlotImmediate = -1, kSlotAccumulator = -2;

/// Place of an object: side (0 east), first slice, bank, first row.
struct Place {
  int64_t side, slice, bank, row;
};
Place placeOf(ObjectOp object);
void setPlace(ObjectOp object, const Place &place);

/// Hints of tiles: of a sweep, and of one during whose load vectors near VXM are in use.
inline constexpr int64_t kTileAnywhere = 1, kTileKeepsClear = 2;

/// A quarter of a tile: four slices of one stream position. Piece i brings rows 16·r + 4·i … + 3 of the tile.
struct Piece {
  int64_t slice, bank, row;
  bool operator==(const Piece &) const = default;
};
inline constexpr int64_t kTilePieces = 4, kPieceSlices = 4;
using Pieces = std::array<Piece, kTilePieces>;
Pieces piecesOf(ObjectOp tile);
void setPieces(ObjectOp tile, int64_t side, const Pieces &pieces);
/// One block of 16 slices?
bool isWhole(const Pieces &pieces);

} // namespace lpu::stream
