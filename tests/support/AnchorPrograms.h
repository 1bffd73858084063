// Four programs for tsp1 that use the chip in ways whose power is known from its
// publications, or from sums by hand: nothing, a decode sweep, a dense int8 GEMM,
// every unit at once. No link is powered.
#pragma once

#include "ProgramBuilder.h"

namespace lpu::test {

/// `cycles`: of the steady state.
isa::Program idleProgram(int cycles);
/// 20,480 weight bytes a cycle from 64 slices into four planes, two vectors played on each tile.
isa::Program decodeSweepProgram(int cycles);
/// Weights stay; every plane plays a vector in every cycle, and 16 ALUs scale the results to int8.
isa::Program denseGemmProgram(int cycles);
/// The sweep's weights, a play in every cycle that installs nothing, and the GEMM's ALUs, with the SXM.
isa::Program allUnitsProgram(int cycles);

} // namespace lpu::test
