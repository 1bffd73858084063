// What fuzzers of dialects do with what a reader says: write an answer of it, in pieces and as a whole.
#pragma once

#include "lpu/serve/Dialect.h"

#include <cstdlib>

namespace lpu::serve {

/// What is accepted keeps to its limits, what is refused is one line, and all that can happen can be written.
template <typename MakeWriter>
void fuzzAnswer(const OrRefusal<Request> &request, RefusalWriter refusals, MakeWriter makeWriter) {
  const RequestLimits limits;
  if (!request) {
    const Refusal &refusal = request.refusal();
    if (refusal.status != 400 || refusal.message.empty() || refusal.message.find('\n') != std::string::npos)
      std::abort();
    refusals(refusal, "req_1");
    return;
  }
  const rt::SamplerOptions &sampling = request->sampling;
  if (request->choices < 1 || request->choices > limits.choices || request->messages.size() > limits.messages + 1 ||
      request->prompts.size() > limits.inputs || request->maxTokens == 0u || !(sampling.temperature >= 0) ||
      !(sampling.topP > 0 && sampling.topP <= 1) || !(sampling.repeatPenalty > 0))
    std::abort();
  for (const std::string &stop : request->stop)
    if (stop.empty() || stop.size() > limits.stopBytes)
      std::abort();
  const std::unique_ptr<AnswerWriter> writer = makeWriter(*request, Identity{"req_1", 0, "m", "f", 1});
  const std::string text = request->stop.empty() ? "text" : request->stop.front();
  writer->begin();
  writer->silence();
  writer->token({request->choices - 1, text, {}, 0, 1, ""});
  writer->finish(request->choices - 1, FinishReason::Stop, request->stop.empty() ? "" : text);
  writer->end({});
  writer->error({500, text, "", ""});
  Choice choice;
  choice.text = text;
  writer->body(std::vector<Choice>(request->choices, choice), {});
  writer->embeddings({{1, 2}}, {});
}

} // namespace lpu::serve
