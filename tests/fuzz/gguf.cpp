// Fuzzes the GGUF reader: the structure, the checks of a Llama, and the decoding
// of every tensor it accepts.

#include "InMemoryFile.h"

#include "lpu/compiler/Import/WeightStore.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  lpu::test::InMemoryFile input(data, size);
  auto file = lpu::compiler::GgufFile::open(input.path());
  if (!file)
    return 0;
  auto store = lpu::compiler::WeightStore::open(input.path());
  if (!store)
    return 0;
  // A tensor cannot be larger than the file by more than its type's compression (4 bits of 32), so this is bounded.
  for (const auto &tensor : (*file)->tensors())
    (void)(*store)->load(tensor.name);
  return 0;
}
