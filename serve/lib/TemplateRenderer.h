// Chat templates, rendered by python3-jinja2's sandbox in a child process that lives as long as its model is served.
#pragma once

#include "lpu/serve/Request.h"

#include <memory>
#include <string>
#include <sys/types.h>
#include <vector>

namespace lpu::serve {

struct TemplateInput {
  std::string source; ///< Jinja
  std::vector<Message> messages;
  std::string bos, eos; ///< as the vocabulary spells them
};

/// The child has little memory, no files and seconds to answer. One that fails is started again. Not to be used from
/// several threads at once.
class TemplateRenderer {
public:
  /// Error: there is no Python, or no python3-jinja2.
  static Result<std::unique_ptr<TemplateRenderer>> start();
  ~TemplateRenderer();

  /// Error: the template's syntax is wrong.
  Status check(const std::string &source);
  /// Error: the template is wrong, or refuses these messages, in its own words.
  Result<std::string> render(const TemplateInput &input);

private:
  TemplateRenderer() = default;
  Status spawn();
  void end();
  Result<std::string> ask(const std::string &line);
  /// A line of the child's; none: it has ended, or takes too long.
  std::optional<std::string> readLine();

  pid_t child = -1;
  int toChild = -1, fromChild = -1;
  std::string rest; ///< read behind the last line
};

} // namespace lpu::serve
