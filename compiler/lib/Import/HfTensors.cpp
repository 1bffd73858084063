// Tensors of a Hugging Face folder: plain ones in F32, F16 or BF16, and matrices
// of 4-bit integers with a scale and a zero point per group of inputs, as GPTQ and
// AWQ tools write them. w = (q - zero) · scale is exact in fp32: five bits times
// the eleven of a half.

#include "HuggingFace.h"
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

/// A tensor and the file it is in.
struct Located {
  const SafetensorsFile *file = nullptr;
  const SafetensorsTensor *tensor = nullptr;
  explicit operator bool() const { return tensor; }
  std::uint32_t word(std::uint64_t index) const {
    std::uint32_t value;
    std::memcpy(&value, file->data(*tensor).data() + 4 * index, 4);
    return value;
  }
};

/// A matrix as the model sees it: its values, or what they are made of.
struct Matrix {
  std::uint32_t rows = 0, cols = 0;
  Located plain;
  Located words, zeros, scales;      ///< 4-bit groups
  std::vector<std::uint32_t> groups; ///< 4-bit groups: the group of each column
};

Error damaged(const Located &at, const std::string &what) {
  return {at.file->path(), "tensor " + quote(at.tensor->name) + " " + what + "; fetch or export the model again"};
}

bool isFloat(SafetensorsType type) {
  return type == SafetensorsType::F32 || type == SafetensorsType::F16 || type == SafetensorsType::BF16;
}

class HfSource : public WeightSource {
public:
  HfSource(std::string folderPath, const HfConfig &modelConfig) : folder(std::move(folderPath)), config(modelConfig) {}

  Status open();
  std::pair<std::uint32_t, std::uint32_t> dimensions(std::string_view name) const override {
    auto it = matrices.find(name);
    return it == matrices.end() ? std::pair<std::uint32_t, std::uint32_t>{0, 0}
                                : std::pair{it->second.rows, it->second.cols};
  }
  std::string typeName(std::string_view name) const override {
    auto it = matrices.find(name);
    return it == matrices.end()                ? ""
           : it->second.plain                  ? it->second.plain.tensor->typeName
           : config.format == GroupFormat::Awq ? "AWQ"
                                               : "GPTQ";
  }
  Status readRow(std::string_view name, std::uint32_t row, std::span<float> out) const override;

private:
  Status openFiles();
  Result<std::vector<std::string>> fileNames(std::map<std::string, std::string> &placement) const;
  Status addMatrix(const TensorShape &expected);
  Status addPlain(Matrix &matrix, const Located &found);
  Status addGroups(Matrix &matrix, const std::string &stem);
  Result<std::vector<std::uint32_t>> groupsOf(const Matrix &matrix, const std::string &stem, std::uint32_t count);
  Status expectNoOthers() const;
  /// Finds a tensor and notes that the model uses it.
  Located take(const std::string &name);
  float groupValue(const Matrix &matrix, std::uint32_t row, std::uint32_t column) const;
  float groupScale(const Matrix &matrix, std::uint32_t group, std::uint32_t row) const;
  int groupZero(const Matrix &matrix, std::uint32_t group, std::uint32_t row) const;

