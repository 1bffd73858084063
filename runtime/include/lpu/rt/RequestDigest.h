// The digest that proves what a request got: docs/spec/reports.md, "Digests of requests".
#pragma once

#include "lpu/text/Tokenizer.h"

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace lpu::rt {

using text::TokenId;

/// SHA-256 over: the number of prompt ids, the prompt's ids, the generated ids (each an int32), and the 32 bytes of
/// SHA-256 over the float32 logits rows of every position fed, in the order of positions. All little-endian.
class RequestDigest {
public:
  RequestDigest();
  ~RequestDigest();
  RequestDigest(RequestDigest &&) noexcept;
  RequestDigest &operator=(RequestDigest &&) noexcept;

  /// The next rows; nothing is kept of them.
  void addRows(std::span<const float> rows);
  /// Of the rows so far and these ids: 64 hex digits. More rows may follow.
  std::string hex(std::span<const TokenId> prompt, std::span<const TokenId> generated) const;

private:
  struct State;
  std::unique_ptr<State> state;
};

} // namespace lpu::rt
