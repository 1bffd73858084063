// The report of a run. Key order is fixed, numbers are printed in their shortest
// exact form, so equal runs give equal bytes but for host, host_seconds and engine.
#include "lpu/rt/RunReport.h"

#include "lpu/isa/BuildId.h"
#include "lpu/isa/CountsJson.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>

namespace lpu::rt {
namespace {

using Json = nlohmann::ordered_json;

Json number(const std::optional<double> &value) {
  return value && std::isfinite(*value) ? Json(*value) : Json(nullptr);
}

void addLatency(Json &to, const Latency &latency) {
  to["ttft_us"] = number(latency.ttftUs);
  to["tpot_us"] = number(latency.tpotUs);
  to["tokens_per_second"] = number(latency.tokensPerSecond);
}

Json stepJson(const StepRecord &record, const isa::Program &program) {
  const isa::SystemStep &step = program.steps[record.step.program];
  Json json{{"kind", isa::stepKindName(step.kind)},       {"program", step.name},
            {"position", record.step.position},           {"tokens", record.step.tokens},
            {"predicted_cycles", record.predictedCycles}, {"simulated_cycles", record.simulatedCycles}};
  if (step.users > 1)
    json["users"] = record.step.users;
  for (std::size_t c = 0; program.classes.size() > 1 && c < record.classCycles.size(); ++c)
    json["chip_class_cycles"][program.classes[c].name] = record.classCycles[c];
  json["counts"] = isa::countsJson<Json>(record.counts);
  return json;
}

Json finishJson(const UserReport &user) { return user.finish ? Json(finishReasonName(*user.finish)) : Json(nullptr); }

Json digestJson(const UserReport &user) { return user.digest ? Json(*user.digest) : Json(nullptr); }

Json scoredJson(const TextWindows &text) {
  Json json;
  json["windows"] = text.windows.size();
  json["positions"] = text.length;
  json["begins_with_bos"] = text.beginsWithBos;
  json["counting"] = countingName(text.counting);
  json["counted_tokens"] = text.counted;
  json["left_out_tokens"] = text.leftOut;
  return json;
}

Json hostJson(const HostUse &host) {
  return {{"load_seconds", host.loadSeconds},
          {"run_seconds", host.runSeconds},
          {"peak_rss_bytes", host.peakRssBytes},
          {"threads", host.threads},
          {"ranks", host.ranks},
          {"build", isa::buildId()}};
}

std::string cell(const std::optional<double> &value, int digits) {
  return value ? fmt::format("{:.{}f}", *value, digits) : "-";
}

/// Why a user's generation ended, and the digest that proves it.
std::string ending(const UserReport &user) {
  if (!user.digest || !user.finish)
    return "";
  return fmt::format("  ended by {}; digest {}\n",
                     user.finish == FinishReason::EndToken   ? "an end token"
                     : user.finish == FinishReason::StopText ? "a stop text"
                                                             : "its length",
                     *user.digest);
}

std::string counted(unsigned count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

} // namespace

std::string reportJson(const RunReport &report, const isa::Program &program) {
  const UserReport first = report.users.empty() ? UserReport() : report.users.front();
  Json json;
  json["schema"] = "lpu-run-report"; // docs/spec/reports.md
  json["schema_version"] = 1;
  json["prompt_tokens"] = first.promptTokens;
  json["tokens"] = first.tokens;
  json["text"] = first.text;
  json["finish_reason"] = finishJson(first);
  json["digest"] = digestJson(first);
  json["steps"] = Json::array();
  for (const StepRecord &record : report.steps)
    json["steps"].push_back(stepJson(record, program));
  addLatency(json, first.chip);
  addLatency(json["with_host"], first.withHost);
  if (report.isBatch) {
    json["users"] = Json::array();
    for (const UserReport &user : report.users) {
      Json own{{"prompt_tokens", user.promptTokens},
               {"tokens", user.tokens},
               {"text", user.text},
               {"finish_reason", finishJson(user)},
               {"digest", digestJson(user)}};
      addLatency(own, user.chip);
      addLatency(own["with_host"], user.withHost);
      json["users"].push_back(std::move(own));
    }
    json["total_tokens_per_second"] = number(report.totalTokensPerSecond);
  }
  json["memory_sha256"] = report.memorySha256 ? Json(*report.memorySha256) : Json(nullptr);
  if (report.perplexity)
    json["perplexity"] = number(report.perplexity);
  if (report.scored)
    json["scored"] = scoredJson(*report.scored);
  json["chips"] = program.chips.size();
  json["engine"] = report.engine;
  json["host_seconds"] = report.hostSeconds;
  json["host"] = hostJson(report.host);
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string reportTable(const RunReport &report, const isa::Program &program) {
  isa::Cycle predicted = 0, simulated = 0;
  std::size_t decodes = 0;
  for (const StepRecord &r : report.steps) {
    predicted += r.predictedCycles;
    simulated += r.simulatedCycles;
    decodes += program.steps[r.step.program].kind == isa::StepKind::Decode;
  }
  const UserReport first = report.users.empty() ? UserReport() : report.users.front();
  const auto &[chip, host] = std::pair{first.chip, first.withHost};
  std::string out;
  auto row = [&](std::string_view name, const std::string &a, const std::string &b) {
    out += fmt::format("  {:<26}{:>14}{:>14}\n", name, a, b);
  };
  row("latency", "chip", "with host");
  row("time to first token, us", cell(chip.ttftUs, 2), cell(host.ttftUs, 2));
  row("time per output token, us", cell(chip.tpotUs, 2), cell(host.tpotUs, 2));
  row("tokens per second", cell(chip.tokensPerSecond, 1), cell(host.tokensPerSecond, 1));
  out += fmt::format("  {} prompt tokens, {} generated; {} prefill and {} decode steps\n", first.promptTokens.size(),
                     first.tokens.size(), report.steps.size() - decodes, decodes);
  out += ending(first);
  for (std::size_t u = 1; u < report.users.size(); ++u)
    out += fmt::format("  user {}: {} prompt tokens, {} generated; first after {} us, {} tokens/s\n{}", u,
                       report.users[u].promptTokens.size(), report.users[u].tokens.size(),
                       cell(report.users[u].chip.ttftUs, 2), cell(report.users[u].chip.tokensPerSecond, 1),
                       ending(report.users[u]));
  if (report.isBatch)
    out += fmt::format("  all users: {} tokens/s\n", cell(report.totalTokensPerSecond, 1));
  if (program.chips.size() > 1)
    out += fmt::format("  {} chips of {} classes\n", program.chips.size(), program.classes.size());
  out += fmt::format("  {} cycles predicted, {} simulated at {} GHz ({} engine)\n", predicted, simulated,
                     program.machine.clockGHz, report.engine);
  out += fmt::format("  host: {:.2f} s, of which {:.2f} to load and {:.2f} to run; {} MB, {}, {}\n", report.hostSeconds,
                     report.host.loadSeconds, report.host.runSeconds, report.host.peakRssBytes / 1000000,
                     counted(report.host.threads, "thread"), counted(report.host.ranks, "rank"));
  if (report.perplexity)
    out += fmt::format("  perplexity {:.4f}: {}\n", *report.perplexity, report.scored->str());
  return out;
}

} // namespace lpu::rt
