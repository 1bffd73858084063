// Sockets: one thread accepts, reads, times out and writes for all connections.
#pragma once

#include "lpu/serve/HttpHead.h"
#include "lpu/serve/Service.h"

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace lpu::serve {

struct ServerOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 8080;     ///< 0: any that is free
  std::string certificates, key; ///< PEM files; empty: no TLS
  std::size_t maxConnections = 1024;
  std::size_t maxConnectionsPerPeer = 64; ///< not on loopback
  std::size_t maxBody = 4 << 20;
  unsigned maxRequests = 1000; ///< of one connection
  HeadLimits head;
  std::chrono::milliseconds headTimeout{10000}, bodyTimeout{30000}, idleTimeout{60000}, writeTimeout{30000};
  std::chrono::milliseconds keepAlive{15000}; ///< of silence in a stream, until a comment is sent; 0: never
  std::chrono::milliseconds drainTimeout{30000};
};

/// The loop that everything but simulation and tokenizing runs in.
class Server {
public:
  explicit Server(ServerOptions options);
  ~Server();

  /// To be called from any thread: `task` runs in the loop.
  void post(std::function<void()> task);
  /// To be called in the loop: `task` runs in it at that time.
  void postAt(std::chrono::steady_clock::time_point when, std::function<void()> task);
  /// Runs `task` on the thread for what takes time.
  void background(std::function<void()> task);

  /// Starts that thread; before it, the process has one.
  void startThreads();
  /// At the socket that a service manager has opened, else at the address. Error: it cannot be had, or the files of TLS
  /// cannot be used.
  Status listen();
  /// "http://127.0.0.1:8080"
  std::string url() const;
  bool onLoopback() const;

  /// Serves until SIGTERM or SIGINT, and then until what is under way has ended. False: that took too long.
  bool run(Service &service);

private:
  Status adopt(int socket);
  Status bind();
  void endThreads();
  struct Loop;
  class Connection;
  std::unique_ptr<Loop> loop;
};

} // namespace lpu::serve
