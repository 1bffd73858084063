// What a client asks for and what is refused, whatever the dialect it speaks. A dialect is a pair of pure functions:
// one makes a Request of a body, one writes what happens to it.
#pragma once

#include "lpu/rt/Sampler.h"
#include "lpu/serve/Timing.h"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace lpu::serve {

using text::TokenId;

/// Why a request is not served. Dialects write it in their own shape.
struct Refusal {
  int status = 400;                           ///< of HTTP
  std::string message;                        ///< one line, with the field and its range
  std::string param;                          ///< the field; empty: none
  std::string code;                           ///< for programs: "model_not_found"; empty: none
  std::optional<std::int64_t> retryAfterMs{}; ///< when it would be admitted
};

/// A value, or why there is none.
template <typename T> class [[nodiscard]] OrRefusal {
public:
  OrRefusal(T value) : state(std::move(value)) {}
  OrRefusal(Refusal refusal) : state(std::move(refusal)) {}
  explicit operator bool() const { return state.index() == 0; }
  T &operator*() { return std::get<0>(state); }
  const T &operator*() const { return std::get<0>(state); }
  T *operator->() { return &std::get<0>(state); }
  const T *operator->() const { return &std::get<0>(state); }
  const Refusal &refusal() const { return std::get<1>(state); }

private:
  std::variant<T, Refusal> state;
};

struct Message {
  std::string role, content;
};

/// Text, or token ids that are fed as they are.
using Prompt = std::variant<std::string, std::vector<TokenId>>;

enum class Task { Chat, Completion, Embedding };

struct Request {
  Task task = Task::Chat;
  std::string model;                      ///< empty: the only one
  std::vector<Message> messages;          ///< Chat
  std::vector<Prompt> prompts;            ///< Completion, Embedding: a sequence each
  unsigned choices = 1;                   ///< sequences for each prompt
  std::optional<std::uint64_t> maxTokens; ///< none: what the context leaves
  bool clip = false;                      ///< what the context leaves, if that is less than maxTokens
  bool truncate = false;                  ///< Embedding: inputs longer than the context are cut
  rt::SamplerOptions sampling{.temperature = 1};
  std::optional<std::uint64_t> seed; ///< none: the server chooses one; choice i of a prompt draws from seed + i
  std::vector<std::string> stop;
  bool logprobs = false;
  unsigned topLogprobs = 0;
  bool echo = false;
  bool ignoreEos = false; ///< the vocabulary's end tokens end nothing
  bool stream = false, includeUsage = false;
  std::optional<Tier> tier;         ///< none: not asked for, which is Shared
  bool base64 = false;              ///< of embeddings
  std::vector<std::string> ignored; ///< fields that have no effect here, each once
};

/// Largest values a request may have; what is beyond is refused before anything is allocated for it.
struct RequestLimits {
  unsigned choices = 8;
  std::size_t messages = 4096;
  std::size_t prompts = 64;
  std::size_t inputs = 2048; ///< of /v1/embeddings
  std::size_t stops = 4;
  std::size_t stopBytes = 1024;
  unsigned depth = 32; ///< of nested lists and objects
};

} // namespace lpu::serve
