// A Llama in double precision, written from the model's definition and sharing no
// arithmetic with the project: what quantized results are compared with.
#pragma once

#include "lpu/compiler/Import/WeightStore.h"

#include <vector>

namespace lpu::test {

/// What linears multiply by: dequantized int8 weights, so that only the rounding of activations separates a result
/// from the interpreter's, or the file's values.
enum class Weights { Int8, File };

/// Logits [tokens][vocabulary] of feeding `tokens` from position 0.
std::vector<std::vector<double>> floatLlama(compiler::WeightStore &store, const std::vector<int> &tokens,
                                            Weights weights = Weights::Int8);

} // namespace lpu::test
