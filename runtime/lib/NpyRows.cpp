// Only what the project's own writers make: format 1.0, little-endian float32, C
// order, two dimensions.
#include "NpyRows.h"

#include <cstdio>

namespace lpu::rt {

Result<NpyRows> NpyRows::open(const std::string &path) {
  NpyRows out;
  out.path = path;
  out.file.open(path, std::ios::binary);
  unsigned char preamble[10] = {};
  out.file.read(reinterpret_cast<char *>(preamble), sizeof preamble);
  std::string header(preamble[8] + 256u * preamble[9], '\0');
  out.file.read(header.data(), static_cast<std::streamsize>(header.size()));
  std::size_t shape = header.find("'shape': (");
  bool known = out.file && header.find("'<f4'") != std::string::npos && header.find("False") != std::string::npos;
  if (!known || shape == std::string::npos ||
      std::sscanf(header.c_str() + shape, "'shape': (%zu, %zu)", &out.height, &out.width) != 2)
    return Error{path, "is no .npy file of a float32 matrix; write it with --logits"};
  return out;
}

Status NpyRows::next(std::vector<float> &row) {
  row.resize(width);
  file.read(reinterpret_cast<char *>(row.data()), static_cast<std::streamsize>(width * sizeof(float)));
  if (!file)
    return Error{path, "ends before its last row; write it again"};
  return Ok{};
}

} // namespace lpu::rt
