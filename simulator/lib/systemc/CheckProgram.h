// Is a program one that can be simulated?
#pragma once

#include "lpu/isa/Program.h"

namespace lpu::sim {

Status checkProgram(const isa::Program &program);

} // namespace lpu::sim
