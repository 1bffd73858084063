// Architectures in GGUF terms: the keys they need, the tensors they consist of and
// how their shapes follow from the keys. Anything the compiler would have to
// ignore (other biases, experts, YaRN) is an error, never silently dropped.

#include "LlamaModel.h"

#include "ModelTensors.h"
#include "lpu/text/PreTokenizers.h"
#include "lpu/text/Tokenizer.h"

#include <algorithm>
#include <cmath>

namespace lpu::compiler {
namespace {

/// Reads one key after another and keeps the first error.
class KeyReader {
public:
  explicit KeyReader(const GgufFile &gguf) : file(gguf) {}

  /// keys.of("block_count"): keys of a model begin with its architecture.
  std::string of(const std::string &key) const { return architecture + "." + key; }

  std::uint32_t required(const std::string &key, std::uint64_t max) {
    auto value = optional(key, max);
    if (!value)
      fail("key " + quote(key) + " is missing; export the file again");
    return value.value_or(0);
  }
  std::optional<std::uint32_t> optional(const std::string &key, std::uint64_t max) {
    auto value = take(file.unsignedValue(key, max));
    if (value && *value == 0)
      fail("key " + quote(key) + " is 0, at least 1 is needed; export the file again");
    return value ? std::optional<std::uint32_t>(static_cast<std::uint32_t>(*value)) : std::nullopt;
  }
  /// A positive finite number.
  std::optional<double> positive(const std::string &key) {
    auto value = take(file.floatValue(key));
    if (value && !(*value > 0 && std::isfinite(*value)))
      fail("key " + quote(key) + " is " + std::to_string(*value) +
           ", a positive number is needed; export the file again");
    return value;
  }
  template <typename T> std::optional<T> take(Result<std::optional<T>> value) {
    if (value)
      return std::move(*value);
    if (!error)
      error = value.error();
    return std::nullopt;
  }
  void fail(const std::string &message) {
    if (!error)
      error = Error{file.path(), message};
  }