  std::string folder;
  const HfConfig config;
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
    if (failed || names.empty())
      return Error{folder, "holds no *.safetensors file; give a folder with config.json and its weights"};
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

/// GPTQ's g_idx says to which group a column belongs; without it columns stand in order.
Result<std::vector<std::uint32_t>> HfSource::groupsOf(const Matrix &matrix, const std::string &stem,
                                                      std::uint32_t count) {
  std::vector<std::uint32_t> groups(matrix.cols);
  std::uint32_t size = config.groupSize ? config.groupSize : matrix.cols;
  Located order = config.format == GroupFormat::Awq ? Located{} : take(stem + ".g_idx");
  if (order && (order.tensor->type != SafetensorsType::I32 || !order.tensor->hasShape(1, matrix.cols)))
    return damaged(order, "must be I32 of shape [" + std::to_string(matrix.cols) + "]");
  for (std::uint32_t k = 0; k < matrix.cols; ++k) {
    groups[k] = order ? order.word(k) : k / size;
    if (groups[k] >= count)
      return damaged(order, "names group " + std::to_string(static_cast<std::int32_t>(groups[k])) + " for column " +
                                std::to_string(k) + ", there are " + std::to_string(count));
  }
  return groups;
}

Status HfSource::addGroups(Matrix &matrix, const std::string &stem) {
  std::uint32_t size = config.groupSize ? config.groupSize : matrix.cols, count = (matrix.cols + size - 1) / size;
  bool isAwq = config.format == GroupFormat::Awq;
  if (matrix.rows % 8 || matrix.cols % 8)
    return Error{folder, "tensor " + quote(stem) + " is " + std::to_string(matrix.rows) + "x" +
                             std::to_string(matrix.cols) +
                             ", sizes of 4-bit matrices must be multiples of 8; use another checkpoint"};
  struct Part {
    const char *name;
    Located *out;
    std::uint64_t rows, cols;
  };
  std::uint64_t rows = matrix.rows, cols = matrix.cols;
  for (auto [name, out, partRows, partCols] :
       {Part{"qweight", &matrix.words, isAwq ? cols : cols / 8, isAwq ? rows / 8 : rows},
        Part{"qzeros", &matrix.zeros, count, rows / 8}, Part{"scales", &matrix.scales, count, rows}}) {
    *out = take(stem + "." + name);
    if (!*out)
      return Error{folder, "tensor " + quote(stem + "." + name) + " is missing; fetch or export the model again"};
    bool isScale = out == &matrix.scales;
    if (isScale ? !isFloat(out->tensor->type) : out->tensor->type != SafetensorsType::I32)
      return damaged(*out, std::string("must be ") + (isScale ? "F32, F16 or BF16" : "I32") + ", found " +
                               out->tensor->typeName);
    if (!out->tensor->hasShape(partRows, partCols))
      return damaged(*out, "must have the shape [" + std::to_string(partRows) + ", " + std::to_string(partCols) +
                               "] that config.json gives it");
  }
  auto groups = groupsOf(matrix, stem, count);
  if (!groups)
    return groups.error();
  matrix.groups = std::move(*groups);
  return Ok{};
}

Status HfSource::addMatrix(const TensorShape &expected) {
  Matrix matrix{expected.rows, expected.cols, {}, {}, {}, {}, {}};
  std::string name = hfName(expected.name), stem = name.substr(0, name.rfind('.'));
  Located found = take(name);
  bool isGrouped = !found && config.format != GroupFormat::None && located.contains(stem + ".qweight");
  if (!found && !isGrouped)
    return Error{folder, "tensor " + quote(name) + " is missing; fetch or export the model again"};
  if (Status ok = isGrouped ? addGroups(matrix, stem) : addPlain(matrix, found); !ok)
    return ok;
  matrices.emplace(expected.name, std::move(matrix));
  return Ok{};
}

/// What else may be there: frequencies rope implies, a copy of tied embeddings, and biases that are all zero.
Status HfSource::expectNoOthers() const {
  for (const auto &[name, at] : located) {
    if (used.contains(name) || name.ends_with("rotary_emb.inv_freq") || (config.shape.tied && name == "lm_head.weight"))
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

Status HfSource::open() {
  if (Status ok = openFiles(); !ok)
    return ok;
  for (const TensorShape &expected : modelTensors(config.shape))
    if (Status ok = addMatrix(expected); !ok)
      return ok;
  return expectNoOthers();
}

float HfSource::groupScale(const Matrix &matrix, std::uint32_t group, std::uint32_t row) const {
  float scale;
  matrix.scales.file->decode(*matrix.scales.tensor, std::uint64_t{group} * matrix.rows + row, std::span(&scale, 1));
  return scale;
}

/// Where AWQ puts output 8c + i of a word of eight.
constexpr int kAwqShift[8] = {0, 16, 4, 20, 8, 24, 12, 28};

int HfSource::groupZero(const Matrix &matrix, std::uint32_t group, std::uint32_t row) const {
  std::uint32_t word = matrix.zeros.word(std::uint64_t{group} * (matrix.rows / 8) + row / 8);
  if (config.format == GroupFormat::Awq)
    return word >> kAwqShift[row % 8] & 15;
  // GPTQ's first format stores one less than the zero point.
  return static_cast<int>(word >> (4 * (row % 8)) & 15) + (config.format == GroupFormat::Gptq);
}

float HfSource::groupValue(const Matrix &matrix, std::uint32_t row, std::uint32_t column) const {
  if (config.format == GroupFormat::Awq)
    return static_cast<float>(
        matrix.words.word(std::uint64_t{column} * (matrix.rows / 8) + row / 8) >> kAwqShift[row % 8] & 15);
  return static_cast<float>(matrix.words.word(std::uint64_t{column / 8} * matrix.rows + row) >> (4 * (column % 8)) &
                            15);
}

Status HfSource::readRow(std::string_view name, std::uint32_t row, std::span<float> out) const {
  const Matrix &matrix = matrices.find(name)->second;
  if (matrix.plain) {
    matrix.plain.file->decode(*matrix.plain.tensor, std::uint64_t{row} * matrix.cols, out);
  } else {
    std::uint32_t last = UINT32_MAX;
    float scale = 0, zero = 0;
    for (std::uint32_t k = 0; k < out.size(); ++k) {
      if (std::uint32_t group = matrix.groups[k]; group != last) {
        last = group;
        scale = groupScale(matrix, group, row);
        zero = static_cast<float>(groupZero(matrix, group, row));
      }
      out[k] = (groupValue(matrix, row, k) - zero) * scale;
    }
  }
  auto bad = std::ranges::find_if(out, [](float v) { return !std::isfinite(v); });
  if (bad == out.end())
    return Ok{};
  return damaged(matrix.plain ? matrix.plain : matrix.scales, "makes value [" + std::to_string(row) + ", " +
                                                                  std::to_string(bad - out.begin()) + "] " +
                                                                  (std::isnan(*bad) ? "NaN" : "infinite"));
}

} // namespace

std::string hfName(std::string_view name) {
  static const std::map<std::string_view, std::string_view> kNames = {{"token_embd", "model.embed_tokens"},
                                                                      {"output_norm", "model.norm"},
                                                                      {"output", "lm_head"},
                                                                      {"attn_norm", "input_layernorm"},
                                                                      {"attn_q", "self_attn.q_proj"},
                                                                      {"attn_k", "self_attn.k_proj"},
                                                                      {"attn_v", "self_attn.v_proj"},
                                                                      {"attn_output", "self_attn.o_proj"},
                                                                      {"ffn_norm", "post_attention_layernorm"},
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
  return prefix + std::string(kNames.at(name.substr(0, dot))) + std::string(name.substr(dot));
}

Result<std::unique_ptr<const WeightSource>> openHfTensors(const std::string &folder, const HfConfig &config) {
  auto source = std::make_unique<HfSource>(folder, config);
  if (Status ok = source->open(); !ok)
    return ok.error();
  return std::unique_ptr<const WeightSource>(std::move(source));
}

} // namespace lpu::compiler
