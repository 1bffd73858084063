// The compiler is another executable: the service knows nothing of it but its command line.
#include "Compile.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lpu::serve {

namespace fs = std::filesystem;

bool isProgram(const std::string &path) { return path.ends_with(".lpx"); }

Status compileModel(const std::string &model, const std::vector<std::string> &flags, const std::string &program) {
  std::error_code ec;
  const std::string compiler = (fs::read_symlink("/proc/self/exe", ec).parent_path() / "lpucc").string();
  std::vector<std::string> words{compiler, model, "-o", program};
  words.insert(words.end(), flags.begin(), flags.end());
  std::vector<char *> arguments;
  for (std::string &word : words)
    arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
  pid_t child = 0;
  const int why = posix_spawn(&child, compiler.c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (why)
    return Error{compiler, fmt::format("cannot be started: {}; install or build all tools into one folder, or give a "
                                       "compiled program (.lpx)",
                                       std::strerror(why))};
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
    return Ok{};
  return Error{model, "could not be compiled; lpucc has said why"};
}

} // namespace lpu::serve
