// Reads the table with an event parser, which holds nothing but what a table may
// contain: a hostile file cannot make it allocate more than a few times its size.

#include "SafetensorsFile.h"

#include "lpu/compiler/Import/GgufFile.h"
#include "lpu/compiler/Import/TensorTypes.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <limits>
#include <optional>

namespace lpu::compiler {
namespace {

constexpr std::uint64_t kLargestTable = 100'000'000; // the format's own limit
constexpr std::size_t kMostDimensions = 8;

struct ElementType {
  std::string_view name;
  SafetensorsType type;
  std::uint64_t bits;
};
constexpr ElementType kTypes[] = {{"F32", SafetensorsType::F32, 32},
                                  {"F16", SafetensorsType::F16, 16},
                                  {"BF16", SafetensorsType::BF16, 16},
                                  {"I32", SafetensorsType::I32, 32},
                                  {"U32", SafetensorsType::I32, 32},
                                  {"I64", SafetensorsType::I64, 64},
                                  {"I8", SafetensorsType::I8, 8},
                                  {"F64", SafetensorsType::Other, 64},
                                  {"U64", SafetensorsType::Other, 64},
                                  {"I16", SafetensorsType::Other, 16},
                                  {"U16", SafetensorsType::Other, 16},
                                  {"U8", SafetensorsType::Other, 8},
                                  {"BOOL", SafetensorsType::Other, 8},
                                  {"C64", SafetensorsType::Other, 64},
                                  {"F8_E4M3", SafetensorsType::Other, 8},
                                  {"F8_E5M2", SafetensorsType::Other, 8},
                                  {"F8_E8M0", SafetensorsType::Other, 8},
                                  {"F8_E4M3FNUZ", SafetensorsType::Other, 8},
                                  {"F8_E5M2FNUZ", SafetensorsType::Other, 8},
                                  {"F6_E2M3", SafetensorsType::Other, 6},
                                  {"F6_E3M2", SafetensorsType::Other, 6},
                                  {"F4", SafetensorsType::Other, 4}};

/// {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, …, "__metadata__": {"key": "text"}}
class TableReader : public nlohmann::json_sax<nlohmann::json> {
public:
  std::vector<SafetensorsTensor> tensors;
  std::string problem;

  bool null() override { return unexpected(); }
  bool boolean(bool) override { return unexpected(); }
  bool number_integer(number_integer_t) override { return unexpected(); }
  bool number_float(number_float_t, const string_t &) override { return unexpected(); }
  bool binary(binary_t &) override { return unexpected(); }

  bool number_unsigned(number_unsigned_t value) override {
    if (!inArray)
      return unexpected();
    if (field == "shape" && tensors.back().shape.size() < kMostDimensions)
      return tensors.back().shape.push_back(value), true;
    if (field == "data_offsets" && offsets < 2)
      return (offsets++ ? tensors.back().bytes : tensors.back().offset) = value, true;
    return fail("has too many numbers in \"" + field + "\"");
  }
  bool string(string_t &value) override {
    if (depth == 2 && inMetadata)
      return true;
    if (depth != 2 || inArray || field != "dtype")
      return unexpected();
    tensors.back().typeName = value;
    return true;
  }
  bool start_object(std::size_t) override {
    if (inArray || depth > 1)
      return unexpected();
    if (depth++ == 1 && !inMetadata)
      tensors.push_back({.name = field, .typeName = "", .shape = {}}), offsets = 0, hasShape = false;
    return true;
  }
  bool key(string_t &name) override {
    if (depth == 1) {
      inMetadata = name == "__metadata__";
      field = std::move(name);
      return true;
    }
    field = std::move(name);
    return inMetadata || field == "dtype" || field == "shape" || field == "data_offsets" ||
           fail("has an unknown key " + quote(field));
  }
  bool end_object() override {
    if (depth-- == 2 && !inMetadata && (offsets != 2 || !hasShape || tensors.back().typeName.empty()))
      return fail("lacks one of \"dtype\", \"shape\" and \"data_offsets\"");
    return true;
  }
  bool start_array(std::size_t) override {
    if (depth != 2 || inMetadata || inArray || (field != "shape" && field != "data_offsets"))
      return unexpected();
    if (field == "shape" ? std::exchange(hasShape, true) : offsets != 0)
      return fail("has \"" + field + "\" twice");
    return inArray = true;
  }
  bool end_array() override { return inArray = false, true; }
  bool parse_error(std::size_t position, const std::string &, const nlohmann::json::exception &) override {
    problem = "is not valid JSON at byte " + std::to_string(8 + position);
    return false;
  }

private:
  bool fail(const std::string &what) {
    problem = tensors.empty() ? what : "tensor " + quote(tensors.back().name) + " " + what;
    return false;
  }
  bool unexpected() { return fail(depth == 0 ? "is no object" : "has a value of the wrong kind at " + quote(field)); }

