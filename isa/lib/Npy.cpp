// NumPy format 1.0: magic, header length, a Python dictionary padded to 64 bytes, data. Little-endian only.
#include "lpu/isa/Npy.h"

#include "lpu/isa/Files.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <bit>
#include <cstdio>
#include <cstring>
#include <optional>
#include <sstream>

namespace lpu {
namespace {

static_assert(std::endian::native == std::endian::little, "values are copied as they are");

constexpr std::string_view kMagic("\x93NUMPY\x01\x00", 8);

struct Header {
  std::string descr; ///< as '<f4'
  std::vector<std::size_t> shape;
};

/// The header of what `in` begins with, in C order; nothing: another format.
std::optional<Header> readHeader(std::istream &in) {
  char preamble[10] = {};
  in.read(preamble, sizeof preamble);
  if (!in || std::string_view(preamble, kMagic.size()) != kMagic)
    return std::nullopt;
  std::string text(static_cast<unsigned char>(preamble[8]) + 256u * static_cast<unsigned char>(preamble[9]), '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  std::size_t descr = text.find("'descr': '"), shape = text.find("'shape': (");
  if (!in || descr == std::string::npos || shape == std::string::npos ||
      text.find("'fortran_order': False") == std::string::npos)
    return std::nullopt;
  Header header;
  header.descr = text.substr(descr + 10, text.find('\'', descr + 10) - descr - 10);
  const char *at = text.c_str() + shape + 10;
  std::size_t length = 0;
  for (int used = 0; std::sscanf(at, " %zu%n", &length, &used) == 1; at += *at == ',') {
    header.shape.push_back(length);
    at += used;
  }
  return *at == ')' || *at == ' ' ? std::optional(header) : std::nullopt;
}

} // namespace

std::string npyBytes(std::span<const float> values, std::span<const std::size_t> shape) {
  std::string header =
      fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}), }}", fmt::join(shape, ", "));
  constexpr std::size_t kPreamble = 10; // magic 6, version 2, header length 2
  header.append(63 - (kPreamble + header.size()) % 64, ' ');
  header += '\n';
  std::string out(kMagic);
  out += static_cast<char>(header.size() & 0xFF);
  out += static_cast<char>(header.size() >> 8);
  out += header;
  out.append(reinterpret_cast<const char *>(values.data()), values.size_bytes());
  return out;
}

Status writeNpy(const std::string &path, std::span<const float> values, std::span<const std::size_t> shape) {
  return writeFileAtomically(path, npyBytes(values, shape));
}

Status writeNpy(const std::string &path, std::span<const float> values, std::size_t rows, std::size_t columns) {
  std::size_t shape[] = {rows, columns};
  return writeNpy(path, values, shape);
}

Result<std::vector<std::int64_t>> readNpyNumbers(const std::string &path) {
  auto content = readFile(path); // says what is wrong with the path
  if (!content)
    return content.error();
  std::istringstream in(*content);
  std::optional<Header> header = readHeader(in);
  const Error bad{path, "is no .npy file of token ids: int32 or int64, of shape [n] or [1, n]"};
  if (!header || (header->descr != "<i4" && header->descr != "<i8") || header->shape.empty() ||
      header->shape.size() > 2 || (header->shape.size() == 2 && header->shape.front() != 1))
    return bad;
  std::size_t width = header->descr == "<i4" ? 4 : 8, count = header->shape.back(),
              begin = static_cast<std::size_t>(in.tellg());
  if (count > content->size() || content->size() - begin != count * width)
    return bad;
  std::vector<std::int64_t> values(count);
  for (std::size_t i = 0; i < count; ++i) {
    std::int32_t narrow = 0;
    std::memcpy(width == 4 ? static_cast<void *>(&narrow) : &values[i], content->data() + begin + i * width, width);
    if (width == 4)
      values[i] = narrow;
  }
  return values;
}

Result<NpyRows> NpyRows::open(const std::string &path) {
  NpyRows out;
  out.path = path;
  out.file.open(path, std::ios::binary);
  std::optional<Header> header = readHeader(out.file);
  if (!header || header->descr != "<f4" || header->shape.size() != 2)
    return Error{path, "is no .npy file of a float32 matrix; write it with --logits"};
  out.height = header->shape[0], out.width = header->shape[1];
  return out;
}

Status NpyRows::next(std::vector<float> &row) {
  row.resize(width);
  file.read(reinterpret_cast<char *>(row.data()), static_cast<std::streamsize>(width * sizeof(float)));
  if (!file)
    return Error{path, "ends before its last row; write it again"};
  return Ok{};
}

} // namespace lpu
