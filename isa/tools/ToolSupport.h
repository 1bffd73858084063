// What the isa tools share: reading and writing whole files, the single error
// line, and command line parsing with its exit codes (1 input, 2 usage).
#pragma once

#include "lpu/isa/Result.h"
#include "lpu/isa/Version.h"

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
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

inline Result<std::string> readFile(const std::string &path) {
  errno = 0;
  if (std::filesystem::is_directory(path))
    return Error{path, "is a folder; give a file"};
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  if (!in || !(text << in.rdbuf() || in.peek() == EOF))
    return Error{path, std::string("cannot read: ") + std::strerror(errno) + "; check the path"};
  return text.str();
}

inline Status writeFile(const std::string &path, const std::string &text) {
  errno = 0;
  std::ofstream out(path, std::ios::binary);
  out << text << std::flush;
  if (!out)
    return Error{path, std::string("cannot write: ") + std::strerror(errno) + "; check the folder and its permissions"};
  return Ok{};
}

} // namespace lpu::tools
