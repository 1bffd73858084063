// One child process in a folder.
#pragma once

#include "lpu/isa/Result.h"

#include <cstdint>
#include <string>
#include <vector>

namespace lpu::explore {

struct ChildEnd {
  bool hasExited = false;
  int code = 0; ///< exit code, or the signal
  double cpuSeconds = 0;
  std::uint64_t peakBytes = 0;
  std::string lastLine; ///< of stderr
};

/// Runs in its folder, reads nothing, writes stderr into the folder's file "stderr". Dies with its parent.
class Child {
public:
  /// Error: it could not be started.
  static Result<Child> start(const std::vector<std::string> &command, const std::string &folder,
                             std::uint64_t memoryBytes);
  Child(Child &&other) noexcept;
  Child &operator=(Child &&other) = delete;
  ~Child();

  int descriptor() const { return handle; } ///< readable when it has ended
  void kill();
  /// False: it had not ended after so long (0: any time), and was killed. reap() has its end in both cases.
  bool waitFor(double seconds);
  /// Waits for its end.
  ChildEnd reap();

private:
  Child(int pid, int handle, std::string folder) : pid(pid), handle(handle), folder(std::move(folder)) {}
  int pid = -1, handle = -1;
  std::string folder;
};

} // namespace lpu::explore
