// Fuzzes the reader of machine descriptions. What it accepts must read back from
// its canonical text.

#include "lpu/isa/Machine.h"

#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char *>(data), size);
  auto machine = lpu::isa::parseMachine(text, "fuzz.yaml");
  if (!machine)
    return 0;
  std::string canonical = lpu::isa::writeMachine(*machine);
  auto again = lpu::isa::parseMachine(canonical, "again.yaml");
  if (!again || lpu::isa::writeMachine(*again) != canonical)
    std::abort();
  return 0;
}
