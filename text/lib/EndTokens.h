// Which tokens end a generation.
#pragma once

#include "lpu/text/Tokenizer.h"

namespace lpu::text {

/// Those that the tables name, and those known by their text; ascending, each once.
std::vector<TokenId> endTokensOf(const isa::Tokenizer &data);

} // namespace lpu::text
