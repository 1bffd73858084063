// The hostile-input part of reading GGUF. Every count and length is compared
// with what the rest of the file could hold before it is used, so a bad file
// costs neither memory nor time. Errors name the entry, the byte and the numbers.

#include "GgufParser.h"

#include "lpu/compiler/Import/TensorTypes.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace lpu::compiler {
namespace {

// Real files have below a hundred keys and some thousand tensors. The limits keep
// the tables below 64 MB whatever the file says.
constexpr std::uint64_t kMaxKeys = 65536, kMaxTensors = 131072;
constexpr std::uint64_t kMaxName = 256, kMaxString = std::uint64_t{1} << 30;
constexpr std::uint64_t kMinEntryBytes = 8 + 1 + 4 + 1, kMinTensorBytes = 8 + 1 + 4 + 8 + 4 + 8;
constexpr int kMaxArrayDepth = 4;
constexpr const char *kDamaged = "; the file is damaged or incomplete, fetch or export it again";

/// Bytes of one value; strings and arrays: of their length fields.
std::uint64_t minimumBytes(GgufKind kind) {
  switch (kind) {
  case GgufKind::U8:
  case GgufKind::I8:
  case GgufKind::Bool:
    return 1;
  case GgufKind::U16:
  case GgufKind::I16:
    return 2;
  case GgufKind::U32:
  case GgufKind::I32:
  case GgufKind::F32:
    return 4;
  case GgufKind::U64:
  case GgufKind::I64:
  case GgufKind::F64:
  case GgufKind::String:
    return 8;
  case GgufKind::Array:
    return 12;
  }
  return 1;
}

bool isScalar(GgufKind kind) { return kind != GgufKind::String && kind != GgufKind::Array; }

} // namespace

Error GgufParser::fail(std::uint64_t at, const std::string &message) const {
  return Error{gguf.filePath,
               (current.empty() ? "" : current + " ") + "at byte " + std::to_string(at) + ": " + message};
}

Status GgufParser::need(std::uint64_t count, std::string_view what) const {
  std::uint64_t left = bytes.size() - position;
  if (count <= left)
    return Ok{};
  return fail(position, std::string(what) + " needs " + std::to_string(count) + " bytes, the file ends after " +
                            std::to_string(left) + kDamaged);
}

template <typename T> Status GgufParser::read(T &value, std::string_view what) {
  if (Status ok = need(sizeof(T), what); !ok)
    return ok;
  std::memcpy(&value, &bytes[position], sizeof(T));
  position += sizeof(T);
  return Ok{};
}

Status GgufParser::readString(std::string_view &text, std::string_view what, std::uint64_t max) {
  std::uint64_t length = 0, at = position;
  if (Status ok = read(length, std::string(what) + " length"); !ok)
    return ok;
  if (length > max)
    return fail(at, std::string(what) + " of " + std::to_string(length) + " bytes, at most " + std::to_string(max) +
                        " make sense" + kDamaged);
  if (Status ok = need(length, what); !ok)
    return ok;
  text = {reinterpret_cast<const char *>(bytes.data() + position), length};
  position += length;
  return Ok{};
}

Status GgufParser::readKind(GgufKind &kind) {
  std::uint32_t number = 0;
  std::uint64_t at = position;
  if (Status ok = read(number, "value kind"); !ok)
    return ok;
  if (number > static_cast<std::uint32_t>(GgufKind::F64))
    return fail(at, "value kind " + std::to_string(number) + " does not exist (0 to 12 do)" + kDamaged);
  kind = static_cast<GgufKind>(number);
  return Ok{};
}

