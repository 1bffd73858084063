// Fuzzes the reader of safetensors files and the decoding of every tensor it accepts.

#include "InMemoryFile.h"

#include "SafetensorsFile.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  using lpu::compiler::SafetensorsType;
  lpu::test::InMemoryFile input(data, size);
  auto file = lpu::compiler::SafetensorsFile::open(input.path());
  if (!file)
    return 0;
  std::vector<float> values(16);
  for (const auto &tensor : (*file)->tensors()) {
    bool isFloat = tensor.type == SafetensorsType::F32 || tensor.type == SafetensorsType::F16 ||
                   tensor.type == SafetensorsType::BF16;
    std::size_t elements = tensor.bytes / (tensor.type == SafetensorsType::F32 ? 4 : 2);
    for (std::size_t first = 0; isFloat && first < elements; first += values.size())
      (*file)->decode(tensor, first, std::span(values).first(std::min(values.size(), elements - first)));
  }
  return 0;
}
