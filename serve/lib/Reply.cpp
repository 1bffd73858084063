// Heads carry the promise; a stream's head leaves before the first token is computed.
#include "Reply.h"

#include "lpu/serve/OpenAi.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <ctime>

namespace lpu::serve {
namespace {

constexpr std::size_t kFingerprintDigits = 16;

std::string headerName(const std::string &name) {
  std::string out;
  for (const unsigned char c : name)
    out +=
        (c < 0x80 && std::isalnum(c)) || std::string_view("_-.[]").find(static_cast<char>(c)) != std::string_view::npos
            ? std::string(1, static_cast<char>(c))
            : fmt::format("%{:02X}", c);
  return out;
}

} // namespace

Reply::Reply(const Engine &engine, const Model &model, const Prepared &prepared, std::shared_ptr<Answer> answer,
             HttpFields fields, WriterMaker makeWriter, RequestLog *log)
    : engine(engine), model(model), request(prepared.request), answer(std::move(answer)), fields(std::move(fields)),
      makeWriter(std::move(makeWriter)), log(log), choices(request.choices * prepared.prompts.size()),
      vectors(choices.size()) {
  for (const std::vector<TokenId> &prompt : prepared.prompts) {
    promptTokens += prompt.size();
    if (request.echo && model.tokenizer())
      echoes.push_back(model.tokenizer()->decode(prompt));
  }
}

Answer::Clock::time_point Reply::dueAt(std::int64_t ns) const { return engine.dueAt(arrivalNs + ns); }

void Reply::accepted(const std::string &name, const Promise &promise, std::int64_t arrival) {
  id = name;
  arrivalNs = arrival;
  writer =
      makeWriter(request, {id, std::time(nullptr), model.name(), "lpu_" + model.sha256().substr(0, kFingerprintDigits),
                           promptTokens, openai::tierName(engine.tierOf(request))});
  auto number = [&](const char *name, std::int64_t value) { fields.emplace_back(name, fmt::to_string(value)); };
  fields.emplace_back("x-request-id", id);
  number("x-lpu-queue-ns", promise.queueNs);
  number("x-lpu-ttft-ns", promise.ttftNs);
  number("x-lpu-token-ns", promise.tokenNs);
  number("x-lpu-total-ns-max", promise.totalNsMax);
  number("x-lpu-cycles-max", promise.cyclesMax);
  number("x-lpu-arrival-ns", arrivalNs);
  fields.emplace_back("x-lpu-program", "sha256:" + model.sha256());
  for (auto &field : writer->fields())
    fields.push_back(std::move(field));
  if (!request.ignored.empty())
    fields.emplace_back("x-lpu-ignored", ignoredNames());
  constexpr double kNsPerMs = 1e6;
  fields.emplace_back("Server-Timing", fmt::format("queue;dur={:.6f}, ttft;dur={:.6f}, total;dur={:.6f}",
                                                   static_cast<double>(promise.queueNs) / kNsPerMs,
                                                   static_cast<double>(promise.ttftNs) / kNsPerMs,
                                                   static_cast<double>(promise.totalNsMax) / kNsPerMs));
  if (request.stream) {
    fields.emplace_back("Cache-Control", "no-cache");
    fields.emplace_back("X-Accel-Buffering", "no");
    answer->begin({200, fields, writer->streamType(), ""}, writer->silence());
    if (std::string opening = writer->begin(); !opening.empty())
      answer->part(std::move(opening));
  }
  for (unsigned choice = 0; choice < choices.size() && !echoes.empty(); ++choice)
    piece({choice, echoes[choice / request.choices], std::nullopt, 0, 0, ""});
}

/// All names, as a header can carry them: other bytes than letters, digits and _-.[] are percent-encoded. A header that
/// clients refuse would be of no use, so what is beyond its size is counted.
std::string Reply::ignoredNames() const {
  constexpr std::size_t kLongestName = 64, kLongest = 4000;
  std::string names;
  for (std::size_t i = 0; i < request.ignored.size(); ++i) {
    const std::string name = headerName(request.ignored[i].substr(0, kLongestName));
    if (names.size() + name.size() > kLongest)
      return names + fmt::format(", and {} more", request.ignored.size() - i);
    names += (names.empty() ? "" : ", ") + name;
  }
  return names;
}

/// Dialects have nothing to say of some tokens.
void Reply::tell(std::string event, std::int64_t atNs) {
  if (!event.empty())
    answer->part(std::move(event), dueAt(atNs));
}

void Reply::piece(const Piece &piece) {
  lastNs = std::max(lastNs, piece.atNs);
  Choice &choice = choices[piece.choice];
  choice.stop = piece.stop;
  if (request.stream)
    return tell(writer->token(piece), piece.atNs);
  choice.text += piece.text;
  if (!piece.logprob)
    return;
  choice.logprobs.push_back(*piece.logprob);
  choice.textOffsets.push_back(piece.textOffset);
}

void Reply::finished(unsigned choice, FinishReason reason, std::int64_t atNs) {
  lastNs = std::max(lastNs, atNs);
  choices[choice].reason = reason;
  if (request.stream)
    tell(writer->finish(choice, reason, choices[choice].stop), atNs);
}

void Reply::embedding(unsigned choice, std::vector<float> vector) { vectors[choice] = std::move(vector); }

void Reply::note(const Usage &usage, int status, const std::string &code) const {
  if (log)
    log->write({id, model.name(), status, code, choices, usage});
}

void Reply::done(const Usage &usage) {
  answer->onAbandon(nullptr);
  note(usage, 200, "");
  if (request.task == Task::Embedding)
    return answer->whole({200, fields, "application/json", writer->embeddings(vectors, usage)}, dueAt(lastNs));
  if (!request.stream)
    return answer->whole({200, fields, "application/json", writer->body(choices, usage)}, dueAt(lastNs));
  tell(writer->end(usage), lastNs);
  answer->end();
}

void Reply::left(const std::string &own) {
  constexpr int kClientLeft = 499; // as nginx notes it
  id = own;
  note({}, kClientLeft, "client_left");
}

void Reply::refused(const Refusal &refusal) {
  answer->onAbandon(nullptr);
  if (id.empty())
    id = newRequestId();
  note({}, refusal.status, refusal.code);
  if (answer->hasHead()) {
    answer->part(writer->error(refusal));
    return answer->end();
  }
  HttpResponse response = responseOf(refusal, id, answer->refusalWriter());
  for (const auto &field : fields)
    if (field.first != "x-request-id")
      response.fields.push_back(field);
  answer->whole(std::move(response));
}

} // namespace lpu::serve