Status GgufParser::header(std::uint64_t &tensorCount, std::uint64_t &keyCount) {
  char magic[4] = {};
  if (Status ok = read(magic, "magic"); !ok)
    return ok;
  if (std::memcmp(magic, "GGUF", 4) != 0)
    return fail(0, "the file starts with " + quote({magic, 4}) + ", not \"GGUF\"; give a GGUF model file");
  if (Status ok = read(gguf.fileVersion, "version"); !ok)
    return ok;
  if (gguf.fileVersion != 2 && gguf.fileVersion != 3) {
    bool swapped = (gguf.fileVersion & 0xffff) == 0 && gguf.fileVersion != 0;
    return fail(4, swapped ? "the file is big-endian; only little-endian GGUF is supported, convert it"
                           : "GGUF version " + std::to_string(gguf.fileVersion) +
                                 " is not supported (2 and 3 are); convert the file again");
  }
  if (Status ok = read(tensorCount, "tensor count"); !ok)
    return ok;
  if (Status ok = read(keyCount, "key count"); !ok)
    return ok;
  std::uint64_t left = bytes.size() - position;
  if (keyCount > kMaxKeys || keyCount > left / kMinEntryBytes)
    return fail(16, "key count " + std::to_string(keyCount) + " is impossible in a file of " +
                        std::to_string(bytes.size()) + " bytes" + kDamaged);
  if (tensorCount > kMaxTensors || tensorCount > left / kMinTensorBytes)
    return fail(8, "tensor count " + std::to_string(tensorCount) + " is impossible in a file of " +
                       std::to_string(bytes.size()) + " bytes" + kDamaged);
  return Ok{};
}

Status GgufParser::skip(GgufKind kind, std::uint64_t count, int depth) {
  if (count > (bytes.size() - position) / minimumBytes(kind))
    return fail(position, std::to_string(count) + " elements of kind " + std::string(ggufKindName(kind)) +
                              " need at least " + std::to_string(minimumBytes(kind)) +
                              " bytes each, the file ends after " + std::to_string(bytes.size() - position) + kDamaged);
  if (isScalar(kind)) {
    position += count * minimumBytes(kind);
    return Ok{};
  }
  if (kind == GgufKind::Array && depth >= kMaxArrayDepth)
    return fail(position, "arrays nested deeper than " + std::to_string(kMaxArrayDepth) + kDamaged);
  for (std::uint64_t i = 0; i < count; ++i) {
    std::string_view text;
    GgufEntry inner;
    Status ok = kind == GgufKind::String ? readString(text, "string", kMaxString) : Status(Ok{});
    if (kind == GgufKind::Array) {
      ok = readKind(inner.elementKind);
      if (ok)
        ok = read(inner.count, "array length");
      if (ok)
        ok = skip(inner.elementKind, inner.count, depth + 1);
    }
    if (!ok)
      return ok;
  }
  return Ok{};
}

Status GgufParser::array(GgufEntry &entry) {
  if (Status ok = readKind(entry.elementKind); !ok)
    return ok;
  if (Status ok = read(entry.count, "array length"); !ok)
    return ok;
  entry.offset = position;
  return skip(entry.elementKind, entry.count, 1);
}

Status GgufParser::entry() {
  GgufEntry entry;
  std::uint64_t at = position;
  current = "metadata";
  if (Status ok = readString(entry.key, "key", kMaxName); !ok)
    return ok;
  if (entry.key.empty())
    return fail(at, std::string("a key is empty") + kDamaged);
  current = "key " + quote(entry.key);
  if (Status ok = readKind(entry.kind); !ok)
    return ok;
  entry.offset = position;
  if (Status ok = entry.kind == GgufKind::Array ? array(entry) : skip(entry.kind, 1, 0); !ok)
    return ok;
  if (entry.kind == GgufKind::Bool && bytes[entry.offset] > 1)
    return fail(entry.offset, "a bool of value " + std::to_string(bytes[entry.offset]) + kDamaged);
  gguf.metadata.push_back(entry);
  return Ok{};
}

Status GgufParser::finishEntries() {
  std::ranges::sort(gguf.metadata, {}, &GgufEntry::key);
  auto twice = std::ranges::adjacent_find(gguf.metadata, {}, &GgufEntry::key);
  current.clear();
  if (twice != gguf.metadata.end())
    return fail(std::next(twice)->offset, "key " + quote(twice->key) + " is given twice; export the file again");
  return Ok{};
}

