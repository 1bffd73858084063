// What the service says of its schedule: quotes before a request, proofs behind it, and the systems in between.
#include "JsonResponse.h"
#include "Prompt.h"
#include "lpu/serve/OpenAi.h"
#include "lpu/serve/Service.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <optional>
#include <string>
#include <utility>

namespace lpu::serve {
namespace {

Json promiseJson(const Promise &promise) {
  return {{"queue_ns", promise.queueNs},        {"ttft_ns", promise.ttftNs},       {"token_ns", promise.tokenNs},
          {"total_ns_max", promise.totalNsMax}, {"cycles_max", promise.cyclesMax}, {"exact", promise.exact}};
}

/// Bounds by service tier; null: it would be refused now.
Json tiersJson(const Quote &quote) {
  Json out{{"flex", nullptr}};
  for (const auto &[tier, promise] : quote.tiers)
    out[openai::tierName(tier)] = {
        {"queue_ns", promise.queueNs}, {"ttft_ns", promise.ttftNs}, {"total_ns_max", promise.totalNsMax}};
  return out;
}

/// Options that make lpu-run pick the same tokens.
std::string samplingFlags(const rt::SamplerOptions &sampling) {
  std::string flags;
  if (sampling.repeatPenalty != 1)
    flags += fmt::format(" --repeat-penalty {} --repeat-last-n {}", sampling.repeatPenalty, sampling.repeatLastN);
  if (sampling.temperature <= 0)
    return flags;
  flags += fmt::format(" --temperature {} --seed {}", sampling.temperature, sampling.seed);
  if (sampling.topP < 1)
    flags += fmt::format(" --top-p {}", sampling.topP);
  if (sampling.topK > 0)
    flags += fmt::format(" --top-k {}", sampling.topK);
  if (sampling.minP > 0)
    flags += fmt::format(" --min-p {}", sampling.minP);
  return flags;
}

/// The command that gives a sequence the same tokens and digest. One that was cancelled is run as far as it came;
/// before its first token nothing can be repeated.
std::optional<std::string> commandOf(const Model &model, const ProvedSequence &sequence) {
  const std::string ids = fmt::format("{}", fmt::join(sequence.prompt, ","));
  if (model.timing().isEncoder())
    return model.runCommand() + " --input-ids=" + ids;
  const bool cut = sequence.finish == kCancelled;
  if (cut && sequence.tokens.empty())
    return std::nullopt;
  std::string command = model.runCommand() + " --tokens=" + ids +
                        fmt::format(" -n {}", cut ? sequence.tokens.size() : sequence.maxTokens) +
                        samplingFlags(sequence.sampling);
  for (const std::string &stop : sequence.stops)
    command += " --stop " + quoted(stop);
  return sequence.ignoreEos ? command + " --ignore-eos" : command;
}

Json sequenceJson(const Model &model, const ProvedSequence &sequence) {
  const std::optional<std::string> command = commandOf(model, sequence);
  return {{"prompt_tokens", sequence.prompt},
          {"tokens", sequence.tokens},
          {"max_tokens", sequence.maxTokens},
          {"seed", sequence.sampling.seed},
          {"temperature", sequence.sampling.temperature},
          {"finish_reason", sequence.finish.empty() ? Json(nullptr) : Json(sequence.finish)},
          {"start_cycle", sequence.startCycle},
          {"steps", sequence.steps},
          {"cycles_predicted", sequence.predictedCycles},
          {"cycles_simulated", sequence.simulatedCycles},
          {"digest", sequence.digest.empty() ? Json(nullptr) : Json(sequence.digest)},
          {"command", command ? Json(*command) : Json(nullptr)}};
}

} // namespace

void Service::quote(const HttpRequest &request, const std::string &, const std::shared_ptr<Answer> &answer) {
  quoteFor([body = request.body, limits = options.limits] { return openai::parseAny(body, limits); }, answer);
}

void Service::quoteFor(Parse parse, const std::shared_ptr<Answer> &answer) {
  prepare(std::move(parse), answer, [this, answer](const Model &model, const Prepared &prepared) {
    const Quote quote = engine.quote(model, prepared);
    Json tokens = Json::array();
    for (const Timing::Bucket &bucket : model.timing().buckets())
      tokens.push_back({bucket.context, model.timing().clock().nanoseconds(bucket.cycles)});
    answer->whole(jsonResponse({{"model", model.name()},
                                {"prompt_tokens", quote.promptTokens},
                                {"max_tokens", quote.maxTokens},
                                {"start_ns", quote.startNs},
                                {"ttft_ns", quote.promise.ttftNs},
                                {"token_ns", tokens},
                                {"total_ns_max", quote.promise.totalNsMax},
                                {"cycles_max", quote.promise.cyclesMax},
                                {"exact", quote.promise.exact},
                                {"tiers", tiersJson(quote)},
                                {"slots", {{"free", quote.slotsFree}, {"of", quote.slots}, {"bound_by", "kv"}}},
                                {"program", "sha256:" + model.sha256()}}));
  });
}

void Service::showProof(const HttpRequest &, const std::string &id, const std::shared_ptr<Answer> &answer) {
  const std::size_t prefix = id.find("req_"); // ids of answers are those of requests behind a word: chatcmpl-req_…
  const Proof *proof = prefix == std::string::npos ? nullptr : engine.proof(id.substr(prefix));
  if (!proof)
    return refuse(*answer, {404, "no request of this id is known; the latest are kept", "", "not_found"});
  const Model &model = *engine.find(proof->model);
  Json sequences = Json::array();
  for (const ProvedSequence &sequence : proof->sequences)
    sequences.push_back(sequenceJson(model, sequence));
  answer->whole(jsonResponse({{"id", proof->id},
                              {"model", proof->model},
                              {"program", "sha256:" + proof->program},
                              {"arrival_cycle", proof->arrivalCycle},
                              {"promise", promiseJson(proof->promise)},
                              {"sequences", sequences}}));
}

void Service::showSystems(const HttpRequest &, const std::string &, const std::shared_ptr<Answer> &answer) {
  Json data = Json::array();
  for (const Model *model : engine.models()) {
    const Engine::ModelState state = engine.state(*model);
    data.push_back({{"model", model->name()},
                    {"systems", state.systems},
                    {"chips", model->timing().chips()},
                    {"resident", state.resident},
                    {"loads", state.loads},
                    {"slots", state.slots},
                    {"running", state.running},
                    {"waiting", state.waiting},
                    {"now_ns", model->timing().clock().nanoseconds(state.now)},
                    {"state", !state.broken.empty() ? "broken"
                              : state.loaded        ? "ready"
                                                    : "loading"}});
  }
  answer->whole(jsonResponse({{"data", data}}));
}

} // namespace lpu::serve
