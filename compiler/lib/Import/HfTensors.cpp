// Tensors of a Hugging Face folder: plain ones in F32, F16 or BF16, and matrices
// of 4-bit integers with a scale and a zero point per group of inputs, as GPTQ and
// AWQ tools write them. w = (q - zero) · scale is exact in fp32: five bits times
// the eleven of a half.

#include "HfPacked.h"
#include "ModelFile.h"
#include "ModelTensors.h"
#include "lpu/compiler/Import/GgufFile.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

namespace lpu::compiler {
namespace {

namespace fs = std::filesystem;

/// A matrix as the model sees it: its values, or what they are made of.
struct Matrix {
  std::uint32_t rows = 0, cols = 0;
  Located plain;
  std::optional<PackedMatrix> packed;
};

class HfSource : public WeightSource {
public:
  HfSource(std::string folderPath, const HfConfig &modelConfig) : folder(std::move(folderPath)), config(modelConfig) {}

  Status open();
  bool isTied() const { return config.shape.tied; }
  std::pair<std::uint32_t, std::uint32_t> dimensions(std::string_view name) const override {
    auto it = matrices.find(name);
    return it == matrices.end() ? std::pair<std::uint32_t, std::uint32_t>{0, 0}
                                : std::pair{it->second.rows, it->second.cols};
  }
  std::string typeName(std::string_view name) const override {
    auto it = matrices.find(name);
    return it == matrices.end() ? ""
           : it->second.plain   ? it->second.plain.tensor->typeName
                                : it->second.packed->typeName();
  }
  Status readRow(std::string_view name, std::uint32_t row, std::span<float> out) const override;

private:
  Status openFiles();
  Result<std::vector<std::string>> fileNames(std::map<std::string, std::string> &placement) const;
  Status addMatrix(const TensorShape &expected);
  Status addPlain(Matrix &matrix, const Located &found);
  void useUsualNames();
  Status expectNoOthers() const;
  /// Finds a tensor and notes that the model uses it.
  Located take(const std::string &name);

