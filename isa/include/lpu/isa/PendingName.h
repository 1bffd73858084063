// Where a file is written before it appears under its own name.
#ifndef LPU_ISA_PENDINGNAME_H
#define LPU_ISA_PENDINGNAME_H

#include <filesystem>
#include <string>
#include <unistd.h>

namespace lpu::isa {

/// A name beside `target` to write to and rename from, so that nobody sees half a file. Devices and pipes are written
/// in place (the result is `target` itself): a rename would replace /dev/null by a regular file.
inline std::string pendingName(const std::string &target) {
  std::error_code ec;
  bool inPlace = std::filesystem::exists(target, ec) && !std::filesystem::is_regular_file(target, ec) &&
                 !std::filesystem::is_directory(target, ec);
  return inPlace ? target : target + ".tmp" + std::to_string(::getpid());
}

} // namespace lpu::isa

#endif // LPU_ISA_PENDINGNAME_H
