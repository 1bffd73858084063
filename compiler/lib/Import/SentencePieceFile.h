// tokenizer.model: a vocabulary as SentencePiece writes it, which folders have instead of tokenizer.json or beside it.
#pragma once

#include "HuggingFace.h"

namespace lpu::compiler {

/// `bytes` of a tokenizer.model at `path` as a program carries it, padded to the shape's vocabulary. `settings` is the
/// text of the tokenizer_config.json beside it, or empty: added tokens, and whether a prompt begins with BOS (yes, if
/// there is one) and ends with EOS (no).
Result<isa::Tokenizer> parseSentencePiece(std::string_view bytes, const std::string &path, std::string_view settings,
                                          const HfConfig &config);

} // namespace lpu::compiler
