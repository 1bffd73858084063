// The matrices of models whose files keep several in one tensor. Internal to the importer.
#pragma once

#include "WeightSource.h"

namespace lpu::compiler {

/// `source`, or if the shape's files are fused a source that has the graph's matrices: rows of attn_qkv and ffn_up.
std::unique_ptr<const WeightSource> splitFused(std::unique_ptr<const WeightSource> source, const ModelShape &shape);

} // namespace lpu::compiler
