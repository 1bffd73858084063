// fork and exec, with only calls between them that are safe there: limits and the tie to the
// parent must hold from the child's first instruction on.
#include "Child.h"

#include "lpu/explore/Executor.h"
#include "lpu/isa/Files.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

extern "C" { // which glibc 2.36 leaves out
#include <sys/pidfd.h>
}

extern char **environ;

namespace lpu::explore {
namespace {

namespace fs = std::filesystem;

std::vector<char *> pointers(const std::vector<std::string> &words) {
  std::vector<char *> list;
  for (const std::string &word : words)
    list.push_back(const_cast<char *>(word.c_str()));
  list.push_back(nullptr);
  return list;
}

/// Without what makes a program believe that mpirun started it.
std::vector<std::string> childEnvironment() {
  std::vector<std::string> words;
  for (char **entry = environ; *entry; ++entry)
    if (const std::string word = *entry; !word.starts_with("OMPI_") && !word.starts_with("PMIX_"))
      words.push_back(word);
  return words;
}

[[noreturn]] void becomeChild(char **command, char **environment, const char *folder, std::uint64_t memoryBytes,
                              pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent)
    _exit(126);
  signal(SIGINT, SIG_IGN); // the parent decides what a Ctrl-C ends
  if (memoryBytes) {
    const rlimit limit{memoryBytes, memoryBytes};
    setrlimit(RLIMIT_DATA, &limit);
  }
  const rlimit noCore{0, 0};
  setrlimit(RLIMIT_CORE, &noCore);
  const int null = open("/dev/null", O_RDWR),
            errors = chdir(folder) == 0 ? open("stderr", O_WRONLY | O_CREAT, 0600) : -1;
  dup2(null, STDIN_FILENO);
  dup2(null, STDOUT_FILENO);
  dup2(errors, STDERR_FILENO);
  execve(command[0], command, environment);
  _exit(127);
}

std::string lastLine(std::string text) {
  while (!text.empty() && text.back() == '\n')
    text.pop_back();
  const std::size_t start = text.rfind('\n');
  return start == std::string::npos ? text : text.substr(start + 1);
}

} // namespace

Result<Child> Child::start(const std::vector<std::string> &command, const std::string &folder,
                           std::uint64_t memoryBytes) {
  const std::vector<std::string> environment = childEnvironment();
  std::vector<char *> words = pointers(command), variables = pointers(environment);
  const pid_t parent = getpid(), pid = fork();
  if (pid == 0)
    becomeChild(words.data(), variables.data(), folder.c_str(), memoryBytes, parent);
  const int handle = pid > 0 ? pidfd_open(pid, 0) : -1;
  if (handle < 0)
    return Error{command[0],
                 fmt::format("cannot be started: {}; run fewer at a time with --jobs", std::strerror(errno))};
  return Child(pid, handle, folder);
}

Child::Child(Child &&other) noexcept : pid(other.pid), handle(other.handle), folder(std::move(other.folder)) {
  other.pid = other.handle = -1;
}

Child::~Child() {
  if (pid > 0) {
    kill();
    reap();
  }
}

void Child::kill() {
  if (pid > 0)
    ::kill(pid, SIGKILL);
}

bool Child::waitFor(double seconds) {
  pollfd end{handle, POLLIN, 0};
  const int milliseconds = seconds > 0 ? static_cast<int>(std::min(seconds * 1e3, 2e9)) : -1;
  int ready = 0;
  while ((ready = poll(&end, 1, milliseconds)) < 0 && errno == EINTR)
    ;
  if (ready == 0)
    kill();
  return ready != 0;
}

ChildEnd Child::reap() {
  int status = 0;
  rusage used{};
  while (wait4(pid, &status, 0, &used) < 0 && errno == EINTR)
    ;
  close(handle);
  pid = handle = -1;
  ChildEnd end;
  end.hasExited = WIFEXITED(status);
  end.code = end.hasExited ? WEXITSTATUS(status) : WTERMSIG(status);
  const auto seconds = [](const timeval &t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  end.cpuSeconds = seconds(used.ru_utime) + seconds(used.ru_stime);
  end.peakBytes = static_cast<std::uint64_t>(used.ru_maxrss) * 1024;
  if (const Result<std::string> text = readFile(folder + "/stderr"))
    end.lastLine = lastLine(*text);
  return end;
}

Result<std::string> findTool(const std::string &name) {
  std::error_code failed;
  const fs::path beside = fs::read_symlink("/proc/self/exe", failed).parent_path() / name;
  if (access(beside.c_str(), X_OK) == 0)
    return beside.string();
  const char *variable = std::getenv("PATH");
  const std::string folders = variable ? variable : "";
  for (std::size_t at = 0; at < folders.size();) {
    const std::size_t end = std::min(folders.find(':', at), folders.size());
    const fs::path path = fs::path(folders.substr(at, end - at)) / name;
    if (access(path.c_str(), X_OK) == 0)
      return path.string();
    at = end + 1;
  }
  return Error{name, "is neither beside lpu-explore nor in PATH; build or install all tools into one folder"};
}

} // namespace lpu::explore