  const GgufFile &file;
  std::string architecture;
  std::optional<Error> error;
};

/// GGUF files also hold what goes with a model.
void expectModel(KeyReader &keys) {
  const std::string kind(keys.take(keys.file.stringValue("general.type")).value_or("model"));
  if (kind == "adapter")
    keys.fail("is an adapter (LoRA), changes to a model that is elsewhere; merge it into that model "
              "(llama.cpp: llama-export-lora) and give the result");
  else if (kind == "mmproj")
    keys.fail("is the part of a model that reads images or sound (mmproj); give the file of its language model");
  else if (kind != "model")
    keys.fail("key \"general.type\" is " + quote(kind) + ", not \"model\"; give the model's file");
}

const Family *readArchitecture(KeyReader &keys, ModelShape &shape) {
  if (expectModel(keys); keys.error)
    return nullptr;
  auto architecture = keys.take(keys.file.stringValue("general.architecture"));
  if (!architecture)
    return keys.fail("key \"general.architecture\" is missing; export the file again"), nullptr;
  shape.architecture = keys.architecture = *architecture;
  const Family *family = applyFamily(shape);
  if (family)
    shape.ropeHalves = family->pairsHalves;
  else
    keys.fail("architecture " + quote(*architecture) + " is not supported (" + supportedArchitectures() +
              "); use another model");
  return family;
}

/// Linear scaling divides positions by a factor. A factor without a type means linear; type "none" disregards it.
double readRopeScale(KeyReader &keys) {
  // Beyond these no model was trained, and rope's divisors, which are fp32, would overflow.
  constexpr double kLeast = 1.0 / 1024, kMost = 1024 * 1024;
  auto type = keys.take(keys.file.stringValue(keys.of("rope.scaling.type")));
  if (type && *type == "none")
    return 1;
  if (type && *type != "linear")
    keys.fail("key " + quote(keys.of("rope.scaling.type")) + " is " + quote(*type) +
              "; only \"none\" and \"linear\" are supported, use a model with one of these");
  auto factor = keys.positive(keys.of("rope.scaling.factor"));
  if (!factor)
    factor = keys.positive(keys.of("rope.scale_linear")); // the key's name before scaling had types
  if (type && !factor)
    keys.fail("key " + quote(keys.of("rope.scaling.factor")) +
              " is missing, which linear rope scaling needs; export the file again");
  if (factor && (*factor < kLeast || *factor > kMost))
    keys.fail("the factor of linear rope scaling is " + std::to_string(*factor) +
              ", out of range (1/1024 to 1048576); export the file again");
  return factor.value_or(1);
}

void readRotary(KeyReader &keys, const Family &family, ModelShape &shape) {
  auto dims = keys.optional(keys.of("rope.dimension_count"), kMaxWidth);
  if (!dims || keys.error)
    return;
  if (auto problem = setRotary(shape, family, *dims))
    keys.fail("key " + quote(keys.of("rope.dimension_count")) + " is " + std::to_string(*dims) +
              ", expected the head's width " + std::to_string(shape.headDim) + ": " + *problem + "; use another model");
}

void readMultipliers(KeyReader &keys, ModelShape &shape) {
  auto factor = [&](const char *key) { return keys.positive(keys.of(key)).value_or(1.0); };
  shape.embeddingFactor = factor("embedding_scale");
  shape.residualFactor = factor("residual_scale");
  shape.logitsDivisor = factor("logit_scale");
  shape.scoreFactor = keys.positive(keys.of("attention.scale")).value_or(0.0);
}

/// A window of 0 positions stands for none.
void readWindow(KeyReader &keys, const Family &family, ModelShape &shape) {
  auto window = keys.take(keys.file.unsignedValue(keys.of("attention.sliding_window"), UINT32_MAX));
  if (family.windowedBut && !window.value_or(0))
    keys.fail("key " + quote(keys.of("attention.sliding_window")) + " is missing; export the file again");
  setWindows(shape, static_cast<std::uint32_t>(window.value_or(0)), family.windowedBut);
  if (family.windowRopeBase > 0)
    shape.windowRopeBase = keys.positive(keys.of("rope.freq_base_swa")).value_or(family.windowRopeBase);
  if (family.scoreCap > 0)
    shape.scoreCap = keys.positive(keys.of("attn_logit_softcapping")).value_or(family.scoreCap);
  if (family.logitsCap > 0)
    shape.logitsCap = keys.positive(keys.of("final_logit_softcapping")).value_or(family.logitsCap);
}

/// Divisors for contexts up to that of the first training, and others beyond.
void readLongRope(KeyReader &keys, const GgufParts &parts, ModelShape &shape) {
  shape.ropeMagnitude = keys.positive(keys.of("rope.scaling.attn_factor")).value_or(1.0);
  if (!parts.findTensor(kShortFactors))
    return;
  shape.original = keys.required(keys.of("rope.scaling.original_context_length"), kMaxContext);
  if (!parts.findTensor(kLongFactors))
    shape.context = std::min(shape.context, shape.original);
  shape.ropeFreqs = true;
}

void checkHeads(KeyReader &keys, ModelShape &shape) {
  auto keyLength = keys.optional(keys.of("attention.key_length"), kMaxWidth);
  auto valueLength = keys.optional(keys.of("attention.value_length"), kMaxWidth);
  if (keys.error)
    return;
  if (!keyLength && shape.hidden % shape.heads)
    return keys.fail("key " + quote(keys.of("embedding_length")) + " is " + std::to_string(shape.hidden) +
                     ", not divisible by " + std::to_string(shape.heads) + " heads, and there is no " +
                     quote(keys.of("attention.key_length")) + "; export the file again");
  shape.headDim = keyLength.value_or(shape.hidden / shape.heads);
  if (valueLength && *valueLength != shape.headDim)
    keys.fail("key " + quote(keys.of("attention.value_length")) + " is " + std::to_string(*valueLength) +
              ", expected the key length " + std::to_string(shape.headDim) + "; other shapes are not supported");
  if (shape.heads % shape.kvHeads)
    keys.fail("key " + quote(keys.of("attention.head_count_kv")) + " is " + std::to_string(shape.kvHeads) +
              ", which does not divide the " + std::to_string(shape.heads) + " heads; export the file again");
  if (shape.headDim % 2)
    keys.fail("heads are " + std::to_string(shape.headDim) + " wide, rope needs an even width; export the file again");
  if (std::uint64_t{shape.heads} * shape.headDim > kMaxWidth)
    keys.fail(std::to_string(shape.heads) + " heads of " + std::to_string(shape.headDim) + " pass the largest width " +
              std::to_string(kMaxWidth) + "; use a smaller model");
}

/// Checks one tensor's shape: vectors have rows = 1.
Status expectTensor(const GgufParts &parts, const std::string &name, std::uint64_t rows, std::uint64_t cols) {
  const GgufFile &file = parts.first();
  const GgufTensor *tensor = parts.findTensor(name);
  if (!tensor)
    return Error{file.path(), "tensor " + quote(name) + " is missing; export the file again"};
  if (tensor->rows == rows && tensor->cols == cols)
    return Ok{};
  return Error{file.path(), "tensor " + quote(name) + ": found shape [" + std::to_string(tensor->rows) + ", " +
                                std::to_string(tensor->cols) + "], expected [" + std::to_string(rows) + ", " +
                                std::to_string(cols) + "] from the file's hyperparameters; export the file again"};
}

/// The table must hold nothing beyond the `known` tensors already found: name one that is not among them.
Status expectNoOthers(const GgufParts &parts, const ModelShape &shape) {
  std::vector<TensorShape> ofLayer = layerTensors(shape, TensorsOf::Source);
  bool hasFactors = shape.isFused && parts.findTensor(kShortFactors);
  for (const auto &[view, at] : parts.tensors()) {
    std::string name(view);
    bool known = name == "token_embd.weight" || name == "output_norm.weight" || name == "output.weight" ||
                 name == "rope_freqs.weight" || (hasFactors && (name == kShortFactors || name == kLongFactors));
    if (!known && name.starts_with("blk.")) {
      std::size_t dot = name.find('.', 4);
      bool inRange = dot != std::string::npos && dot < 10 &&
                     std::to_string(std::atoi(name.c_str() + 4)) == name.substr(4, dot - 4) &&
                     std::atoi(name.c_str() + 4) < static_cast<int>(shape.layers);
      for (const TensorShape &expected : ofLayer)
        known |= inRange && name.substr(dot + 1) == expected.name;
    }
    if (!known)
      return Error{at.file->path(), "tensor " + quote(name) + " is not part of the supported " + shape.architecture +
                                        " architecture of " + std::to_string(shape.layers) + " layers (no " +
                                        (shape.hasBias ? "other " : "") + "biases, no experts); use another model"};
  }
  return Ok{};
}

} // namespace

Result<ModelShape> readShape(const GgufParts &parts) {
  const GgufFile &file = parts.first();
  KeyReader keys(file);
  ModelShape shape;
  const Family *family = readArchitecture(keys, shape);
  if (keys.error)
    return *keys.error;
  shape.name = std::string(keys.take(file.stringValue("general.name")).value_or(shape.architecture));
  shape.layers = keys.required(keys.of("block_count"), kMaxLayers);
  shape.hidden = keys.required(keys.of("embedding_length"), kMaxWidth);
  shape.ffn = keys.required(keys.of("feed_forward_length"), kMaxWidth);
  shape.heads = keys.required(keys.of("attention.head_count"), kMaxWidth);
  shape.kvHeads = keys.optional(keys.of("attention.head_count_kv"), kMaxWidth).value_or(shape.heads);
  shape.context = keys.required(keys.of("context_length"), kMaxContext);
  auto eps = keys.positive(keys.of("attention.layer_norm_rms_epsilon"));
  if (!eps)
    keys.fail("key " + quote(keys.of("attention.layer_norm_rms_epsilon")) + " is missing; export the file again");
  shape.eps = static_cast<float>(eps.value_or(0));
  shape.ropeBase = keys.positive(keys.of("rope.freq_base")).value_or(10000.0);
  auto experts = keys.take(file.unsignedValue(keys.of("expert_count"), UINT32_MAX));
  if (experts.value_or(0) > 0)
    keys.fail("key " + quote(keys.of("expert_count")) + " is " + std::to_string(*experts) +
              "; mixtures of experts are not supported, use a dense model");
  checkHeads(keys, shape);
  readRotary(keys, *family, shape);
  readLongRope(keys, parts, shape);
  setStillLayers(shape, family->stillEvery);
  readWindow(keys, *family, shape);
  setFactors(shape, *family);
  if (family->multiplies)
    readMultipliers(keys, shape);
  shape.ropeScale = readRopeScale(keys);
  const GgufTensor *embedding = parts.findTensor("token_embd.weight");
  if (!embedding)
    keys.fail("tensor \"token_embd.weight\" is missing; export the file again");
  else if (embedding->rows > kMaxVocabulary)
    keys.fail("tensor \"token_embd.weight\" has " + std::to_string(embedding->rows) + " rows, at most " +
              std::to_string(kMaxVocabulary) + " tokens are supported; use another model");
  shape.vocabulary = embedding ? static_cast<std::uint32_t>(embedding->rows) : 0;
  auto vocabulary = keys.optional(keys.of("vocab_size"), UINT32_MAX);
  if (vocabulary && *vocabulary != shape.vocabulary)
    keys.fail("key " + quote(keys.of("vocab_size")) + " is " + std::to_string(*vocabulary) +
              ", but \"token_embd.weight\" has " + std::to_string(shape.vocabulary) + " rows; export the file again");
  shape.tied = !parts.findTensor("output.weight");
  shape.ropeFreqs |= parts.findTensor("rope_freqs.weight") || shape.ropeScale != 1;
  if (keys.error)
    return *keys.error;
  return shape;
}

Status checkTensors(const GgufParts &parts, const ModelShape &shape) {
  for (const TensorShape &expected : modelTensors(shape, TensorsOf::Source))
    if (Status ok = expectTensor(parts, expected.name, expected.rows, expected.cols); !ok)
      return ok;
  for (std::string name : {"rope_freqs.weight", kShortFactors, kLongFactors})
    if (parts.findTensor(name))
      if (Status ok = expectTensor(parts, name, 1, (shape.rotary ? shape.rotary : shape.headDim) / 2); !ok)
        return ok;
  return expectNoOthers(parts, shape);
}

namespace {

/// SentencePiece vocabularies begin with unknown, BOS, EOS unless the file says otherwise; others have no such custom.
void readTokenIds(KeyReader &keys, const ModelShape &shape, isa::Tokenizer &out) {
  auto id = [&](const char *key, std::int64_t usual) -> std::int32_t {
    auto value = keys.take(keys.file.unsignedValue(key, UINT32_MAX));
    if (value && *value >= shape.vocabulary)
      keys.fail("key " + quote(key) + " is " + std::to_string(*value) + ", beyond the vocabulary of " +
                std::to_string(shape.vocabulary) + "; export the file again");
    if (value)
      return static_cast<std::int32_t>(*value);
    return out.model == "llama" && usual < std::int64_t{shape.vocabulary} ? static_cast<std::int32_t>(usual) : -1;
  };
  out.bos = id("tokenizer.ggml.bos_token_id", 1);
  out.eos = id("tokenizer.ggml.eos_token_id", 2);
  out.unknown = id("tokenizer.ggml.unknown_token_id", 0);
  for (const char *key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"})
    if (std::int32_t end = id(key, -1); end >= 0)
      out.ends.push_back(end);
}

/// Whether a prompt begins with BOS, where no key says so, depends on how the vocabulary splits text.
void readSplitting(KeyReader &keys, isa::Tokenizer &out) {
  const bool isSentencePiece = out.model == "llama";
  bool addsBos = isSentencePiece;
  if (!isSentencePiece) {
    out.pre = std::string(keys.take(keys.file.stringValue("tokenizer.ggml.pre")).value_or("default"));
    const text::NamedPreTokenizer *named = text::findPreTokenizer(out.pre);
    if (!named)
      keys.fail("key \"tokenizer.ggml.pre\" is " + quote(out.pre) + ", a pre-tokenizer that is not known (" +
                text::preTokenizerNames() +
                " are); give it the name of one that splits alike (gguf-new-metadata --pre-tokenizer NAME)");
    addsBos = named && named->addsBos;
  }
  out.addBos = keys.take(keys.file.boolValue("tokenizer.ggml.add_bos_token")).value_or(addsBos);
  out.addSpacePrefix = keys.take(keys.file.boolValue("tokenizer.ggml.add_space_prefix")).value_or(isSentencePiece);
}

void checkCount(KeyReader &keys, const char *key, std::size_t found, std::size_t expected) {
  if (found != expected)
    keys.fail("key " + quote(key) + " has " + std::to_string(found) +
              " elements, expected one per token of the vocabulary, " + std::to_string(expected) +
              "; export the file again");
}

} // namespace

Result<isa::Tokenizer> readTokenizer(const GgufFile &file, const ModelShape &shape) {
  isa::Tokenizer out;
  KeyReader keys(file);
  out.model = std::string(keys.take(file.stringValue("tokenizer.ggml.model")).value_or("none"));
  if (keys.error)
    return *keys.error;
  if (out.model == "none" || out.model == "no_vocab") {
    out.model = "none";
    return out;
  }
  if (out.model != "llama" && out.model != "gpt2")
    return Error{file.path(), "key \"tokenizer.ggml.model\" is " + quote(out.model) +
                                  ", not supported (\"llama\" and \"gpt2\" are); use another model"};
  bool sentencePiece = out.model == "llama";
  out.tokens =
      keys.take(file.stringArray("tokenizer.ggml.tokens", kMaxVocabulary)).value_or(std::vector<std::string>());
  checkCount(keys, "tokenizer.ggml.tokens", out.tokens.size(), shape.vocabulary);
  out.scores = keys.take(file.floatArray("tokenizer.ggml.scores", kMaxVocabulary)).value_or(std::vector<float>());
  if (sentencePiece || !out.scores.empty())
    checkCount(keys, "tokenizer.ggml.scores", out.scores.size(), shape.vocabulary);
  out.types =
      keys.take(file.intArray("tokenizer.ggml.token_type", kMaxVocabulary)).value_or(std::vector<std::int32_t>());
  if (!out.types.empty())
    checkCount(keys, "tokenizer.ggml.token_type", out.types.size(), shape.vocabulary);
  out.merges =
      keys.take(file.stringArray("tokenizer.ggml.merges", kMaxVocabulary)).value_or(std::vector<std::string>());
  if (!sentencePiece && out.merges.empty())
    keys.fail("key \"tokenizer.ggml.merges\" is missing, which tokenizer \"gpt2\" needs; export the file again");
  readTokenIds(keys, shape, out);
  readSplitting(keys, out);
  out.chatTemplate = std::string(keys.take(file.stringValue("tokenizer.chat_template")).value_or(""));
  if (keys.error)
    return *keys.error;
  if (auto usable = text::Tokenizer::create(out); !usable)
    return Error{file.path(), usable.error().message + "; export the file again"};
  return out;
}

} // namespace lpu::compiler
