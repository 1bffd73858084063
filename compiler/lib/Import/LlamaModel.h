// What a GGUF file must say to be a Llama model; internal to WeightStore.
#pragma once

#include "GgufParts.h"
#include "lpu/compiler/Import/WeightStore.h"

namespace lpu::compiler {

/// Divisors of rope's frequencies up to the original context.
inline constexpr const char *kShortFactors = "rope_factors_short.weight", *kLongFactors = "rope_factors_long.weight";

/// Hyperparameters, each checked for kind and range.
Result<ModelShape> readShape(const GgufParts &parts);
/// Every tensor of the architecture is there with the right shape, and no other.
Status checkTensors(const GgufParts &parts, const ModelShape &shape);
/// Tokenizer metadata; model "none" when the file has none.
Result<isa::Tokenizer> readTokenizer(const GgufFile &file, const ModelShape &shape);

} // namespace lpu::compiler
