// How tools pack matrices of integers. Rows are outputs and columns inputs here, whatever stands in the file:
//
//   GPTQ                qweight [in/8, out], eight inputs a word; qzeros [groups, out/8]; scales [groups, out]; g_idx
//   [in] AWQ                 qweight [in, out/8], eight outputs a word in AWQ's order; qzeros and scales as GPTQ's
//   compressed-tensors  pack-quantized: weight_packed [out, in/8], weight_scale [out, groups], weight_zero_point
//                       [out/8, groups], weight_g_idx [in]; int-quantized: weight [out, in] in int8, weight_scale [out,
//                       1]

#include "HfPacked.h"

#include "lpu/compiler/Import/GgufFile.h"

#include <algorithm>
#include <cstring>

namespace lpu::compiler {

std::uint32_t Located::word(std::uint64_t index) const {
  std::uint32_t value;
  std::memcpy(&value, file->data(*tensor).data() + 4 * index, 4);
  return value;
}

Error damaged(const Located &at, const std::string &what) {
  return {at.file->path(), "tensor " + quote(at.tensor->name) + " " + what + "; fetch or export the model again"};
}

bool isFloat(SafetensorsType type) {
  return type == SafetensorsType::F32 || type == SafetensorsType::F16 || type == SafetensorsType::BF16;
}

Status PackedMatrix::expect(Located &out, const std::string &name, const Take &take, std::uint64_t partRows,
                            std::uint64_t partCols, bool isScale) {
  out = take(name);
  if (!out)
    return Error{place, "tensor " + quote(name) + " is missing; fetch or export the model again"};
  if (isScale ? !isFloat(out.tensor->type) : out.tensor->type != SafetensorsType::I32)
    return damaged(out, std::string("must be ") + (isScale ? "F32, F16 or BF16" : "I32") + ", found " +
                            out.tensor->typeName);
  if (!out.tensor->hasShape(partRows, partCols))
    return damaged(out, "must have the shape [" + std::to_string(partRows) + ", " + std::to_string(partCols) +
                            "] that config.json gives it");
  return Ok{};
}

Status PackedMatrix::open(const HfConfig &modelConfig, const std::string &folder, const std::string &stem,
                          std::uint32_t rowCount, std::uint32_t colCount, const Take &take) {
  format = {modelConfig.format, modelConfig.bits, modelConfig.groupSize};
  place = folder, rows = rowCount, cols = colCount;
  std::uint32_t size = format.groupSize ? format.groupSize : cols;
  count = (cols + size - 1) / size;
  groups.resize(cols);
  for (std::uint32_t k = 0; k < cols; ++k)
    groups[k] = k / size;
  if (format.kind == GroupFormat::Codes)
    return openCodes(stem, take);
  return format.kind == GroupFormat::Packed ? openPacked(stem, take) : openWords(stem, take);
}

/// GPTQ and AWQ.
Status PackedMatrix::openWords(const std::string &stem, const Take &take) {
  bool isAwq = format.kind == GroupFormat::Awq;
  if (rows % 8 || cols % 8)
    return Error{place, "tensor " + quote(stem) + " is " + std::to_string(rows) + "x" + std::to_string(cols) +
                            ", sizes of 4-bit matrices must be multiples of 8; use another checkpoint"};
  std::uint64_t r = rows, c = cols;
  if (Status ok = expect(words, stem + ".qweight", take, isAwq ? c : c / 8, isAwq ? r / 8 : r, false); !ok)
    return ok;
  if (Status ok = expect(zeros, stem + ".qzeros", take, count, r / 8, false); !ok)
    return ok;
  if (Status ok = expect(scales, stem + ".scales", take, count, r, true); !ok)
    return ok;
  // Symmetric checkpoints have 8 as every zero point. Some that claim the first format hold it as it is.
  plainZeros = format.kind == GroupFormat::GptqV2;
  if (format.kind == GroupFormat::Gptq) {
    plainZeros = true;
    for (std::uint64_t i = 0; i < count * (r / 8); ++i)
      plainZeros &= zeros.word(i) == 0x88888888U;
  }
  return isAwq ? Status(Ok{}) : openGroups(stem + ".g_idx", take);
}

/// Columns may belong to groups in any order.
Status PackedMatrix::openGroups(const std::string &name, const Take &take) {
  Located order = take(name);
  if (!order)
    return Ok{};
  if (order.tensor->type != SafetensorsType::I32 || !order.tensor->hasShape(1, cols))
    return damaged(order, "must be I32 of shape [" + std::to_string(cols) + "]");
  for (std::uint32_t k = 0; k < cols; ++k) {
    groups[k] = order.word(k);
    if (groups[k] >= count)
      return damaged(order, "names group " + std::to_string(static_cast<std::int32_t>(groups[k])) + " for column " +
                                std::to_string(k) + ", there are " + std::to_string(count));
  }
  return Ok{};
}

Status PackedMatrix::openPacked(const std::string &stem, const Take &take) {
  std::uint64_t per = perWord();
  (void)take(stem + ".weight_shape"); // config.json says the same
  if (Status ok = expect(words, stem + ".weight_packed", take, rows, (cols + per - 1) / per, false); !ok)
    return ok;
  if (Status ok = expect(scales, stem + ".weight_scale", take, rows, count, true); !ok)
    return ok;
  if (take(stem + ".weight_zero_point"))
    if (Status ok = expect(zeros, stem + ".weight_zero_point", take, (rows + per - 1) / per, count, false); !ok)
      return ok;
  return openGroups(stem + ".weight_g_idx", take);
}

Status PackedMatrix::openCodes(const std::string &stem, const Take &take) {
  words = take(stem + ".weight");
  if (!words || words.tensor->type != SafetensorsType::I8 || !words.tensor->hasShape(rows, cols))
    return Error{place, "tensor " + quote(stem + ".weight") + " must be I8 of shape [" + std::to_string(rows) + ", " +
                            std::to_string(cols) + "]; fetch or export the model again"};
  if (Located point = take(stem + ".weight_zero_point"))
    for (std::uint8_t byte : point.file->data(*point.tensor))
      if (byte != 0)
        return damaged(point, "holds zero points that are not 0, which 8-bit matrices may not have here");
  return expect(scales, stem + ".weight_scale", take, rows, count, true);
}

std::string PackedMatrix::typeName() const {
  bool isCompressed = format.kind == GroupFormat::Packed || format.kind == GroupFormat::Codes;
  return format.kind == GroupFormat::Awq ? "AWQ" : isCompressed ? "compressed-tensors" : "GPTQ";
}

std::uint32_t PackedMatrix::field(std::uint32_t word, std::uint32_t index) const {
  return word >> (format.bits * (index % perWord())) & ((1U << format.bits) - 1);
}

float PackedMatrix::scale(std::uint32_t row, std::uint32_t group) const {
  bool rowFirst = format.kind == GroupFormat::Packed || format.kind == GroupFormat::Codes;
  float value;
  scales.file->decode(*scales.tensor, rowFirst ? std::uint64_t{row} * count + group : std::uint64_t{group} * rows + row,
                      std::span(&value, 1));
  return value;
}

/// Where AWQ puts output 8c + i of a word of eight.
constexpr int kAwqShift[8] = {0, 16, 4, 20, 8, 24, 12, 28};

int PackedMatrix::zero(std::uint32_t row, std::uint32_t group) const {
  if (format.kind == GroupFormat::Codes)
    return 0;
  if (format.kind == GroupFormat::Packed) { // codes and zero points are stored as unsigned numbers, both by as much
    int half = 1 << (format.bits - 1);
    return zeros ? static_cast<int>(field(zeros.word(std::uint64_t{row / perWord()} * count + group), row)) : half;
  }
  std::uint32_t word = zeros.word(std::uint64_t{group} * (rows / 8) + row / 8);
  if (format.kind == GroupFormat::Awq)
    return static_cast<int>(word >> kAwqShift[row % 8] & 15);
  // GPTQ's first format stores one less. GPTQModel takes that from whole words, so that a zero point of 0 borrows from
  // its neighbour; tools that take it from each make eight of them 15.
  if (!plainZeros)
    word = word == 0xFFFFFFFFU ? 0 : word + 0x11111111U;
  return static_cast<int>(field(word, row));
}

int PackedMatrix::value(std::uint32_t row, std::uint32_t column) const {
  switch (format.kind) {
  case GroupFormat::Codes:
    return static_cast<std::int8_t>(words.file->data(*words.tensor)[std::uint64_t{row} * cols + column]);
  case GroupFormat::Packed:
    return static_cast<int>(
        field(words.word(std::uint64_t{row} * ((cols + perWord() - 1) / perWord()) + column / perWord()), column));
  case GroupFormat::Awq:
    return static_cast<int>(words.word(std::uint64_t{column} * (rows / 8) + row / 8) >> kAwqShift[row % 8] & 15);
  default:
    return static_cast<int>(field(words.word(std::uint64_t{column / 8} * rows + row), column));
  }
}

void PackedMatrix::readRow(std::uint32_t row, std::span<float> out) const {
  std::uint32_t last = UINT32_MAX;
  float factor = 0;
  int point = 0;
  for (std::uint32_t k = 0; k < out.size(); ++k) {
    if (groups[k] != last) {
      last = groups[k];
      factor = scale(row, last), point = zero(row, last);
    }
    out[k] = static_cast<float>(value(row, k) - point) * factor;
  }
}

} // namespace lpu::compiler
