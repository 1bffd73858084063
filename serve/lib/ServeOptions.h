// lpu-serve's options.
#pragma once

#include "Server.h"
#include "lpu/serve/Engine.h"

#include <optional>
#include <string>
#include <vector>

namespace lpu::serve {

struct ServeOptions {
  std::vector<ModelSource> models;
  std::vector<std::string> compilerFlags; ///< for models that are compiled first
  ServerOptions server;
  EngineOptions engine;
  ServiceOptions service;
  std::string requestLog; ///< empty: none
  bool insecure = false;  ///< other addresses than loopback without keys
};

/// Options to run with, or text to print and the code to exit with.
struct ParsedServeOptions {
  std::optional<ServeOptions> options;
  std::string output; ///< for stdout: help or version
  std::string error;  ///< one line for stderr
  int exitCode = 0;
};

ParsedServeOptions parseServeOptions(int argc, const char *const *argv, const std::string &version);

} // namespace lpu::serve
