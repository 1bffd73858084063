// An evaluation as JSON and as a table.
#include "lpu/rt/Evaluate.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace lpu::rt {

std::string reportJson(const Evaluation &evaluation) {
  // docs/spec/reports.md
  nlohmann::ordered_json out = {{"schema", "lpu-eval-report"},
                                {"schema_version", 1},
                                {"model", evaluation.model},
                                {"text", evaluation.text},
                                {"tokens", evaluation.scored.counted},
                                {"windows", evaluation.scored.windows.size()},
                                {"positions", evaluation.scored.length},
                                {"begins_with_bos", evaluation.scored.beginsWithBos},
                                {"counting", countingName(evaluation.scored.counting)},
                                {"left_out_tokens", evaluation.scored.leftOut},
                                {"on", evaluation.onSimulator ? "simulator" : "interpreter"},
                                {"rows", nlohmann::ordered_json::array()}};
  for (const EvaluationRow &row : evaluation.rows)
    out["rows"].push_back({{"weights", row.precision.weights},
                           {"activations", row.precision.activations},
                           {"kv", row.precision.kv},
                           {"perplexity", row.quality.perplexity()},
                           {"float_perplexity", row.quality.floatPerplexity()},
                           {"kl", row.quality.divergence()},
                           {"top1_agreement", row.quality.top1Agreement()},
                           {"weights_bytes", row.weightsBytes},
                           {"chips", row.chips},
                           {"cycles_per_token", row.cyclesPerToken},
                           {"tokens_per_second", row.tokensPerSecond}});
  return out.dump(2) + "\n";
}

std::string reportTable(const Evaluation &evaluation) {
  std::string out = fmt::format("{}, {} tokens of {}, values from the {}\n{}\n\n  "
                                "{:<14}{:<12}{:<8}{:>11}{:>9}{:>11}{:>9}{:>13}{:>7}{:>13}{:>10}\n",
                                evaluation.model, evaluation.scored.counted, evaluation.text,
                                evaluation.onSimulator ? "simulator" : "interpreter", evaluation.scored.str(),
                                "weights", "activations", "kv", "perplexity", "change", "KL nats", "top-1 %",
                                "weight bytes", "chips", "cycles/token", "tokens/s");
  if (!evaluation.rows.empty())
    out += fmt::format("  {:<34}{:>11.4f}\n", "float", evaluation.rows[0].quality.floatPerplexity());
  for (const EvaluationRow &row : evaluation.rows) {
    double change = 100 * (row.quality.perplexity() / row.quality.floatPerplexity() - 1);
    out += fmt::format("  {:<14}{:<12}{:<8}{:>11.4f}{:>+8.2f}%{:>11.6f}{:>9.2f}{:>13}{:>7}{:>13.0f}{:>10.0f}\n",
                       row.precision.weights, row.precision.activations, row.precision.kv, row.quality.perplexity(),
                       change, row.quality.divergence(), 100 * row.quality.top1Agreement(), row.weightsBytes, row.chips,
                       row.cyclesPerToken, row.tokensPerSecond);
  }
  return out;
}

} // namespace lpu::rt
