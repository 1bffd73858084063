// Typed access to the metadata of a checked GGUF file. The parser has verified
// every range, so reads here cannot fail; only kinds and values can be wrong.

#include "lpu/compiler/Import/GgufFile.h"

#include "GgufParser.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <limits>

namespace lpu::compiler {

std::string_view ggufKindName(GgufKind kind) {
  static constexpr std::array<std::string_view, 13> names{"uint8",  "int8",    "uint16", "int16",  "uint32",
                                                          "int32",  "float32", "bool",   "string", "array",
                                                          "uint64", "int64",   "float64"};
  return names[static_cast<std::size_t>(kind)];
}

std::string quote(std::string_view text) {
  std::string out = "\"";
  for (char c : text.substr(0, 64)) {
    char buffer[5];
    if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\')
      out += c;
    else if (std::snprintf(buffer, sizeof buffer, "\\x%02x", static_cast<unsigned>(static_cast<unsigned char>(c))))
      out += buffer;
  }
  return out + (text.size() > 64 ? "…\"" : "\"");
}

Result<std::shared_ptr<const GgufFile>> GgufFile::open(const std::string &path) {
  auto mapped = MappedFile::open(path);
  if (!mapped)
    return mapped.error();
  std::shared_ptr<GgufFile> gguf(new GgufFile());
  gguf->filePath = path;
  gguf->file = *mapped;
  if (Status ok = GgufParser(*gguf).parse(); !ok)
    return ok.error();
  return std::shared_ptr<const GgufFile>(std::move(gguf));
}

const GgufEntry *GgufFile::find(std::string_view key) const {
  auto it = std::ranges::lower_bound(metadata, key, {}, &GgufEntry::key);
  return it != metadata.end() && it->key == key ? &*it : nullptr;
}

const GgufTensor *GgufFile::findTensor(std::string_view name) const {
  auto it = std::ranges::lower_bound(table, name, {}, &GgufTensor::name);
  return it != table.end() && it->name == name ? &*it : nullptr;
}

Error GgufFile::wrongKind(const GgufEntry &entry, std::string_view expected) const {
  std::string found(ggufKindName(entry.kind));
  if (entry.kind == GgufKind::Array)
    found += " of " + std::string(ggufKindName(entry.elementKind));
  return Error{filePath, "key " + quote(entry.key) + " at byte " + std::to_string(entry.offset) + ": found " + found +
                             ", expected " + std::string(expected) + "; export the file again"};
}

namespace {

template <typename T> T at(std::span<const std::uint8_t> bytes, std::uint64_t offset) {
  T value;
  std::memcpy(&value, &bytes[offset], sizeof(T));
  return value;
}

std::string_view stringAt(std::span<const std::uint8_t> bytes, std::uint64_t offset) {
  auto length = at<std::uint64_t>(bytes, offset);
  return {reinterpret_cast<const char *>(bytes.data() + offset + 8), length};
}

/// Integers of any width; negative ones as nothing.
std::optional<std::uint64_t> unsignedAt(std::span<const std::uint8_t> bytes, const GgufEntry &entry, bool &isInteger) {
  auto checked = [](std::int64_t v) { return v < 0 ? std::nullopt : std::optional<std::uint64_t>(v); };
  isInteger = true;
  switch (entry.kind) {
  case GgufKind::U8:
    return at<std::uint8_t>(bytes, entry.offset);
  case GgufKind::U16:
    return at<std::uint16_t>(bytes, entry.offset);
  case GgufKind::U32:
    return at<std::uint32_t>(bytes, entry.offset);
  case GgufKind::U64:
    return at<std::uint64_t>(bytes, entry.offset);
  case GgufKind::I8:
    return checked(at<std::int8_t>(bytes, entry.offset));
  case GgufKind::I16:
    return checked(at<std::int16_t>(bytes, entry.offset));
  case GgufKind::I32:
    return checked(at<std::int32_t>(bytes, entry.offset));
  case GgufKind::I64:
    return checked(at<std::int64_t>(bytes, entry.offset));
  default:
    isInteger = false;
    return std::nullopt;
  }
}

} // namespace

Result<std::optional<std::uint64_t>> GgufFile::unsignedValue(std::string_view key, std::uint64_t max) const {
  const GgufEntry *entry = find(key);
  if (!entry)
    return std::optional<std::uint64_t>();
  bool isInteger = false;
  auto value = unsignedAt(file->bytes(), *entry, isInteger);
  if (!isInteger)
    return wrongKind(*entry, "an integer");
  if (!value || *value > max)
    return Error{filePath, "key " + quote(key) + " at byte " + std::to_string(entry->offset) + ": " +
                               (value ? std::to_string(*value) : std::string("a negative value")) +
                               " is out of range (0 to " + std::to_string(max) + "); export the file again"};
  return value;
}

Result<std::optional<double>> GgufFile::floatValue(std::string_view key) const {
  const GgufEntry *entry = find(key);
  if (!entry)
    return std::optional<double>();
  if (entry->kind == GgufKind::F32)
    return std::optional<double>(at<float>(file->bytes(), entry->offset));
  if (entry->kind == GgufKind::F64)
    return std::optional<double>(at<double>(file->bytes(), entry->offset));
  return wrongKind(*entry, "float32 or float64");
}

Result<std::optional<bool>> GgufFile::boolValue(std::string_view key) const {
  const GgufEntry *entry = find(key);
  if (!entry)
    return std::optional<bool>();
  if (entry->kind != GgufKind::Bool)
    return wrongKind(*entry, "bool");
  return std::optional<bool>(file->bytes()[entry->offset] != 0);
}

Result<std::optional<std::string_view>> GgufFile::stringValue(std::string_view key) const {
  const GgufEntry *entry = find(key);
  if (!entry)
    return std::optional<std::string_view>();
  if (entry->kind != GgufKind::String)
    return wrongKind(*entry, "string");
  return std::optional<std::string_view>(stringAt(file->bytes(), entry->offset));
}

Result<const GgufEntry *> GgufFile::arrayEntry(std::string_view key, GgufKind kind, std::uint64_t max) const {
  const GgufEntry *entry = find(key);
  if (!entry)
    return entry;
  if (entry->kind != GgufKind::Array || entry->elementKind != kind)
    return wrongKind(*entry, "array of " + std::string(ggufKindName(kind)));
  if (entry->count > max)
    return Error{filePath, "key " + quote(key) + " at byte " + std::to_string(entry->offset) + ": " +
                               std::to_string(entry->count) + " elements, at most " + std::to_string(max) +
                               " make sense; export the file again"};
  return entry;
}

Result<std::optional<std::vector<std::string>>> GgufFile::stringArray(std::string_view key, std::uint64_t max) const {
  auto entry = arrayEntry(key, GgufKind::String, max);
  if (!entry)
    return entry.error();
  if (!*entry)
    return std::optional<std::vector<std::string>>();
  std::vector<std::string> values;
  values.reserve((*entry)->count);
  std::uint64_t offset = (*entry)->offset;
  for (std::uint64_t i = 0; i < (*entry)->count; ++i) {
    values.emplace_back(stringAt(file->bytes(), offset));
    offset += 8 + values.back().size();
  }
  return std::optional(std::move(values));
}

Result<std::optional<std::vector<float>>> GgufFile::floatArray(std::string_view key, std::uint64_t max) const {
  auto entry = arrayEntry(key, GgufKind::F32, max);
  if (!entry)
    return entry.error();
  if (!*entry)
    return std::optional<std::vector<float>>();
  std::vector<float> values((*entry)->count);
  if (!values.empty())
    std::memcpy(values.data(), &file->bytes()[(*entry)->offset], values.size() * sizeof(float));
  return std::optional(std::move(values));
}

Result<std::optional<std::vector<std::int32_t>>> GgufFile::intArray(std::string_view key, std::uint64_t max) const {
  const GgufEntry *found = find(key);
  GgufKind kind = found && found->elementKind == GgufKind::U32 ? GgufKind::U32 : GgufKind::I32;
  auto entry = arrayEntry(key, kind, max);
  if (!entry)
    return entry.error();
  if (!*entry)
    return std::optional<std::vector<std::int32_t>>();
  std::vector<std::int32_t> values((*entry)->count);
  if (!values.empty())
    std::memcpy(values.data(), &file->bytes()[(*entry)->offset], values.size() * sizeof(std::int32_t));
  return std::optional(std::move(values));
}

} // namespace lpu::compiler
