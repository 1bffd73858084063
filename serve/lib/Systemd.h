// What a service manager gives and wants to hear, in systemd's protocols (sd_listen_fds(3), sd_notify(3)), without its
// library.
#pragma once

#include "lpu/isa/Result.h"

#include <optional>
#include <string>

namespace lpu::serve {

/// The socket that a manager has opened for this process, which listens already; none: it has not. Takes the variables
/// out of the environment, so that no other process takes it for its own. Error: more than one, or no listening socket
/// of TCP.
Result<std::optional<int>> takeActivatedSocket();

/// Tells the manager a line such as "READY=1", if there is one that listens.
void notifyManager(const std::string &line);

} // namespace lpu::serve
