// Text format 0.0.4: every metric once, with help and type, then its lines for all models.
#include "lpu/serve/Metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

namespace lpu::serve {
namespace {

constexpr double kNsPerSecond = 1e9;

std::string escaped(const std::string &text) {
  std::string out;
  for (const char c : text)
    out += c == '"' || c == '\\' ? std::string("\\") + c : c == '\n' ? std::string("\\n") : std::string(1, c);
  return out;
}

std::string labelOf(const ModelGauges &model) { return fmt::format("model_name=\"{}\"", escaped(model.model)); }

/// A metric of which every model has lines.
std::string family(const std::vector<ModelGauges> &models, const char *name, const char *type, const char *help,
                   const std::function<std::string(const ModelGauges &)> &lines) {
  std::string out = fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
  for (const ModelGauges &model : models)
    out += lines(model);
  return out;
}

std::string counts(const char *name, const ModelGauges &model, const char *label,
                   const std::map<std::string, std::uint64_t> &values) {
  std::string out;
  for (const auto &[key, count] : values)
    out += fmt::format("{}{{{},{}=\"{}\"}} {}\n", name, labelOf(model), label, escaped(key), count);
  return out;
}

/// 1e-06, 0.25, 131072: as short as it can be, whole numbers as such.
std::string endName(double end) { return end >= 1 ? fmt::format("{:.10g}", end) : fmt::format("{:g}", end); }

} // namespace

Histogram Histogram::ofSeconds() {
  static constexpr double kEnds[] = {1e-6,   2.5e-6, 1e-5, 2.5e-5, 1e-4, 2.5e-4, 1e-3, 2.5e-3, 1e-2,
                                     2.5e-2, 0.1,    0.25, 1,      2.5,  10,     25,   100};
  return Histogram(kEnds);
}

Histogram Histogram::ofTokens() {
  static constexpr double kEnds[] = {1,   2,    4,    8,    16,   32,    64,    128,   256,
                                     512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072};
  return Histogram(kEnds);
}

void Histogram::add(double value) {
  ++counts[static_cast<std::size_t>(std::ranges::lower_bound(ends, value) - ends.begin())];
  sum += value;
}

std::string Histogram::lines(const std::string &name, const std::string &labels) const {
  std::string out;
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < ends.size(); ++i)
    out += fmt::format("{}_bucket{{{},le=\"{}\"}} {}\n", name, labels, endName(ends[i]), total += counts[i]);
  total += counts.back();
  return out + fmt::format("{0}_bucket{{{1},le=\"+Inf\"}} {2}\n{0}_sum{{{1}}} {3}\n{0}_count{{{1}}} {2}\n", name,
                           labels, total, sum);
}

void ModelMetrics::add(const Usage &usage) {
  const auto seconds = [](std::int64_t ns) { return static_cast<double>(ns) / kNsPerSecond; };
  promptTokens += usage.promptTokens;
  generatedTokens += usage.completionTokens;
  promptLengths.add(static_cast<double>(usage.promptTokens));
  generationLengths.add(static_cast<double>(usage.completionTokens));
  queue.add(seconds(usage.queueNs));
  prefill.add(seconds(usage.promptNs));
  decode.add(seconds(usage.completionNs));
  ttft.add(seconds(usage.queueNs + usage.promptNs));
  total.add(seconds(usage.queueNs + usage.promptNs + usage.completionNs));
  if (usage.completionTokens > 1)
    interToken.add(seconds(usage.completionNs) / static_cast<double>(usage.completionTokens - 1));
}

std::string metricsText(const std::vector<ModelGauges> &models) {
  auto value = [&](const char *name, const char *type, const char *help, auto of) {
    return family(models, name, type, help, [&](const ModelGauges &model) {
      return fmt::format("{}{{{}}} {}\n", name, labelOf(model), of(model));
    });
  };
  auto histogram = [&](const char *name, const char *help, Histogram ModelMetrics::*of) {
    return family(models, name, "histogram", help,
                  [&](const ModelGauges &model) { return (model.metrics->*of).lines(name, labelOf(model)); });
  };
  return value("lpu_num_requests_running", "gauge", "Sequences that run.", [](auto &m) { return m.running; }) +
         value("lpu_num_requests_waiting", "gauge", "Sequences that wait.", [](auto &m) { return m.waiting; }) +
         value("lpu_slots", "gauge", "Users whose caches exist.", [](auto &m) { return m.slots; }) +
         value("lpu_systems_resident", "gauge", "Systems whose weights are on chips, or on their way.",
               [](auto &m) { return m.resident; }) +
         value("lpu_system_loads_total", "counter", "Systems that were loaded in place of others.",
               [](auto &m) { return m.loads; }) +
         value("lpu_kv_cache_usage_perc", "gauge", "Positions in use of all positions of the caches; 1 is all.",
               [](auto &m) { return m.cacheUsage; }) +
         value("lpu_prompt_tokens_total", "counter", "Tokens of prompts.",
               [](auto &m) { return m.metrics->promptTokens; }) +
         value("lpu_generation_tokens_total", "counter", "Tokens that were generated.",
               [](auto &m) { return m.metrics->generatedTokens; }) +
         family(models, "lpu_request_success_total", "counter", "Sequences that ended, by reason.",
                [](const ModelGauges &m) {
                  return counts("lpu_request_success_total", m, "finished_reason", m.metrics->finished);
                }) +
         family(
             models, "lpu_request_refused_total", "counter", "Requests that were refused, by code.",
             [](const ModelGauges &m) { return counts("lpu_request_refused_total", m, "code", m.metrics->refused); }) +
         histogram("lpu_time_to_first_token_seconds", "Virtual time from arrival to first token.",
                   &ModelMetrics::ttft) +
         histogram("lpu_inter_token_latency_seconds", "Virtual time of a later token, mean of a request.",
                   &ModelMetrics::interToken) +
         histogram("lpu_e2e_request_latency_seconds", "Virtual time from arrival to last token.",
                   &ModelMetrics::total) +
         histogram("lpu_request_queue_time_seconds", "Virtual time from arrival to start.", &ModelMetrics::queue) +
         histogram("lpu_request_prefill_time_seconds", "Virtual time from start to first token.",
                   &ModelMetrics::prefill) +
         histogram("lpu_request_decode_time_seconds", "Virtual time from first to last token.", &ModelMetrics::decode) +
         histogram("lpu_request_prompt_tokens", "Tokens of a request's prompts.", &ModelMetrics::promptLengths) +
         histogram("lpu_request_generation_tokens", "Tokens that a request generated.",
                   &ModelMetrics::generationLengths);
}

} // namespace lpu::serve
