// Rounds a tensor to fp16.
#include "lpu/compiler/Import/HalfMatrix.h"

#include "lpu/isa/Numerics.h"

#include <cmath>
#include <tuple>

namespace lpu::compiler {

Result<std::shared_ptr<const HalfMatrix>> loadHalves(const WeightStore &store, std::string_view name) {
  auto loaded = store.load(name);
  if (!loaded)
    return loaded.error();
  auto matrix = std::make_shared<HalfMatrix>();
  std::tie(matrix->rows, matrix->cols) = store.dimensions(name);
  for (float w : *loaded) {
    matrix->values.push_back(isa::floatToHalf(w));
    if (!std::isfinite(isa::halfToFloat(matrix->values.back())))
      return Error{store.path(), "tensor '" + std::string(name) + "' holds " + std::to_string(w) +
                                     ", beyond fp16 (65504); give it another weight type"};
  }
  return std::shared_ptr<const HalfMatrix>(std::move(matrix));
}

} // namespace lpu::compiler
