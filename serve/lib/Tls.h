// TLS in front of the server: what a client says is read here, and goes through a pair of sockets to a connection that
// knows nothing of it. So timeouts, limits and the noticing of clients that leave are those of plain connections.
#pragma once

#include "lpu/isa/Result.h"

#include <utility> // Boost 1.74's awaitable.hpp uses std::exchange without it

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>

#include <chrono>
#include <memory>
#include <string>

namespace lpu::serve {

class Tls {
public:
  /// `certificates`: a PEM file, the server's own first. `key`: its private key, which others must not be able to read.
  static Result<std::unique_ptr<Tls>> create(const std::string &certificates, const std::string &key);

  /// A socket that says what the client says, and whose words the client hears; the client's own one is used up. The
  /// handshake has `patience`.
  boost::asio::ip::tcp::socket wrap(boost::asio::io_context &io, boost::asio::ip::tcp::socket client,
                                    std::chrono::milliseconds patience, boost::system::error_code &code);

private:
  struct Relay;
  Tls() : context(boost::asio::ssl::context::tls_server) {}

  boost::asio::ssl::context context;
};

} // namespace lpu::serve
