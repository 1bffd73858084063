// Registers that nobody has written hold zeros: after a hazard what follows in
// its burst may be executed without operands, and must not read what is not there.
#include "Wires.h"

#include <algorithm>

namespace lpu::sim {

namespace {

void growTo(std::vector<VectorValue> &values, std::size_t count, VectorPool &pool) {
  if (values.size() >= count)
    return;
  VectorValue zero = VectorValue::allocate(pool);
  std::fill_n(zero.writable(), pool.size(), 0);
  values.resize(count, zero);
}

} // namespace

void Registers::grow(std::size_t rowCount, VectorPool &rowPool, std::size_t wordCount, VectorPool &wordPool) {
  growTo(rows, rowCount, rowPool);
  growTo(words, wordCount, wordPool);
}

} // namespace lpu::sim
