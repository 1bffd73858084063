// The pre-tokenizers that GGUF files know by name alone (key tokenizer.ggml.pre), as llama.cpp defines them.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lpu::text {

struct NamedPreTokenizer {
  /// Regular expressions, each of which cuts what those before it left; what they match and what lies between are
  /// words.
  std::vector<std::string_view> patterns;
  bool wholeWords = false; ///< a word that is a token is taken without merging ("ignore_merges")
  bool addsBos = false;    ///< where the file does not say whether a prompt begins with BOS
};

/// Null: not known. Files of old have no name, which is "default".
const NamedPreTokenizer *findPreTokenizer(std::string_view name);
/// All names, sorted, for messages.
std::string preTokenizerNames();

} // namespace lpu::text
