#include "Systemd.h"

#include <fmt/format.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace lpu::serve {
namespace {

constexpr int kFirstSocket = 3; ///< SD_LISTEN_FDS_START

std::string variable(const char *name) {
  const char *value = std::getenv(name);
  return value ? value : "";
}

/// 0 where it cannot be had.
int optionOf(int socket, int name) {
  int value = 0;
  socklen_t size = sizeof value;
  return ::getsockopt(socket, SOL_SOCKET, name, &value, &size) == 0 ? value : 0;
}

} // namespace

Result<std::optional<int>> takeActivatedSocket() {
  const std::string pid = variable("LISTEN_PID"), count = variable("LISTEN_FDS");
  if (count.empty() || pid != std::to_string(::getpid()))
    return std::optional<int>();
  for (const char *name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"})
    ::unsetenv(name);
  if (count != "1")
    return Error{"LISTEN_FDS",
                 fmt::format("{} sockets were given, one is served; give the unit one ListenStream=", count)};
  const int domain = optionOf(kFirstSocket, SO_DOMAIN);
  if ((domain != AF_INET && domain != AF_INET6) || optionOf(kFirstSocket, SO_TYPE) != SOCK_STREAM ||
      optionOf(kFirstSocket, SO_ACCEPTCONN) != 1)
    return Error{"LISTEN_FDS",
                 "the socket that was given is none of TCP that listens; use ListenStream=ADDRESS:PORT and "
                 "Accept=no"};
  ::fcntl(kFirstSocket, F_SETFD, FD_CLOEXEC);
  return std::optional(kFirstSocket);
}

void notifyManager(const std::string &line) {
  const std::string path = variable("NOTIFY_SOCKET");
  sockaddr_un address{};
  if (path.empty() || path.size() >= sizeof address.sun_path)
    return;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  if (path[0] == '@') // a name, and no file
    address.sun_path[0] = '\0';
  const int socket = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0)
    return;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  static_cast<void>(
      ::sendto(socket, line.data(), line.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr *>(&address), size));
  ::close(socket);
}

} // namespace lpu::serve
