// Hugging Face folders: config.json, *.safetensors and tokenizer.json. Internal to the importer.
#pragma once

#include "SafetensorsFile.h"
#include "WeightSource.h"

namespace lpu::compiler {

/// How quantized checkpoints hold their matrices; the last two are compressed-tensors'.
enum class GroupFormat : std::uint8_t { None, Gptq, GptqV2, Awq, Packed, Codes };

struct HfConfig {
  ModelShape shape;
  GroupFormat format = GroupFormat::None;
  std::uint32_t bits = 4;
  bool hasVision = false;          ///< the folder's model sees as well; its text model is read
  bool namesQuantization = false;  ///< config.json itself says how
  bool namesTied = false;          ///< config.json says whether the embedding is the output projection
  std::uint32_t groupSize = 0;     ///< inputs that share a scale; 0: all of a row
  std::int64_t bos = -1, eos = -1; ///< token ids, -1 when absent
  std::vector<std::int32_t> ends;  ///< all that eos_token_id names; eos is the first
};

/// `text` of a config.json at `path`, which errors name.
Result<HfConfig> parseHfConfig(std::string_view text, const std::string &path);
/// Older checkpoints have their quantization in a file of its own, quantize_config.json (GPTQ) or quant_config.json
/// (AWQ); `text` of it goes into `config`.
Status parseQuantizeConfig(std::string_view text, const std::string &path, HfConfig &config);
/// `text` of a tokenizer.json as a program carries it, its tables padded to the shape's vocabulary.
Result<isa::Tokenizer> parseHfTokenizer(std::string_view text, const std::string &path, const HfConfig &config);
/// All that a folder says of text: tokenizer.json, without which tokens are ids alone, and the files beside it.
Result<isa::Tokenizer> readTokenizer(const std::string &folder, const HfConfig &config);
/// `text` of a generation_config.json: adds the end tokens below `vocabulary` that it names.
Status parseGenerationConfig(std::string_view text, const std::string &path, std::uint32_t vocabulary,
                             isa::Tokenizer &tokenizer);
/// `text` of a tokenizer_config.json: adds its end token and the template of chats. The tokens must have been read.
Status parseTokenizerConfig(std::string_view text, const std::string &path, isa::Tokenizer &tokenizer);

/// Hugging Face's name of a tensor: "model.layers.0.self_attn.q_proj.weight" for "blk.0.attn_q.weight"; where files are
/// fused, ffn_up is gate_up_proj, and where branches have norms, those before them are named otherwise.
std::string hfName(std::string_view name, const ModelShape &shape);
/// The tensors of a folder, all of them checked against the shape. Without an output projection, and a config.json that
/// says nothing of it, the embedding becomes `config`'s.
Result<std::unique_ptr<const WeightSource>> openHfTensors(const std::string &folder, HfConfig &config);

} // namespace lpu::compiler
