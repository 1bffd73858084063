// What an invocation reads and writes, compared before anything is written.
#pragma once

#include "lpu/isa/Result.h"

#include <string>
#include <vector>

namespace lpu::isa {

/// A file or folder, and the option that names it ("-o", "--report"; "the model" for an argument without a name).
struct FileUse {
  std::string option, path;
};

/// Adds a use, unless its path is empty.
void addUse(std::vector<FileUse> &uses, const std::string &option, const std::string &path);

/// The error if an output is an input or another output: the same file by name, by link or by inode. An input that is
/// a folder stands for the files of a model in it; one part of a split GGUF file stands for all; "-" is the file that
/// standard input comes from. Devices and pipes hold nothing that could be lost, and are not compared.
Status checkOutputs(const std::vector<FileUse> &inputs, const std::vector<FileUse> &outputs);

} // namespace lpu::isa
