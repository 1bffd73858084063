// config.json to a shape. What would change the model's values and cannot be done
// is an error; keys that only matter to training or to other programs are skipped.

#include "HuggingFace.h"
#include "ModelTensors.h"
#include "ParseJson.h"
#include "lpu/compiler/Import/GgufFile.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace lpu::compiler {
namespace {

using Json = nlohmann::json;

/// Reads one key after another and keeps the first error. A key that is null counts as absent.
class ConfigReader {
public:
  explicit ConfigReader(const std::string &path) : file(path) {}

  const Json *find(const Json &at, const char *key) const {
    auto it = at.find(key);
    return it == at.end() || it->is_null() ? nullptr : &*it;
  }
  std::optional<std::uint32_t> whole(const Json &at, const char *key, std::uint64_t max) {
    const Json *value = find(at, key);
    if (!value)
      return std::nullopt;
    if (!value->is_number_unsigned() || value->get<std::uint64_t>() == 0 || value->get<std::uint64_t>() > max)
      fail(key, "a whole number from 1 to " + std::to_string(max));
    return error ? std::nullopt : std::optional(value->get<std::uint32_t>());
  }
  std::uint32_t required(const Json &at, const char *key, std::uint64_t max) {
    auto value = whole(at, key, max);
    if (!value)
      fail(key, "a whole number from 1 to " + std::to_string(max));
    return value.value_or(0);
  }
  std::optional<double> positive(const Json &at, const char *key) {
    const Json *value = find(at, key);
    if (!value)
      return std::nullopt;
    if (!value->is_number() || !(value->get<double>() > 0) || !std::isfinite(value->get<double>()))
      return fail(key, "a positive number"), std::nullopt;
    return value->get<double>();
  }
  std::string text(const Json &at, const char *key, const std::string &usual = "") {
    const Json *value = find(at, key);
    if (value && !value->is_string())
      fail(key, "a text");
    return value && value->is_string() ? value->get<std::string>() : usual;
  }
  bool flag(const Json &at, const char *key, bool usual = false) {
    const Json *value = find(at, key);
    if (value && !value->is_boolean())
      fail(key, "true or false");
    return value && value->is_boolean() ? value->get<bool>() : usual;
  }
  void fail(const std::string &key, const std::string &expected) {
    fail("key " + quote(key) + " must be " + expected + "; fetch or export the model again");
  }
  void fail(const std::string &message) {
    if (!error)
      error = Error{file, message};
  }

