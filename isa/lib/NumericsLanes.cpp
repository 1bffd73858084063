// Lane loops of the VXM operations. Highway compiles this file once per
// instruction set and picks the best one the host has; the loops are plain C++
// over LaneOps.h, vectorised by the compiler, so all of them give the same bits.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "NumericsLanes.cpp"
#include "hwy/foreach_target.h" // must come before highway.h

#include "LaneOps.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lpu::isa::HWY_NAMESPACE {
namespace {

/// One operation; reads only the operands it has.
template <Opcode Op, int Operands>
HWY_ATTR void loop(const std::uint32_t *a, const std::uint32_t *b, const std::uint32_t *c, std::uint32_t *out,
                   int lanes) {
  for (int i = 0; i < lanes; ++i)
    out[i] = lane(Op, a[i], Operands > 1 ? b[i] : 0, Operands > 2 ? c[i] : 0);
}

HWY_ATTR void run(Opcode opcode, const std::uint32_t *a, const std::uint32_t *b, const std::uint32_t *c,
                  std::uint32_t *out, int lanes) {
  switch (opcode) {
#define INSTRUCTION(ENUM, MNEMONIC, UNIT, LATENCY, DOC)
#define VXM_OP(ENUM, MNEMONIC, LATENCY, OPERANDS, DOC)                                                                 \
  case Opcode::ENUM:                                                                                                   \
    return loop<Opcode::ENUM, OPERANDS>(a, b, c, out, lanes);
#include "lpu/isa/Instructions.def"
  default:
    return;
  }
}

} // namespace
} // namespace lpu::isa::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lpu::isa {

HWY_EXPORT(run);

void vxmOp(Opcode opcode, const std::uint32_t *a, const std::uint32_t *b, const std::uint32_t *c, std::uint32_t *out,
           int lanes) {
  HWY_DYNAMIC_DISPATCH(run)(opcode, a, b, c, out, lanes);
}

} // namespace lpu::isa
#endif
