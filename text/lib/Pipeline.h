// A tokenizer's parts, in the order in which text goes through them.
#pragma once

#include "AddedTokens.h"
#include "Decoder.h"
#include "Model.h"
#include "Normalizer.h"
#include "PreTokenizer.h"

namespace lpu::text {

struct Pipeline {
  AddedTokens raw{{}}; ///< found in the text as it is given
  std::vector<Normalizer> normalizers;
  AddedTokens normalized{{}}; ///< found in what the normalizers leave
  std::vector<PreTokenizer> preTokenizers;
  std::unique_ptr<Model> model;
  std::vector<DecodeStep> decoder;
  std::vector<TokenId> before, behind; ///< of a prompt
};

/// The parts by the name of the vocabulary's model: "llama", "gpt2", or "pipeline", which data.pipeline describes.
/// Error: see Tokenizer::create.
Result<std::unique_ptr<const Pipeline>> buildPipeline(const isa::Tokenizer &data);

/// Those that data.pipeline describes, in the format of Hugging Face's tokenizer.json.
Status readDescription(const isa::Tokenizer &data, Pipeline &out);

} // namespace lpu::text
