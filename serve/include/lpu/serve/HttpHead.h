// Heads of HTTP requests, held to the letter of RFC 9112 before a parser sees them: what two servers could read in two
// ways (request smuggling) is refused.
#pragma once

#include "lpu/serve/Request.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lpu::serve {

struct HeadLimits {
  std::size_t bytes = 16 * 1024;
  std::size_t fields = 100;
};

struct HeadCheck {
  std::size_t size = 0;         ///< bytes of the head, with the empty line; 0: more must come
  std::optional<Refusal> wrong; ///< then the connection is to be closed
};

/// `bytes`: what has come so far. Pure; what is wrong is told as soon as it can be seen.
HeadCheck checkHead(std::string_view bytes, const HeadLimits &limits = {});

/// Whether a Host field names this machine's loopback or one of `names`, whatever the port: other names reach it by
/// DNS rebinding.
bool isOwnHost(std::string_view host, const std::vector<std::string> &names);

} // namespace lpu::serve