  const std::string &file;
  std::optional<Error> error;
};

const Family *readArchitecture(ConfigReader &reader, const Json &config, ModelShape &shape) {
  std::string type = reader.text(config, "model_type");
  shape.architecture = type == "mistral" ? "llama" : type == "gemma3_text" ? "gemma3" : type;
  shape.name = reader.text(config, "_name_or_path", type);
  shape.ropeHalves = true; // Hugging Face keeps the halves of a head apart
  const Family *family = applyFamily(shape);
  if (!family)
    return reader.fail("model_type " + quote(type) + " is not supported (" +
                       supportedArchitectures({"mistral", "gemma3_text"}) + "); use another model"),
           nullptr;
  shape.gainsFromOne = family->gainsFromOne;
  // Early files of Gemma name what was meant in hidden_act and what is done in hidden_activation.
  std::string usual = family->gatesByGelu ? "gelu_pytorch_tanh" : "silu",
              act = reader.text(config, "hidden_activation", reader.text(config, "hidden_act", usual));
  if (act != usual)
    reader.fail("hidden_act " + quote(act) + " is not supported in models of type " + quote(type) + " (" +
                quote(usual) + " is); use another model");
  for (const char *key : {"attention_bias", "mlp_bias"})
    if (!shape.hasBias && reader.flag(config, key))
      reader.fail("key " + quote(key) + " is true; models of type " + quote(type) +
                  " with biases are not supported, use another model");
  return family;
}

void readSizes(ConfigReader &reader, const Json &config, ModelShape &shape) {
  shape.layers = reader.required(config, "num_hidden_layers", kMaxLayers);
  shape.hidden = reader.required(config, "hidden_size", kMaxWidth);
  shape.ffn = reader.required(config, "intermediate_size", kMaxWidth);
  shape.heads = reader.required(config, "num_attention_heads", kMaxWidth);
  shape.kvHeads = reader.whole(config, "num_key_value_heads", kMaxWidth).value_or(shape.heads);
  shape.vocabulary = reader.required(config, "vocab_size", kMaxVocabulary);
  shape.context = reader.required(config, "max_position_embeddings", kMaxContext);
  shape.tied = reader.flag(config, "tie_word_embeddings", shape.gainsFromOne); // Gemma's files leave it out
  auto eps = reader.positive(config, "rms_norm_eps");
  if (!eps)
    reader.fail("rms_norm_eps", "a positive number");
  shape.eps = static_cast<float>(eps.value_or(0));
  auto headDim = reader.whole(config, "head_dim", kMaxWidth);
  if (reader.error)
    return;
  if (!headDim && shape.hidden % shape.heads)
    reader.fail("hidden_size " + std::to_string(shape.hidden) + " is not divisible by " + std::to_string(shape.heads) +
                " heads, and there is no head_dim; fetch or export the model again");
  shape.headDim = headDim.value_or(shape.hidden / shape.heads);
  if (auto problem = headProblem(shape))
    reader.fail(*problem + "; use another model");
}

/// All layers have a window, or those that layer_types or an interval names, or, where neither stands, the family's.
void readWindow(ConfigReader &reader, const Json &config, const Family &family, ModelShape &shape) {
  bool windowed = family.windowedBut || shape.architecture == "llama" || shape.architecture == "phi3" ||
                  reader.flag(config, "use_sliding_window");
  auto window = reader.whole(config, "sliding_window", UINT32_MAX);
  if (family.windowedBut && !window)
    return reader.fail("sliding_window", "a number of positions");
  if (!windowed || !window)
    return;
  auto but = reader.whole(config, "sliding_window_pattern", kMaxLayers).value_or(family.windowedBut);
  setWindows(shape, *window, but);
  if (!family.windowedBut && reader.find(config, "max_window_layers")) // the first layers have none
    for (std::uint32_t layer = 0; layer < shape.layers; ++layer)
      shape.isWindowed[layer] = layer >= reader.whole(config, "max_window_layers", kMaxLayers).value_or(0);
  const Json *types = family.windowedBut ? reader.find(config, "layer_types") : nullptr;
  if (!types)
    return;
  if (!types->is_array() || types->size() != shape.layers)
    return reader.fail("layer_types", "a list of a name for each of " + std::to_string(shape.layers) + " layers");
  for (std::size_t layer = 0; layer < types->size(); ++layer) {
    const Json &type = (*types)[layer];
    if (type != "sliding_attention" && type != "full_attention")
      return reader.fail("layer_types", "a list of \"sliding_attention\" and \"full_attention\"");
    shape.isWindowed[layer] = type == "sliding_attention";
  }
}

void readCaps(ConfigReader &reader, const Json &config, const Family &family, ModelShape &shape) {
  auto cap = [&](const char *key, double usual) {
    return config.contains(key) ? reader.positive(config, key).value_or(0) : usual; // null is none
  };
  shape.scoreCap = cap("attn_logit_softcapping", family.scoreCap);
  shape.logitsCap = cap("final_logit_softcapping", family.logitsCap);
}

/// A number for each pair that rope turns.
std::vector<float> readFactors(ConfigReader &reader, const Json &scaling, const char *key, const ModelShape &shape) {
  std::vector<float> out;
  const Json *factors = reader.find(scaling, key);
  if (!factors || !factors->is_array() || factors->size() != (shape.rotary ? shape.rotary : shape.headDim) / 2)
    return reader.fail(key, "a list of a number for each pair that rope turns"), out;
  for (const Json &factor : *factors) {
    if (!factor.is_number() || !(factor.get<double>() > 0))
      return reader.fail(key, "a list of positive numbers"), out;
    out.push_back(factor.get<float>());
  }
  return out;
}

/// Divisors for contexts up to that of the first training, and others beyond.
void readLongRope(ConfigReader &reader, const Json &config, const Json &scaling, ModelShape &shape) {
  const char *key = "original_max_position_embeddings";
  auto original = reader.whole(reader.find(scaling, key) ? scaling : config, key, kMaxContext);
  if (!original || *original < 2)
    return reader.fail(key, "a number of positions from 2 on");
  shape.ropeDivisors = readFactors(reader, scaling, "short_factor", shape);
  shape.longDivisors = readFactors(reader, scaling, "long_factor", shape);
  shape.original = *original;
  double ratio = static_cast<double>(reader.required(config, "max_position_embeddings", kMaxContext)) / *original,
         usual = ratio > 1 ? std::sqrt(1 + std::log(ratio) / std::log(*original)) : 1;
  // fp32, as converters to GGUF store it.
  shape.ropeMagnitude = static_cast<float>(reader.positive(scaling, "attention_factor").value_or(usual));
  shape.ropeFreqs = true;
}

void readRotary(ConfigReader &reader, const Json &config, const Family &family, ModelShape &shape) {
  const Json *parameters = reader.find(config, "rope_parameters");
  const Json &at =
      parameters && parameters->is_object() && reader.find(*parameters, "partial_rotary_factor") ? *parameters : config;
  double part = reader.positive(at, "partial_rotary_factor").value_or(1);
  if (auto problem = setRotary(shape, family, std::floor(part * shape.headDim)))
    reader.fail("key \"partial_rotary_factor\": " + *problem + "; use another model");
}

/// A list of 1 for layers with rope and 0 for those without, or each how manieth has none.
void readStillLayers(ConfigReader &reader, const Json &config, const Family &family, ModelShape &shape) {
  if (!family.stillEvery)
    return;
  const Json *layers = reader.find(config, "no_rope_layers");
  if (!layers)
    return setStillLayers(shape,
                          reader.whole(config, "no_rope_layer_interval", kMaxLayers).value_or(family.stillEvery));
  if (!layers->is_array() || layers->size() != shape.layers)
    return reader.fail("no_rope_layers", "a list of 0 or 1 for each of " + std::to_string(shape.layers) + " layers");
  for (const Json &turns : *layers) {
    if (turns != 0 && turns != 1)
      return reader.fail("no_rope_layers", "a list of 0 or 1 for each layer");
    shape.isStill.push_back(turns == 0);
  }
}

/// fp32, as converters to GGUF store them.
void readMultipliers(ConfigReader &reader, const Json &config, ModelShape &shape) {
  auto factor = [&](const char *key) { return static_cast<float>(reader.positive(config, key).value_or(1.0)); };
  shape.embeddingFactor = factor("embedding_multiplier");
  shape.residualFactor = factor("residual_multiplier");
  shape.logitsDivisor = factor("logits_scaling");
  shape.scoreFactor = factor("attention_multiplier");
}

/// In newer files of families that have a rope of their own for windows, a map of maps by the kind of layer; null
/// elsewhere.
const Json *ropeOf(ConfigReader &reader, const Json *parameters, const char *layers) {
  const Json *own = parameters && parameters->is_object() ? reader.find(*parameters, layers) : nullptr;
  return own && own->is_object() ? own : nullptr;
}

void readRope(ConfigReader &reader, const Json &config, ModelShape &shape) {
  const Json *scaling = reader.find(config, "rope_scaling"), *parameters = reader.find(config, "rope_parameters");
  const Json *full = ropeOf(reader, parameters, "full_attention"),
             *local = ropeOf(reader, parameters, "sliding_attention");
  if (!scaling)
    scaling = full ? full : parameters; // its newer name
  if (shape.windowRopeBase > 0) {
    shape.windowRopeBase = reader.positive(config, "rope_local_base_freq").value_or(shape.windowRopeBase);
    if (local)
      shape.windowRopeBase = reader.positive(*local, "rope_theta").value_or(shape.windowRopeBase);
  }
  shape.ropeBase = reader.positive(config, "rope_theta").value_or(shape.windowRopeBase > 0 ? 1e6 : 10000.0);
  if (!scaling)
    return;
  if (!scaling->is_object())
    return reader.fail("rope_scaling", "a map of keys");
  shape.ropeBase = reader.positive(*scaling, "rope_theta").value_or(shape.ropeBase);
  std::string type = reader.text(*scaling, "rope_type", reader.text(*scaling, "type", "default"));
  if (type == "default")
    return;
  if ((type == "longrope" || type == "su") && shape.isFused)
    return readLongRope(reader, config, *scaling, shape);
  auto factor = reader.positive(*scaling, "factor");
  if (type != "linear" && type != "llama3")
    return reader.fail("rope_scaling of type " + quote(type) +
                       " is not supported (\"linear\" and \"llama3\" are); use another model");
  if (!factor || *factor < 1.0 / 1024 || *factor > 1024 * 1024)
    return reader.fail("factor", "a number from 1/1024 to 1048576");
  shape.ropeFreqs = true;
  if (type == "linear") {
    shape.ropeScale = *factor;
    return;
  }
  auto low = reader.positive(*scaling, "low_freq_factor"), high = reader.positive(*scaling, "high_freq_factor");
  auto original = reader.whole(*scaling, "original_max_position_embeddings", kMaxContext);
  if (!low || !high || !original || *low >= *high)
    return reader.fail("rope_scaling of type \"llama3\" needs low_freq_factor below high_freq_factor, and "
                       "original_max_position_embeddings; fetch or export the model again");
  shape.llama3 = Llama3Rope{*factor, *low, *high, static_cast<double>(*original)};
}

/// One scheme for all linears, of integers; what tools do to activations is theirs.
void readCompressed(ConfigReader &reader, const Json &quantization, HfConfig &out) {
  const Json *schemes = reader.find(quantization, "config_groups");
  if (!schemes || !schemes->is_object() || schemes->size() != 1 || !schemes->begin()->is_object())
    return reader.fail("config_groups", "a map of one scheme (different ones for different layers are not supported)");
  const Json *weights = reader.find(*schemes->begin(), "weights");
  if (!weights || !weights->is_object())
    return reader.fail("weights of config_groups", "a map of keys");
  std::string form = reader.text(quantization, "format", reader.text(*schemes->begin(), "format")),
              type = reader.text(*weights, "type", "int"), strategy = reader.text(*weights, "strategy", "tensor");
  out.bits = reader.required(*weights, "num_bits", 64);
  bool isPacked = form == "pack-quantized" && (out.bits == 4 || out.bits == 8),
       isCodes = (form == "int-quantized" || form == "naive-quantized") && out.bits == 8;
  if (type != "int" || !(isPacked || isCodes) || (strategy != "group" && strategy != "channel"))
    return reader.fail("compressed-tensors of format " + quote(form) + ", " + std::to_string(out.bits) +
                       " bits, type " + quote(type) + " and strategy " + quote(strategy) +
                       " are not supported (\"pack-quantized\" of 4 or 8 bits and \"int-quantized\" of 8 are, by "
                       "group or channel); use another checkpoint");
  out.format = isPacked ? GroupFormat::Packed : GroupFormat::Codes;
  if (strategy == "group")
    out.groupSize = reader.required(*weights, "group_size", kMaxWidth);
}

/// The keys of GPTQ and AWQ, under their own names and those of AWQ's own file.
void readGroups(ConfigReader &reader, const Json &groups, const std::string &method, HfConfig &out) {
  std::string version = reader.text(groups, "version", "gemm");
  std::ranges::transform(version, version.begin(), [](unsigned char c) { return std::tolower(c); });
  std::string form = reader.text(groups, "checkpoint_format", reader.text(groups, "format", "gptq"));
  if (method == "gptq" && (form == "gptq" || form == "gptq_v2"))
    out.format = form == "gptq_v2" ? GroupFormat::GptqV2 : GroupFormat::Gptq;
  else if (method == "awq" && version == "gemm")
    out.format = GroupFormat::Awq;
  else
    return reader.fail("quantization_config of method " + quote(method) +
                       (method == "awq"    ? ", version " + quote(version) + ","
                        : method == "gptq" ? ", checkpoint_format " + quote(form) + ","
                                           : "") +
                       " is not supported (\"gptq\", \"awq\" of version \"gemm\", and \"compressed-tensors\" are); "
                       "use another checkpoint");
  const char *bitsKey = reader.find(groups, "w_bit") ? "w_bit" : "bits",
             *sizeKey = reader.find(groups, "q_group_size") ? "q_group_size" : "group_size";
  if (auto bits = reader.required(groups, bitsKey, 64); bits != 4)
    reader.fail("quantization_config has " + std::to_string(bits) +
                " bits, only 4 are supported; use another checkpoint");
  const Json *size = reader.find(groups, sizeKey);
  if (size && size->is_number_integer() && size->get<std::int64_t>() == -1)
    return;
  auto given = reader.whole(groups, sizeKey, kMaxWidth);
  if (!given && !reader.error)
    reader.fail(sizeKey, "a number of inputs that share a scale, or -1 for all of a row");
  out.groupSize = given.value_or(0);
}

void readQuantization(ConfigReader &reader, const Json &config, HfConfig &out) {
  const Json *quantization = reader.find(config, "quantization_config"), *mlx = reader.find(config, "quantization");
  std::string method = quantization && quantization->is_object() ? reader.text(*quantization, "quant_method") : "";
  if (mlx && method.empty())
    return reader.fail("key \"quantization\" is that of MLX, whose packed matrices are not read; take the model it was "
                       "converted from, or undo it with mlx_lm.convert --dequantize");
  if (!quantization)
    return;
  if (!quantization->is_object())
    return reader.fail("quantization_config", "a map of keys");
  out.namesQuantization = true;
  if (method == "compressed-tensors")
    return readCompressed(reader, *quantization, out);
  readGroups(reader, *quantization, method, out);
}

/// A token id, or a list of them.
std::vector<std::int32_t> tokenIds(ConfigReader &reader, const Json &config, const char *key,
                                   std::uint32_t vocabulary) {
  std::vector<std::int32_t> out;
  const Json *value = reader.find(config, key);
  for (const Json &id : !value ? Json::array() : value->is_array() ? *value : Json::array({*value})) {
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() >= vocabulary)
      return reader.fail(key, "a token id below " + std::to_string(vocabulary)), out;
    out.push_back(id.get<std::int32_t>());
  }
  return out;
}

