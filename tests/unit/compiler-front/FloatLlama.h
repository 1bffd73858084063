// A Llama in double precision, written from the model's definition and sharing no
// arithmetic with the project: what quantized results are compared with.
#pragma once

#include "lpu/compiler/Import/WeightStore.h"

#include <vector>

namespace lpu::test {

/// Logits [tokens][vocabulary] of feeding `tokens` from position 0. Linears use the dequantized int8 weights, so that
/// only the rounding of activations separates it from the interpreter.
std::vector<std::vector<double>> floatLlama(compiler::WeightStore &store, const std::vector<int> &tokens);

} // namespace lpu::test
