// The OpenAI dialect, with Groq's additions: requests of chat completions, completions and embeddings, and the events
// that answer them. Pure functions of text: no sockets, no clocks, no models.
// Source: the OpenAI API reference (openai-openapi), Groq's API reference (console.groq.com/docs).
#pragma once

#include "lpu/serve/Outcome.h"
#include "lpu/serve/Request.h"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>

namespace lpu::serve::openai {

/// Bodies of POST /v1/chat/completions, /v1/completions and /v1/embeddings. Known fields that ask for what is not
/// built are refused by name; unknown ones are named in Request::ignored. null counts as absent.
OrRefusal<Request> parse(Task task, std::string_view body, const RequestLimits &limits = {});

/// The body of any of them, told apart by messages, prompt or input.
OrRefusal<Request> parseAny(std::string_view body, const RequestLimits &limits = {});

/// What all parts of an answer have in common.
struct Identity {
  std::string id;           ///< of the request: "req_7"
  std::int64_t created = 0; ///< seconds since 1970
  std::string model;
  std::string fingerprint;             ///< of the program
  std::string serviceTier = "default"; ///< that the request got
};

/// "default", "priority" or "flex".
const char *tierName(Tier tier);

/// Writes what happens to one request, in the order it happens: as events while it happens, or as one body at the end.
/// Every event is a whole `data: …` block.
class Writer {
public:
  Writer(const Request &request, Identity identity);

  /// Opens the stream: who speaks.
  std::string begin() const;
  /// `timestamp`: says when the token was there, in virtual ns since the arrival.
  std::string token(const Piece &piece, bool timestamp = false) const;
  std::string finish(unsigned choice, FinishReason reason) const;
  /// Usage, if it was asked for, and the end of the stream.
  std::string end(const Usage &usage) const;
  /// The whole answer of a request that did not ask for a stream.
  std::string body(const std::vector<Choice> &choices, const Usage &usage) const;

private:
  nlohmann::ordered_json chunk() const;

  bool chat;
  bool includeUsage;
  unsigned choices;
  bool logprobs;
  Identity identity;
};

std::string embeddingBody(const Request &request, const std::string &model,
                          const std::vector<std::vector<float>> &vectors, std::uint64_t tokens);

/// {"error":{"message","type","param","code"}}
std::string errorBody(const Refusal &refusal);
/// The same as the last event of a stream that has begun.
std::string errorEvent(const Refusal &refusal);

/// One model of GET /v1/models.
struct ModelCard {
  std::string name;
  std::int64_t created = 0;
  std::uint32_t context = 0, vocabulary = 0;
  bool encoder = false;
  std::string program;      ///< SHA-256 of the file, hex
  std::string chatTemplate; ///< "model", "file" or "plain"
  unsigned systems = 1, users = 1;
  std::size_t chips = 1;
  std::string architecture;
};
std::string modelBody(const ModelCard &card);
std::string modelsBody(const std::vector<ModelCard> &cards);

} // namespace lpu::serve::openai
