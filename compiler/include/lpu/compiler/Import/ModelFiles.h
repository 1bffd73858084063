// Which files a model consists of.
#pragma once

#include <string>
#include <vector>

namespace lpu::compiler {

/// Files and folders that WeightStore::open(name) reads. A folder stands for what is in it, the first part of a split
/// GGUF file for all. Just the path, if it cannot be read.
std::vector<std::string> modelFiles(const std::string &name);

} // namespace lpu::compiler
