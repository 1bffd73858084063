// Fuzzes the assembler, for the small machine.

#include "lpu/isa/Assembler.h"
#include "lpu/isa/Machine.h"

#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  static const auto machine = lpu::isa::loadMachine("small");
  std::string_view text(reinterpret_cast<const char *>(data), size);
  (void)lpu::isa::assembleProgram(text, "fuzz.s", *machine);
  return 0;
}
