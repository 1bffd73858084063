// What a run is given to feed, as token ids.
#pragma once

#include "lpu/rt/CommandLine.h"
#include "lpu/text/Tokenizer.h"

#include <vector>

namespace lpu::rt {

/// The file's bytes; "-" is standard input. Error: it cannot be read, or has more than 64 MiB.
Result<std::string> readText(const std::string &path);

/// The prompts of --tokens, --prompt or --prompt-file, one for each user, in the order given. An error without a place
/// is about the program.
Result<std::vector<std::vector<TokenId>>> readPrompts(const RunOptions &options, const text::Tokenizer &tokenizer);

/// Every id has a row in the model's embedding; a tokenizer may know tokens that have none.
Status checkPrompts(const std::vector<std::vector<TokenId>> &prompts, const RunOptions &options,
                    const isa::Program &program, const text::Tokenizer &tokenizer);

} // namespace lpu::rt
