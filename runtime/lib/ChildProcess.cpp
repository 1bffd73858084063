// posix_spawn with stderr in a file, so that a chatty child cannot block on a pipe
// nobody reads.
#include "ChildProcess.h"

#include "lpu/isa/Files.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lpu::rt {
namespace {

std::string lastLine(std::string text) {
  while (!text.empty() && text.back() == '\n')
    text.pop_back();
  std::size_t start = text.rfind('\n');
  return start == std::string::npos ? text : text.substr(start + 1);
}

/// "place: error: message" as an error again.
Error parseError(const std::string &line, const std::string &tool) {
  constexpr std::string_view mark = "error: ";
  std::size_t at = line.find(mark);
  if (at == std::string::npos)
    return {tool, line.empty() ? "failed without a message; please report it" : line};
  std::string place = line.substr(0, at);
  while (!place.empty() && (place.back() == ' ' || place.back() == ':'))
    place.pop_back();
  return {place, line.substr(at + mark.size())};
}

Error notStarted(const std::string &tool, int why) {
  return {tool,
          std::string("cannot be started: ") + std::strerror(why) + "; install or build all tools into one folder"};
}

} // namespace

Status runChild(const std::vector<std::string> &command, const TemporaryFolder &scratch) {
  std::vector<char *> arguments;
  for (const std::string &word : command)
    arguments.push_back(const_cast<char *>(word.c_str()));
  arguments.push_back(nullptr);
  std::string errors = scratch / "stderr";
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, errors.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  pid_t child = 0;
  int why = posix_spawn(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (why)
    return notStarted(command[0], why);
  int status = 0;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR)
      return notStarted(command[0], errno);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
    return Ok{};
  if (WIFSIGNALED(status))
    return Error{command[0],
                 std::string("was ended by a signal: ") + strsignal(WTERMSIG(status)) + "; it may need more memory"};
  auto text = readFile(errors);
  return parseError(text ? lastLine(*text) : "", command[0]);
}

} // namespace lpu::rt
