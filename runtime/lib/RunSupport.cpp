// One line an error, whatever is in it.
#include "RunSupport.h"

#include <fmt/format.h>

#include <algorithm>
#include <ostream>
#include <sys/resource.h>

namespace lpu::rt {

int fail(const Terminal &terminal, const Error &error, int code) {
  std::string line = error.str();
  std::replace_if(
      line.begin(), line.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; }, ' ');
  terminal.err << line << '\n' << std::flush;
  return code;
}

std::string hex(std::span<const std::uint8_t> bytes) {
  std::string out;
  for (std::uint8_t b : bytes)
    out += fmt::format("{:02x}", b);
  return out;
}

std::uint64_t peakRssBytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024; // Linux counts KiB
}

} // namespace lpu::rt
