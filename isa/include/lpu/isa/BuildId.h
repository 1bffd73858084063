// Which executable made a report: a hash over its bytes.
#pragma once

#include <string>

namespace lpu::isa {

/// 16 hexadecimal digits: the same for the same executable file, another one whenever its code or data differ. Empty if
/// the file cannot be read. What it loads at run time (the C++ library, LLVM, SystemC) is not in it.
std::string buildId();
/// The same of another executable: what it says of itself.
std::string buildIdOf(const std::string &executable);

} // namespace lpu::isa
