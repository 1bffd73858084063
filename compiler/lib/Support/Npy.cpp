// NumPy format 1.0: magic, header length, a Python dictionary padded to 64 bytes, data.

#include "lpu/compiler/Support/Npy.h"

#include "lpu/isa/PendingName.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

namespace lpu::compiler {

Status writeNpy(const std::string &path, std::span<const float> values, std::size_t rows, std::size_t cols) {
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(rows) + ", " +
                       std::to_string(cols) + "), }";
  header.resize((10 + header.size() + 1 + 63) / 64 * 64 - 10 - 1, ' ');
  header += '\n';
  std::string temporary = isa::pendingName(path);
  std::ofstream out(temporary, std::ios::binary);
  const char magic[8] = {'\x93', 'N', 'U', 'M', 'P', 'Y', 1, 0};
  out.write(magic, sizeof magic);
  out.put(static_cast<char>(header.size() & 255)).put(static_cast<char>(header.size() >> 8));
  out << header;
  out.write(reinterpret_cast<const char *>(values.data()), static_cast<std::streamsize>(values.size_bytes()));
  out.close();
  if (out && (temporary == path || std::rename(temporary.c_str(), path.c_str()) == 0))
    return Ok{};
  Error error{path, std::string("cannot be written: ") + std::strerror(errno) + "; check the folder and free space"};
  if (temporary != path)
    std::remove(temporary.c_str());
  return error;
}

} // namespace lpu::compiler
