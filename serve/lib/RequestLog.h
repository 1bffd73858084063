// A line of JSON for every request that was answered: who got what when, and nothing of what was said.
#pragma once

#include "lpu/isa/Result.h"
#include "lpu/serve/Outcome.h"

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace lpu::serve {

struct LogEntry {
  std::string id, model; ///< `model` is empty if the request was refused before it had one
  int status = 200;      ///< 499: the client left before its answer was there
  std::string code;      ///< of a refusal
  const std::vector<Choice> &choices;
  const Usage &usage;
};

class RequestLog {
public:
  /// Appends to a file. Error: it cannot be written.
  static Result<std::unique_ptr<RequestLog>> open(const std::string &path);
  /// One line, written at once. What goes wrong is told once, on stderr.
  void write(const LogEntry &entry);

private:
  using File = std::unique_ptr<std::FILE, decltype(&std::fclose)>;
  explicit RequestLog(File file) : file(std::move(file)) {}

  File file;
  bool failed = false;
};

} // namespace lpu::serve
