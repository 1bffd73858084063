// Calibration must see text in the pieces the model will be fed.

#include "CalibrationText.h"

#include "lpu/compiler/Dialect/LLM/Context.h"
#include "lpu/compiler/Import/WeightStore.h"
#include "lpu/text/Tokenizer.h"

#include <algorithm>
#include <fstream>
#include <sstream>

namespace lpu::compiler {

void addCalibrationFlags(CLI::App &app, CalibrationFlags &flags) {
  app.add_option("--calibration", flags.text,
                 "text from which activation scales are measured (default: bounds that hold for every text)");
  app.add_option("--calibration-method", flags.method,
                 "range of int8 activations: " + precisionNames(kCalibrationMethods))
      ->capture_default_str();
  app.add_option("--rounding", flags.rounding, "of weights: " + precisionNames(kRoundings))->capture_default_str();
}

Result<CalibrationOptions> readCalibration(const CalibrationFlags &flags, const std::string &model) {
  CalibrationOptions out{{}, flags.method, flags.rounding};
  if (Status known = checkName("--rounding", flags.rounding, kRoundings); !known)
    return known.error();
  if (flags.text.empty() && flags.rounding != "nearest")
    return Error{"--rounding",
                 "'" + flags.rounding + "' weighs errors by what the model computes; give a text with --calibration"};
  if (flags.text.empty())
    return out;
  std::ifstream file(flags.text, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  if (!file || text.str().empty())
    return Error{flags.text, "cannot be read or is empty; give a text file of some hundred words"};
  auto store = WeightStore::open(model);
  if (!store)
    return store.error();
  auto tokenizer = text::Tokenizer::create((*store)->tokenizer());
  if (!tokenizer)
    return Error{model, tokenizer.error().message};
  auto ids = (*tokenizer)->encode(text.str());
  if (!ids)
    return Error{model, ids.error().message};
  std::size_t context = std::min<std::size_t>((*store)->shape().context, llm::kUsualPositions),
              length = std::max<std::size_t>(2, context) - 1;
  for (std::size_t at = 0; at < ids->size(); at += length) {
    auto &sequence = out.sequences.emplace_back();
    if ((*tokenizer)->bos() >= 0)
      sequence.push_back((*tokenizer)->bos());
    sequence.insert(sequence.end(), ids->begin() + static_cast<std::ptrdiff_t>(at),
                    ids->begin() + static_cast<std::ptrdiff_t>(std::min(at + length, ids->size())));
  }
  return out;
}

} // namespace lpu::compiler
