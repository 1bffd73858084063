// What a process has written to a pipe or a terminal is not seen before the process at the other end has read it.
// Open MPI's mpirun reads through an event loop, and leaves that loop when a process ends with an error.
#include "lpu/sim/Simulator.h"

#include <chrono>
#include <cstdlib>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace lpu::sim {

namespace {

/// Bytes written to `fd` that nobody has read; 0 where that cannot be asked, as for a file.
int unread(int fd) {
  struct stat info {};
  if (fstat(fd, &info) != 0)
    return 0;
  int bytes = 0;
  if (S_ISFIFO(info.st_mode))
    return ioctl(fd, FIONREAD, &bytes) == 0 ? bytes : 0;
  return isatty(fd) && ioctl(fd, TIOCOUTQ, &bytes) == 0 ? bytes : 0;
}

} // namespace

void awaitLauncher() {
  using namespace std::chrono;
  if (!std::getenv("OMPI_COMM_WORLD_RANK"))
    return; // other readers may well wait for the end before they read
  // A reader that never reads must not keep a run from ending.
  const auto end = steady_clock::now() + minutes(2);
  while (unread(STDOUT_FILENO) + unread(STDERR_FILENO) > 0 && steady_clock::now() < end)
    std::this_thread::sleep_for(milliseconds(1));
}

} // namespace lpu::sim