  int depth = 0, offsets = 0;
  bool inArray = false, inMetadata = false, hasShape = false;
  std::string field;
};

/// Elements of a shape; nothing when the count passes 64 bits.
std::optional<std::uint64_t> elementsOf(const SafetensorsTensor &tensor) {
  std::uint64_t count = 1;
  for (std::uint64_t size : tensor.shape)
    if (__builtin_mul_overflow(count, size, &count))
      return std::nullopt;
  return count;
}

/// Makes offset and bytes of a tensor, which hold begin and end within the data, those within the file.
std::optional<std::string> placeTensor(SafetensorsTensor &tensor, std::uint64_t dataBegin, std::uint64_t dataBytes) {
  auto type = std::ranges::find(kTypes, tensor.typeName, &ElementType::name);
  std::uint64_t begin = tensor.offset, end = tensor.bytes;
  if (type == std::end(kTypes))
    return "has unknown element type " + quote(tensor.typeName);
  if (begin > end || end > dataBytes)
    return "lies at bytes " + std::to_string(begin) + " to " + std::to_string(end) + " of " +
           std::to_string(dataBytes) + " bytes of data";
  auto count = elementsOf(tensor);
  if (!count || *count > std::numeric_limits<std::uint64_t>::max() / 64 || *count * type->bits % 8 ||
      *count * type->bits / 8 != end - begin)
    return "has " + std::to_string(end - begin) + " bytes, which its shape and element type " + tensor.typeName +
           " do not make";
  tensor.type = type->type;
  tensor.offset = dataBegin + begin;
  tensor.bytes = end - begin;
  return std::nullopt;
}

std::optional<std::string> checkTable(std::vector<SafetensorsTensor> &table) {
  std::ranges::sort(table, {}, &SafetensorsTensor::offset);
  for (std::size_t i = 1; i < table.size(); ++i)
    if (table[i].offset < table[i - 1].offset + table[i - 1].bytes)
      return "tensors " + quote(table[i - 1].name) + " and " + quote(table[i].name) + " overlap";
  std::ranges::sort(table, {}, &SafetensorsTensor::name);
  for (std::size_t i = 1; i < table.size(); ++i)
    if (table[i].name == table[i - 1].name)
      return "tensor " + quote(table[i].name) + " appears twice";
  return std::nullopt;
}

} // namespace

bool SafetensorsTensor::hasShape(std::uint64_t rows, std::uint64_t cols) const {
  return shape == std::vector<std::uint64_t>{rows, cols} || (rows == 1 && shape == std::vector<std::uint64_t>{cols});
}

Result<std::shared_ptr<const SafetensorsFile>> SafetensorsFile::open(const std::string &path) {
  auto mapped = MappedFile::open(path);
  if (!mapped)
    return mapped.error();
  auto bytes = (*mapped)->bytes();
  auto broken = [&](const std::string &what) {
    return Error{path, what + "; the file is damaged, fetch or export it again"};
  };
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < 8 && i < bytes.size(); ++i)
    length |= std::uint64_t{bytes[i]} << (8 * i);
  if (bytes.size() < 8 || length > bytes.size() - 8 || length > kLargestTable)
    return broken("the table's length, in the first 8 bytes, is " + std::to_string(length) + ", the file has " +
                  std::to_string(bytes.size()) + " bytes");
  TableReader reader;
  const auto *text = reinterpret_cast<const char *>(bytes.data()) + 8;
  if (!nlohmann::json::sax_parse(text, text + length, &reader))
    return broken("the table at byte 8: " + reader.problem);
  for (SafetensorsTensor &tensor : reader.tensors)
    if (auto problem = placeTensor(tensor, 8 + length, bytes.size() - 8 - length))
      return broken("tensor " + quote(tensor.name) + " " + *problem);
  if (auto problem = checkTable(reader.tensors))
    return broken(*problem);
  std::shared_ptr<SafetensorsFile> out(new SafetensorsFile());
  out->filePath = path;
  out->file = std::move(*mapped);
  out->table = std::move(reader.tensors);
  return std::shared_ptr<const SafetensorsFile>(out);
}

const SafetensorsTensor *SafetensorsFile::find(std::string_view name) const {
  auto it =
      std::ranges::lower_bound(table, name, {}, [](const SafetensorsTensor &t) { return std::string_view(t.name); });
  return it != table.end() && it->name == name ? &*it : nullptr;
}

void SafetensorsFile::decode(const SafetensorsTensor &tensor, std::uint64_t first, std::span<float> out) const {
  std::uint32_t number = tensor.type == SafetensorsType::F32 ? 0 : tensor.type == SafetensorsType::F16 ? 1 : 30;
  const TensorType &type = *findTensorType(number);
  type.decode(data(tensor).subspan(first * type.blockBytes, out.size() * type.blockBytes), out);
}

} // namespace lpu::compiler
