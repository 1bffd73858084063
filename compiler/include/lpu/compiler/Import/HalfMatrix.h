// Weights as fp16 (docs/spec/numerics.md N15).
#pragma once

#include "lpu/compiler/Import/WeightStore.h"

#include <memory>

namespace lpu::compiler {

struct HalfMatrix {
  std::uint32_t rows = 0, cols = 0;
  std::vector<std::uint16_t> values;
  std::span<const std::uint16_t> row(std::uint32_t n) const {
    return std::span(values).subspan(std::size_t{n} * cols, cols);
  }
};

/// A tensor rounded to fp16, made anew at each call. Error: a value beyond fp16.
Result<std::shared_ptr<const HalfMatrix>> loadHalves(const WeightStore &store, std::string_view name);

} // namespace lpu::compiler
