// Opens a compiled program for running.
#pragma once

#include "lpu/isa/Program.h"
#include "lpu/isa/Result.h"

#include <string>

namespace lpu::rt {

/// readProgram, then checkRunnable.
Result<isa::Program> loadProgram(const std::string &path);

/// Every step must have what a session needs: inputs "token" and "position" (one
/// int32 per token) on some chips, and outputs "logits" (float32, on all chips
/// together at least the vocabulary per token). `path` stands in messages.
Status checkRunnable(const isa::Program &program, const std::string &path);

/// A binding by name; null if there is none.
const isa::Binding *findBinding(const std::vector<isa::Binding> &bindings, std::string_view name);

} // namespace lpu::rt
