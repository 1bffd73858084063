// Fuzzes the reader of precisions of single layers.

#include "lpu/compiler/Support/PrecisionPlan.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  auto plan = lpu::compiler::PrecisionPlan::parse({}, {reinterpret_cast<const char *>(data), size}, "fuzz.yaml");
  if (plan)
    for (const char *tensor : {"blk.3.ffn_down.weight", "output.weight", "blk."})
      (void)(plan->weights(tensor).size() + plan->activations(tensor).size());
  return 0;
}
