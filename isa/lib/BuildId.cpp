// Read once, when somebody asks.
#include "lpu/isa/BuildId.h"

#include "lpu/isa/Hash.h"

#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <vector>

namespace lpu::isa {

std::string buildIdOf(const std::string &executable) {
  std::ifstream file(executable, std::ios::binary);
  const std::vector<std::uint8_t> bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  return bytes.empty() ? std::string() : fmt::format("{:016x}", hash64(bytes));
}

std::string buildId() {
  static const std::string id = buildIdOf("/proc/self/exe");
  return id;
}

} // namespace lpu::isa
