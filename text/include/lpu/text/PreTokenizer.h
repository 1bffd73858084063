// Splits text into the words inside which byte-level BPE merges.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace lpu::text {

/// A splitting pattern, named as in GGUF's tokenizer.ggml.pre.
struct PrePattern {
  enum class Style { Gpt2, Llama3 } style = Style::Gpt2;
  int maxDigits = 0;       ///< digits in a word; 0: any number (with a leading space, GPT-2 only)
  bool wholeWords = false; ///< a word that is a token is taken without merging
};

/// Gpt2: "", "default", "gpt-2", "gpt2"; with single digits "smollm", "refact", "starcoder".
/// Llama3: "llama-bpe", "llama3", "llama-v3"; with single digits "qwen2". Others: none.
std::optional<PrePattern> prePattern(std::string_view name);

/// The words, in order; together they are `text`. Bytes that are no UTF-8 count
/// as characters that are neither letter, number nor space.
std::vector<std::string_view> splitWords(const PrePattern &pattern, std::string_view text);

} // namespace lpu::text
