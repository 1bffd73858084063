// What a precision costs in quality and buys in memory and cycles: compiled
// configurations of one model against float on the same text.
#pragma once

#include "lpu/rt/Perplexity.h"

#include <functional>
#include <string>
#include <vector>

namespace lpu::rt {

/// One `W/A/KV` of --config, in the words of lpucc's --weight-type, --activation-type and --kv-type.
struct Precision {
  std::string weights, activations, kv;
  std::string str() const { return weights + "/" + activations + "/" + kv; }
};

/// "int8/a16/int16,…". Error: a part is missing.
Result<std::vector<Precision>> parsePrecisions(const std::string &text);

struct EvaluateOptions {
  std::string model, text; ///< files
  std::vector<Precision> precisions;
  bool onSimulator = false;               ///< else on the reference interpreter, which computes the same bits
  std::uint64_t maxTokens = 0;            ///< 0: the whole text
  std::optional<Counting> counting;       ///< see cutText
  std::vector<std::string> compilerFlags; ///< passed on to lpucc and lpu-interpret
  std::string report;                     ///< JSON; empty: none
};

/// How far logits are from those of float, over all predicted tokens of a text.
class Comparison {
public:
  /// One position: both rows have one value per word of the vocabulary.
  void add(std::span<const float> reference, std::span<const float> logits, TokenId actual);
  double perplexity() const { return own.perplexity(); }
  double floatPerplexity() const { return reference.perplexity(); }
  double divergence() const;    ///< mean KL(float ‖ own), nats
  double top1Agreement() const; ///< share of positions with the same best token

private:
  Likelihood own, reference;
  double klSum = 0;
  std::uint64_t agreeing = 0;
};

struct EvaluationRow {
  Precision precision;
  Comparison quality;
  std::int64_t weightsBytes = 0, chips = 0;
  double cyclesPerToken = 0, tokensPerSecond = 0; ///< decode, mean over the positions of the text
};

struct Evaluation {
  std::string model, text;
  TextWindows scored;
  bool onSimulator = false;
  std::vector<EvaluationRow> rows;
};

/// Starts lpucc, lpu-interpret and lpu-run from `toolFolder`. `progress` hears what begins. The error is the one line
/// of the tool that failed.
Result<Evaluation> evaluate(const EvaluateOptions &options, const std::string &toolFolder,
                            const std::function<void(const std::string &)> &progress);

std::string reportJson(const Evaluation &evaluation);
std::string reportTable(const Evaluation &evaluation);

} // namespace lpu::rt
