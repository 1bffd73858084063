// Carries out the content recipes of constant regions.
#pragma once

#include "lpu/compiler/Conversion/Layout.h"
#include "lpu/compiler/Dialect/LLM/Chips.h"
#include "lpu/compiler/Dialect/Lpu/Lpu.h"
#include "lpu/compiler/Import/HalfMatrix.h"

#include <span>

namespace lpu::compiler {

/// Bytes of a region in image order: row (r, i) at (r · slices + i) · rowBytes.
class Contents {
public:
  /// Of one chip: `chip` says which pieces and layers the recipes of its class mean; `scales` is llm.scales, if there.
  Contents(WeightStore &store, const isa::Machine &machine, const llm::ChipPlace &chip, mlir::DictionaryAttr scales)
      : store(store), machine(machine), chip(chip), scales(scales) {}
  Status fill(timed::RegionOp region, std::span<std::uint8_t> image);

private:
  Status tile(mlir::DictionaryAttr content, std::span<std::uint8_t> image);
  Result<std::shared_ptr<const HalfMatrix>> halves(const std::string &tensor);
  Status halfTile(mlir::DictionaryAttr content, std::span<std::uint8_t> image);
  /// byteOf(row, column) of a weight wherever its tile has it.
  template <typename ByteOf>
  void fillTile(mlir::DictionaryAttr content, std::span<std::uint8_t> image, ByteOf byteOf) const;
  void headOnes(std::int64_t headDim, std::span<std::uint8_t> image);
  void laneIndex(std::int64_t slotWidth, std::span<std::uint8_t> image);
  void laneMasks(std::span<std::uint8_t> image);
  /// Of encoders, see ObjectPool.
  void usedLanes(const Layout &layout, std::span<std::uint8_t> image);
  void slotMasks(std::int64_t slotWidth, std::span<std::uint8_t> image);
  void tileRows(std::span<std::uint8_t> image);
  Status groupFactor(mlir::DictionaryAttr content, std::span<std::uint8_t> image);
  Status groupScales(mlir::DictionaryAttr content, std::int64_t groups, std::span<std::uint8_t> image);
  Status channelScales(mlir::DictionaryAttr content, std::span<std::uint8_t> image);
  Status channelBiases(mlir::DictionaryAttr content, std::span<std::uint8_t> image);
  Status normGain(mlir::DictionaryAttr content, std::span<std::uint8_t> image);
  Status rope(mlir::DictionaryAttr content, std::int64_t rows, std::span<std::uint8_t> image);
  Status attentionFactors(mlir::DictionaryAttr content, std::span<std::uint8_t> image);
  Status embedding(mlir::DictionaryAttr content, std::int64_t rows, std::span<std::uint8_t> image);
  /// Tensor names and scales of the class, as they are on this chip.
  std::string tensorOf(mlir::DictionaryAttr content, llvm::StringRef key = "tensor") const;
  Result<double> scaleOf(mlir::DictionaryAttr content, llvm::StringRef key) const;
  /// The factor of a linear's results, a number or the reciprocal of a named scale.
  Result<double> factorOf(mlir::DictionaryAttr content) const;
  void broadcast(std::span<std::uint8_t> image, std::int64_t row, std::uint32_t value) const;
  Layout layoutOf(mlir::DictionaryAttr content, llvm::StringRef key) const;
  /// Byte b of `value` into lane `lane` of vector `row` of a region with `planes` slices.
  void put(std::span<std::uint8_t> image, std::int64_t planes, std::int64_t row, std::int64_t lane,
           std::uint32_t value) const;

  WeightStore &store;
  const isa::Machine &machine;
  llm::ChipPlace chip;
  mlir::DictionaryAttr scales;
  std::pair<std::string, std::shared_ptr<const HalfMatrix>> lastHalves;
};

} // namespace lpu::compiler