Status GgufParser::tensor() {
  GgufTensor tensor;
  std::uint64_t at = position;
  current = "tensor table";
  if (Status ok = readString(tensor.name, "tensor name", kMaxName); !ok)
    return ok;
  if (tensor.name.empty())
    return fail(at, std::string("a tensor has no name") + kDamaged);
  current = "tensor " + quote(tensor.name);
  at = position;
  if (Status ok = read(tensor.dimensions, "dimension count"); !ok)
    return ok;
  if (tensor.dimensions < 1 || tensor.dimensions > 4)
    return fail(at, std::to_string(tensor.dimensions) + " dimensions (1 to 4 are possible)" + kDamaged);
  for (std::uint32_t i = 0; i < tensor.dimensions; ++i) {
    std::uint64_t size = 0;
    at = position;
    if (Status ok = read(size, "dimension"); !ok)
      return ok;
    std::uint64_t &into = i == 0 ? tensor.cols : tensor.rows;
    // 2^48 values are beyond any file; the product below then cannot wrap.
    if (size == 0 || size > (std::uint64_t{1} << 48) / (tensor.rows * tensor.cols))
      return fail(at, "dimension " + std::to_string(i) + " is " + std::to_string(size) + ", impossible" + kDamaged);
    into *= size;
  }
  at = position;
  if (Status ok = read(tensor.type, "tensor type"); !ok)
    return ok;
  const TensorType *type = findTensorType(tensor.type);
  if (!type)
    return fail(at, "values of " + tensorTypeName(tensor.type) + " are not supported (" + supportedTensorTypes() +
                        " are); convert the file to one of these");
  if (tensor.cols % type->blockValues)
    return fail(at, "rows of " + std::to_string(tensor.cols) + " values are not whole " + std::string(type->name) +
                        " blocks of " + std::to_string(type->blockValues) + kDamaged);
  tensor.bytes = tensor.rows * (tensor.cols / type->blockValues) * type->blockBytes;
  if (Status ok = read(tensor.offset, "offset"); !ok)
    return ok;
  gguf.table.push_back(tensor);
  return Ok{};
}

Status GgufParser::alignment(std::uint64_t &align) {
  auto value = gguf.unsignedValue("general.alignment", std::uint64_t{1} << 20);
  if (!value)
    return value.error();
  align = value->value_or(32);
  if (align == 0 || align % 8)
    return Error{gguf.filePath, "key \"general.alignment\": " + std::to_string(align) +
                                    " is not a multiple of 8; export the file again"};
  return Ok{};
}

Status GgufParser::placeTensors() {
  std::uint64_t align = 32;
  if (Status ok = alignment(align); !ok)
    return ok;
  std::uint64_t size = bytes.size(), base = (position + align - 1) / align * align;
  for (GgufTensor &tensor : gguf.table) {
    current = "tensor " + quote(tensor.name);
    if (tensor.offset % align)
      return fail(position, "offset " + std::to_string(tensor.offset) + " is not a multiple of the alignment " +
                                std::to_string(align) + kDamaged);
    if (base > size || tensor.offset > size - base || tensor.bytes > size - base - tensor.offset)
      return fail(position, "its data (" + std::to_string(tensor.bytes) + " bytes at " + std::to_string(base) + " + " +
                                std::to_string(tensor.offset) + ") passes the end of the file at " +
                                std::to_string(size) + kDamaged);
    tensor.offset += base;
  }
  return overlaps();
}

Status GgufParser::overlaps() const {
  std::vector<const GgufTensor *> order;
  for (const GgufTensor &tensor : gguf.table)
    order.push_back(&tensor);
  std::ranges::sort(order, {}, &GgufTensor::offset);
  for (std::size_t i = 1; i < order.size(); ++i)
    if (order[i]->offset < order[i - 1]->offset + order[i - 1]->bytes)
      return Error{gguf.filePath, "tensors " + quote(order[i - 1]->name) + " and " + quote(order[i]->name) +
                                      " overlap at byte " + std::to_string(order[i]->offset) + kDamaged};
  return Ok{};
}

Status GgufParser::parse() {
  std::uint64_t tensorCount = 0, keyCount = 0;
  if (Status ok = header(tensorCount, keyCount); !ok)
    return ok;
  gguf.metadata.reserve(keyCount);
  gguf.table.reserve(tensorCount);
  for (std::uint64_t i = 0; i < keyCount; ++i)
    if (Status ok = entry(); !ok)
      return ok;
  if (Status ok = finishEntries(); !ok)
    return ok;
  for (std::uint64_t i = 0; i < tensorCount; ++i)
    if (Status ok = tensor(); !ok)
      return ok;
  std::ranges::sort(gguf.table, {}, &GgufTensor::name);
  auto twice = std::ranges::adjacent_find(gguf.table, {}, &GgufTensor::name);
  if (twice != gguf.table.end())
    return Error{gguf.filePath, "tensor " + quote(twice->name) + " is listed twice; export the file again"};
  return placeTensors();
}

} // namespace lpu::compiler
