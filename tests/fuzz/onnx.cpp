// Fuzzes the reader of ONNX files, the walk over their graphs, and the decoding of every tensor an encoder takes.

#include "InMemoryFile.h"

#include "OnnxGraph.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  lpu::test::InMemoryFile input(data, size);
  auto file = lpu::compiler::OnnxFile::open(input.path());
  if (!file)
    return 0;
  auto model = lpu::compiler::readOnnxGraph(**file);
  if (!model)
    return 0;
  float sum = 0;
  for (const auto &[name, weight] : model->weights)
    for (std::uint32_t row = 0; row < weight.rows(); ++row)
      for (std::uint32_t col = 0; col < weight.cols(); ++col)
        sum += weight.value(row, col) + (weight.hasCodes() ? 1.0f : 0.0f);
  (void)sum;
  return 0;
}
