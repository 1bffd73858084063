// What every dialect of the service offers: a reader of bodies, a writer of answers, and a writer of refusals. All are
// pure functions of what they are given: no sockets, no clocks, no models.
#pragma once

#include "lpu/serve/Http.h"
#include "lpu/serve/Outcome.h"
#include "lpu/serve/Request.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace lpu::serve {

/// What all parts of an answer have in common.
struct Identity {
  std::string id;           ///< of the request: "req_7"
  std::int64_t created = 0; ///< seconds since 1970
  std::string model;
  std::string fingerprint; ///< of the program
  std::uint64_t promptTokens = 0;
  std::string serviceTier = "default"; ///< that the request got
};

/// Writes what happens to one request, in the order it happens: begin, tokens, the finish of each choice, end; or one
/// body at the end. Every text is a whole event, or several.
class AnswerWriter {
public:
  virtual ~AnswerWriter() = default;
  /// The content type of a stream.
  virtual const char *streamType() const = 0;
  virtual std::string begin() = 0;
  virtual std::string token(const Piece &piece) = 0;
  /// `stop`: the stop text that ended the choice; empty: none did.
  virtual std::string finish(unsigned choice, FinishReason reason, const std::string &stop) = 0;
  virtual std::string end(const Usage &usage) = 0;
  /// The last event of a stream that goes wrong.
  virtual std::string error(const Refusal &refusal) const = 0;
  /// What may be sent between two events while nothing happens; empty: nothing.
  virtual std::string silence() const = 0;
  /// The whole answer of a request that did not ask for a stream.
  virtual std::string body(const std::vector<Choice> &choices, const Usage &usage) const = 0;
  /// The same of an encoder: a vector for each prompt.
  virtual std::string embeddings(const std::vector<std::vector<float>> &vectors, const Usage &usage) const = 0;
  /// Fields of the head that only this dialect has.
  virtual HttpFields fields() const { return {}; }
};

using WriterMaker = std::function<std::unique_ptr<AnswerWriter>(const Request &, const Identity &)>;

/// A refusal as an answer: status, body, and fields that only this dialect has. `id` is the request's.
using RefusalWriter = HttpResponse (*)(const Refusal &, const std::string &id);

namespace openai {
HttpResponse refusal(const Refusal &refusal, const std::string &id);
}

/// One model as lists of models show it.
struct ModelCard {
  std::string name;
  std::int64_t created = 0; ///< seconds since 1970
  std::uint32_t context = 0, vocabulary = 0, layers = 0;
  bool encoder = false;
  std::string program;        ///< SHA-256 of the file, hex
  std::uint64_t bytes = 0;    ///< of weights and code
  std::string templateOrigin; ///< "model", "file" or "plain"
  std::string chatTemplate;   ///< Jinja; empty: none
  unsigned systems = 1, users = 1;
  std::size_t chips = 1;
  std::string architecture;
  bool loaded = true;
};

/// How the dialect of a request writes refusals: by its path, and by fields that only one dialect's clients send.
RefusalWriter refusalWriterOf(const HttpRequest &request);

/// The key that a request shows, wherever its dialect has it: a bearer's, x-api-key, x-goog-api-key, ?key=, or the
/// access key of an AWS signature, which is not verified. Empty: none.
std::string keyOf(const HttpRequest &request);

/// The status of a refusal for dialects that do not know Groq's 498 (no capacity left for flex): 429.
int usualStatus(const Refusal &refusal);

/// "2026-11-29T12:00:00Z"
std::string isoTime(std::int64_t secondsSince1970);

} // namespace lpu::serve
