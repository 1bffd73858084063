// A model's shape from a YAML file (docs/howto/compile-a-shape.md lists the keys).
#pragma once

#include "lpu/compiler/Import/WeightStore.h"

namespace lpu::compiler {

/// Every key exactly once and nothing else; the place of an error is file:line.
Result<ModelShape> parseArch(std::string_view yaml, const std::string &fileName);
Result<ModelShape> loadArch(const std::string &path);

} // namespace lpu::compiler
