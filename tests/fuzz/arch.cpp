// Fuzzes the reader of model shapes.

#include "ArchFile.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  (void)lpu::compiler::parseArch({reinterpret_cast<const char *>(data), size}, "fuzz.yaml");
  return 0;
}
