// Log probabilities of a row of logits.
#pragma once

#include "lpu/serve/Outcome.h"
#include "lpu/text/Tokenizer.h"

#include <span>

namespace lpu::serve {

/// Of the token that was picked and of the `top` likeliest, under the softmax of all logits.
TokenLogprob logprobOf(std::span<const float> logits, TokenId chosen, unsigned top, const text::Tokenizer *tokenizer);

} // namespace lpu::serve
