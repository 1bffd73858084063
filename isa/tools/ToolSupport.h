// What the isa tools share: the single error line, and command line parsing with
// its exit codes (1 input, 2 usage).
#pragma once

#include "lpu/isa/Files.h"
#include "lpu/isa/Version.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <optional>
#include <string>

namespace lpu::tools {

inline int fail(const Error &error) {
  std::fprintf(stderr, "%s\n", error.str().c_str());
  return 1;
}

/// Exit code when the command line was wrong or asked for help.
inline std::optional<int> parseArguments(CLI::App &app, int argc, char **argv) {
  app.set_version_flag("--version", isa::versionLine(app.get_name()), "version, commit and instruction set");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &e) {
    if (e.get_exit_code() == 0)
      return app.exit(e);
    std::fprintf(stderr, "%s: error: %s; try --help\n", app.get_name().c_str(), e.what());
    return 2;
  }
  return std::nullopt;
}

} // namespace lpu::tools
