// The table: a superlane into all, superlanes rotated, a lane into all of its
// superlane, lanes rotated within superlanes, blocks of superlanes exchanged, last
// superlanes spread over blocks.

#include "lpu/compiler/Support/SxmMaps.h"

namespace lpu::compiler {

std::int64_t sxmMap(const isa::Machine &machine, std::string_view kind, std::int64_t n) {
  std::int64_t superlanes = machine.superlanes, width = machine.lanesPerSuperlane;
  if (kind == "permute.broadcast")
    return n % superlanes;
  if (kind == "permute.rotate")
    return superlanes + n % superlanes;
  if (kind == "permute.exchange")
    return 2 * superlanes + 2 * width + (n - 1) % (superlanes / 2);
  if (kind == "permute.spread")
    return 2 * superlanes + 2 * width + superlanes / 2 + (n - 1) % superlanes;
  return 2 * superlanes + (kind == "distribute.rotate" ? width : 0) + n % width;
}

std::vector<std::vector<std::int16_t>> sxmMaps(const isa::Machine &machine) {
  int superlanes = machine.superlanes, width = machine.lanesPerSuperlane;
  std::vector<std::vector<std::int16_t>> maps;
  auto add = [&](auto source) {
    std::vector<std::int16_t> &map = maps.emplace_back();
    for (int lane = 0; lane < machine.lanes(); ++lane)
      map.push_back(static_cast<std::int16_t>(source(lane / width, lane % width)));
  };
  for (int n = 0; n < superlanes; ++n)
    add([&](int, int i) { return n * width + i; });
  for (int n = 0; n < superlanes; ++n)
    add([&](int k, int i) { return (k + n) % superlanes * width + i; });
  for (int n = 0; n < width; ++n)
    add([&](int, int) { return n; });
  for (int n = 0; n < width; ++n)
    add([&](int, int i) { return (i + n) % width; });
  for (int n = 1; n <= superlanes / 2; ++n)
    add([&](int k, int i) { return (k < n ? k + n : k < 2 * n ? k - n : k) * width + i; });
  for (int n = 1; n <= superlanes; ++n)
    add([&](int k, int i) { return (superlanes - 1 - k / n) * width + i; });
  return maps;
}

} // namespace lpu::compiler
