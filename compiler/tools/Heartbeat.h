// A sign of life while a tool works for long.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <string>
#include <thread>

namespace lpu::compiler {

/// Says what is being done: at once on a terminal; elsewhere, where logs should stay short, every ten seconds.
class Heartbeat {
public:
  Heartbeat(const char *toolName, bool onTerminal) : tool(toolName), terminal(onTerminal) {
    if (!terminal)
      beat = std::thread([this] { run(); });
  }
  ~Heartbeat() { stop(); }
  Heartbeat(const Heartbeat &) = delete;
  Heartbeat &operator=(const Heartbeat &) = delete;

  void begins(const std::string &what) {
    if (terminal)
      std::fprintf(stderr, "%s: %s\n", tool, what.c_str());
    std::lock_guard guard(mutex);
    doing = what;
  }

  /// No line comes after this.
  void stop() {
    {
      std::lock_guard guard(mutex);
      done = true;
    }
    wake.notify_all();
    if (beat.joinable())
      beat.join();
  }

private:
  void run() {
    using namespace std::chrono;
    constexpr seconds kBetween(10);
    const auto start = steady_clock::now();
    std::unique_lock guard(mutex);
    while (!wake.wait_for(guard, kBetween, [this] { return done; }))
      std::fprintf(stderr, "%s: %lld s: %s\n", tool,
                   static_cast<long long>(duration_cast<seconds>(steady_clock::now() - start).count()), doing.c_str());
  }

  const char *tool;
  const bool terminal;
  std::mutex mutex;
  std::condition_variable wake;
  std::string doing = "starting";
  bool done = false;
  std::thread beat;
};

} // namespace lpu::compiler
