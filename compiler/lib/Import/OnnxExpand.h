// Makes an ONNX graph plain before anything is matched: fused operators (ONNX Runtime's
// com.microsoft and the newer ones of ONNX itself) become those they stand for, and
// nodes come in an order in which each follows what it takes.
#pragma once

#include "OnnxProto.h"

#include <string>

namespace lpu::compiler {

/// Empty, or what is wrong with the graph.
std::string expandOnnx(onnx::GraphProto &graph);

} // namespace lpu::compiler