  std::string folder;
  HfConfig config;
  std::vector<std::shared_ptr<const SafetensorsFile>> files;
  std::map<std::string, Located, std::less<>> located;
  std::set<std::string> used;
  std::map<std::string, Matrix, std::less<>> matrices; ///< by the compiler's names
};

/// The index, if there is one, tells the files and which tensor is where; else every *.safetensors is read.
Result<std::vector<std::string>> HfSource::fileNames(std::map<std::string, std::string> &placement) const {
  std::string index = folder + "/model.safetensors.index.json";
  std::set<std::string> names;
  if (!fs::exists(index)) {
    std::error_code failed;
    for (const auto &entry : fs::directory_iterator(folder, failed))
      if (entry.path().extension() == ".safetensors")
        names.insert(entry.path().filename());
    bool hasAny = !names.empty();
    std::erase_if(names, isBesideModel);
    if (failed || !hasAny)
      return Error{folder, "holds no *.safetensors file; give a folder with config.json and its weights"};
    if (names.empty())
      return Error{folder, "holds the weights only as their authors named them (consolidated) or an adapter; fetch "
                           "model.safetensors, too"};
    if (names.contains("model.safetensors"))
      return std::vector<std::string>{"model.safetensors"};
    return std::vector(names.begin(), names.end());
  }
  auto file = MappedFile::open(index);
  if (!file)
    return file.error();
  auto json = nlohmann::json::parse((*file)->bytes().begin(), (*file)->bytes().end(), nullptr, false);
  if (!json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object())
    return Error{index, "is not an index with a \"weight_map\"; fetch or export the model again"};
  for (const auto &[tensor, name] : json["weight_map"].items()) {
    if (!name.is_string() || name.get<std::string>().find('/') != std::string::npos || name.get<std::string>().empty())
      return Error{index,
                   "tensor " + quote(tensor) + " must be in a file of the folder; fetch or export the model again"};
    names.insert(placement[tensor] = name);
  }
  return std::vector(names.begin(), names.end());
}

Status HfSource::openFiles() {
  std::map<std::string, std::string> placement;
  auto names = fileNames(placement);
  if (!names)
    return names.error();
  for (const std::string &name : *names) {
    auto file = SafetensorsFile::open(folder + "/" + name);
    if (!file)
      return file.error();
    files.push_back(*file);
    for (const SafetensorsTensor &tensor : (*file)->tensors())
      if (!located.try_emplace(tensor.name, Located{file->get(), &tensor}).second)
        return Error{(*file)->path(),
                     "tensor " + quote(tensor.name) + " is in another file of the folder as well; remove one of them"};
  }
  for (const auto &[tensor, name] : placement)
    if (auto it = located.find(tensor); it == located.end() || fs::path(it->second.file->path()).filename() != name)
      return Error{folder + "/" + name,
                   "tensor " + quote(tensor) + " is missing, which the index places here; fetch the model again"};
  return Ok{};
}

Located HfSource::take(const std::string &name) {
  auto it = located.find(name);
  if (it == located.end())
    return {};
  used.insert(name);
  return it->second;
}

Status HfSource::addPlain(Matrix &matrix, const Located &found) {
  if (!isFloat(found.tensor->type))
    return damaged(found, "is of type " + found.tensor->typeName + ", not supported (F32, F16 and BF16 are)");
  if (!found.tensor->hasShape(matrix.rows, matrix.cols))
    return damaged(found, "must have the shape [" + std::to_string(matrix.rows) + ", " + std::to_string(matrix.cols) +
                              "] that config.json gives it");
  matrix.plain = found;
  return Ok{};
}

Status HfSource::addMatrix(const TensorShape &expected) {
  Matrix matrix{expected.rows, expected.cols, {}, {}};
  std::string name = hfName(expected.name, config.shape), stem = name.substr(0, name.rfind('.'));
  auto hasPart = [&](const char *part) { return located.contains(stem + part); };
  // A bias has the stem of its matrix and is never packed.
  bool isPacked =
      name.ends_with(".weight") && (hasPart(".qweight") || hasPart(".weight_packed") || hasPart(".weight_scale"));
  if (isPacked && config.format == GroupFormat::None)
    return Error{folder,
                 "tensor " + quote(stem) +
                     " is quantized, and neither config.json nor quantize_config.json says how; fetch or export "
                     "the model again"};
  if (isPacked) {
    auto take = [&](const std::string &part) { return this->take(part); };
    if (Status ok = matrix.packed.emplace().open(config, folder, stem, matrix.rows, matrix.cols, take); !ok)
      return ok;
  } else if (Located found = take(name); !found) {
    return Error{folder, "tensor " + quote(name) + " is missing; fetch or export the model again"};
  } else if (Status ok = addPlain(matrix, found); !ok) {
    return ok;
  }
  matrices.emplace(expected.name, std::move(matrix));
  return Ok{};
}

/// What else may be there: what sees, frequencies rope implies, a copy of tied embeddings, and biases that are all
/// zero.
Status HfSource::expectNoOthers() const {
  for (const auto &[name, at] : located) {
    if (used.contains(name) || name.ends_with("rotary_emb.inv_freq") || (config.shape.tied && name == "lm_head.weight"))
      continue;
    if (config.hasVision &&
        (name.find("vision_tower.") != std::string::npos || name.find("multi_modal_projector.") != std::string::npos))
      continue;
    bool isZero = name.ends_with(".bias");
    for (std::uint8_t byte : isZero ? at.file->data(*at.tensor) : std::span<const std::uint8_t>())
      isZero &= byte == 0;
    if (!isZero)
      return Error{at.file->path(), "tensor " + quote(name) + " is not part of the supported " +
                                        config.shape.architecture + " architecture of " +
                                        std::to_string(config.shape.layers) + " layers; use another model"};
  }
  return Ok{};
}

/// Some export the model without its head, or inside of another module: all names then begin in another way. That of
/// the embedding tells it.
void HfSource::useUsualNames() {
  constexpr std::string_view kEmbedding = "embed_tokens.weight", kUsual = "model.", kHead = "lm_head.";
  auto embedding = std::ranges::find_if(located, [&](const auto &entry) { return entry.first.ends_with(kEmbedding); });
  if (embedding == located.end() || embedding->first == std::string(kUsual) + std::string(kEmbedding))
    return;
  std::string prefix = embedding->first.substr(0, embedding->first.size() - kEmbedding.size());
  std::map<std::string, Located, std::less<>> renamed;
  for (const auto &[name, at] : located) {
    std::size_t head = name.find(kHead);
    bool isHead = head != std::string::npos && (head == 0 || name[head - 1] == '.');
    renamed.emplace(isHead                     ? name.substr(head)
                    : name.starts_with(prefix) ? std::string(kUsual) + name.substr(prefix.size())
                                               : name,
                    at);
  }
  located = std::move(renamed);
}

Status HfSource::open() {
  if (Status ok = openFiles(); !ok)
    return ok;
  useUsualNames();
  bool hasHead = std::ranges::any_of(located, [](const auto &entry) { return entry.first.starts_with("lm_head."); });
  config.shape.tied |= !config.namesTied && !hasHead;
  for (const TensorShape &expected : modelTensors(config.shape, TensorsOf::Source))
    if (Status ok = addMatrix(expected); !ok)
      return ok;
  return expectNoOthers();
}

Status HfSource::readRow(std::string_view name, std::uint32_t row, std::span<float> out) const {
  const Matrix &matrix = matrices.find(name)->second;
  if (matrix.plain) {
    matrix.plain.file->decode(*matrix.plain.tensor, std::uint64_t{row} * matrix.cols, out);
  } else {
    matrix.packed->readRow(row, out);
  }
  if (config.shape.gainsFromOne && name.find("norm") != std::string_view::npos)
    for (float &gain : out)
      gain += 1;
  auto bad = std::ranges::find_if(out, [](float v) { return !std::isfinite(v); });
  if (bad == out.end())
    return Ok{};
  return damaged(matrix.plain ? matrix.plain : matrix.packed->scalesAt(), "makes value [" + std::to_string(row) + ", " +
                                                                              std::to_string(bad - out.begin()) + "] " +
                                                                              (std::isnan(*bad) ? "NaN" : "infinite"));
}

} // namespace

std::string hfName(std::string_view name, const ModelShape &shape) {
  static const std::map<std::string_view, std::string_view> kNames = {
      {"token_embd", "model.embed_tokens"},
      {"output_norm", "model.norm"},
      {"output", "lm_head"},
      {"attn_norm", "input_layernorm"},
      {"attn_q", "self_attn.q_proj"},
      {"attn_k", "self_attn.k_proj"},
      {"attn_v", "self_attn.v_proj"},
      {"attn_qkv", "self_attn.qkv_proj"},
      {"attn_q_norm", "self_attn.q_norm"},
      {"attn_k_norm", "self_attn.k_norm"},
      {"attn_output", "self_attn.o_proj"},
      {"ffn_norm", "post_attention_layernorm"},
      {"post_attention_norm", "post_attention_layernorm"},
      {"post_ffw_norm", "post_feedforward_layernorm"},
      {"ffn_gate", "mlp.gate_proj"},
      {"ffn_up", "mlp.up_proj"},
      {"ffn_down", "mlp.down_proj"}};
  std::string prefix;
  if (name.starts_with("blk.")) {
    std::size_t dot = name.find('.', 4);
    prefix = "model.layers." + std::string(name.substr(4, dot - 3));
    name.remove_prefix(dot + 1);
  }
  std::size_t dot = name.rfind('.');
  std::string_view part = name.substr(0, dot);
  std::string_view known = shape.isFused && part == "ffn_up"          ? "mlp.gate_up_proj"
                           : shape.hasPostNorms && part == "ffn_norm" ? "pre_feedforward_layernorm"
                                                                      : kNames.at(part);
  return prefix + std::string(known) + std::string(name.substr(dot));
}

Result<std::unique_ptr<const WeightSource>> openHfTensors(const std::string &folder, HfConfig &config) {
  auto source = std::make_unique<HfSource>(folder, config);
  if (Status ok = source->open(); !ok)
    return ok.error();
  config.shape.tied = source->isTied();
  return std::unique_ptr<const WeightSource>(std::move(source));
}

} // namespace lpu::compiler
