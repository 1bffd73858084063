// Which build this is. The commit is known to executables alone (library lpu_version),
// so that nothing else is linked anew with every commit.
#pragma once

#include <string>
#include <string_view>

namespace lpu::isa {

/// Of the whole project, as in CMakeLists.txt: "0.9.0".
std::string_view version();

/// What the sources were: a commit, followed by "+changes" if files differed from it; "unknown" outside of a checkout.
std::string_view commit();

/// What every tool prints for --version, and what a compiled program says of its origin:
/// "lpucc 0.9.0, commit 0123456789ab, instruction set 0123456789abcdef".
std::string versionLine(std::string_view tool);

} // namespace lpu::isa
