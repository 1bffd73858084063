// What --show-tokens prints.
#pragma once

#include "lpu/rt/CommandLine.h"
#include "lpu/text/Tokenizer.h"

#include <string>
#include <vector>

namespace lpu::rt {

/// A line for every token, or JSON (docs/spec/reports.md); several prompts under a heading each.
std::string listTokens(const std::vector<std::vector<TokenId>> &prompts, const text::Tokenizer &tokenizer,
                       TokenListing how);

} // namespace lpu::rt