/// The text model of a Gemma 3 that sees. Its files leave out what is usual among them (transformers,
/// Gemma3TextConfig).
Json gemmaText(const Json &config) {
  Json text = {{"vocab_size", 262208},    {"num_attention_heads", 8}, {"num_key_value_heads", 4},
               {"head_dim", 256},         {"rms_norm_eps", 1e-6},     {"max_position_embeddings", 131072},
               {"rope_theta", 1000000.0}, {"sliding_window", 4096},   {"query_pre_attn_scalar", 256}};
  text.update(config);
  if (config["text_config"].is_object())
    text.update(config["text_config"]);
  text["model_type"] = "gemma3_text";
  return text;
}

} // namespace

Result<HfConfig> parseHfConfig(std::string_view text, const std::string &path) {
  auto parsed = parseJson(text, path);
  if (!parsed)
    return parsed.error();
  if (!parsed->is_object())
    return Error{path, "must be a map of keys; fetch or export the model again"};
  HfConfig out;
  out.hasVision = parsed->value("model_type", Json()) == "gemma3" && parsed->contains("text_config");
  const Json config = out.hasVision ? gemmaText(*parsed) : *parsed;
  ConfigReader reader(path);
  const Family *family = readArchitecture(reader, config, out.shape);
  readSizes(reader, config, out.shape);
  out.namesTied = reader.find(config, "tie_word_embeddings") != nullptr;
  if (reader.error)
    return *reader.error;
  readRotary(reader, config, *family, out.shape);
  readStillLayers(reader, config, *family, out.shape);
  readWindow(reader, config, *family, out.shape);
  if (family->gatesByGelu)
    readCaps(reader, config, *family, out.shape);
  setFactors(out.shape, *family);
  if (auto scalar = reader.positive(config, "query_pre_attn_scalar");
      scalar && family->gatesByGelu && *scalar != out.shape.headDim)
    out.shape.scoreFactor = 1 / std::sqrt(*scalar);
  if (family->multiplies)
    readMultipliers(reader, config, out.shape);
  readRope(reader, config, out.shape);
  readQuantization(reader, config, out);
  auto begins = tokenIds(reader, config, "bos_token_id", out.shape.vocabulary);
  out.bos = begins.empty() ? -1 : begins.front();
  out.ends = tokenIds(reader, config, "eos_token_id", out.shape.vocabulary);
  out.eos = out.ends.empty() ? -1 : out.ends.front();
  if (reader.error)
    return *reader.error;
  return out;
}

Status parseQuantizeConfig(std::string_view text, const std::string &path, HfConfig &config) {
  auto parsed = parseJson(text, path);
  if (!parsed)
    return parsed.error();
  if (!parsed->is_object())
    return Error{path, "must be a map of keys; fetch or export the model again"};
  ConfigReader reader(path);
  const char *usual = reader.find(*parsed, "w_bit") ? "awq" : "gptq";
  readGroups(reader, *parsed, reader.text(*parsed, "quant_method", usual), config);
  return reader.error ? Status(*reader.error) : Status(Ok{});
}

} // namespace lpu::compiler
