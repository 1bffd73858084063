// Two coroutines a client, one for each direction; whichever ends first closes both sockets. TLS 1.2 is the oldest that
// is spoken.
#include "Tls.h"

#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>

#include <array>
#include <sys/socket.h>
#include <sys/stat.h>

namespace lpu::serve {

namespace asio = boost::asio;
using asio::ip::tcp;
using Code = boost::system::error_code;

/// One client's two sockets.
struct Tls::Relay : std::enable_shared_from_this<Relay> {
  Relay(asio::io_context &io, tcp::socket client, asio::ssl::context &context)
      : outer(std::move(client), context), inner(io), timer(io) {}

  asio::ssl::stream<tcp::socket> outer;
  tcp::socket inner;
  asio::steady_timer timer;

  void close() {
    Code ignored;
    outer.next_layer().close(ignored);
    inner.close(ignored);
  }

  asio::awaitable<void> run(std::chrono::milliseconds patience) {
    timer.expires_after(patience);
    timer.async_wait([self = shared_from_this()](Code code) {
      if (!code)
        self->close();
    });
    Code code;
    co_await outer.async_handshake(asio::ssl::stream_base::server, asio::redirect_error(asio::use_awaitable, code));
    timer.cancel();
    if (code) {
      close();
      co_return;
    }
    asio::co_spawn(
        inner.get_executor(), [self = shared_from_this()] { return self->copy(self->inner, self->outer, true); },
        asio::detached);
    co_await copy(outer, inner, false);
  }

  /// Until one of them ends. `says`: from the server to the client, whom it says goodbye to.
  template <typename From, typename To> asio::awaitable<void> copy(From &from, To &to, bool says) {
    std::array<char, 16 * 1024> buffer{};
    Code code;
    while (!code) {
      const std::size_t got =
          co_await from.async_read_some(asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, code));
      if (!code)
        co_await asio::async_write(to, asio::buffer(buffer.data(), got),
                                   asio::redirect_error(asio::use_awaitable, code));
    }
    if (says && outer.next_layer().is_open()) {
      timer.expires_after(std::chrono::seconds(1)); // for a client that does not answer
      timer.async_wait([self = shared_from_this()](Code expired) {
        if (!expired)
          self->close();
      });
      co_await outer.async_shutdown(asio::redirect_error(asio::use_awaitable, code));
      timer.cancel();
    }
    close();
  }
};

namespace {

Error cannot(const std::string &path, const char *what, const Code &code) {
  return {path, std::string(what) + ": " + code.message()};
}

} // namespace

Result<std::unique_ptr<Tls>> Tls::create(const std::string &certificates, const std::string &key) {
  struct stat file {};
  if (::stat(key.c_str(), &file) == 0 && (file.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return Error{key, "can be read by others; chmod 600 it"};
  std::unique_ptr<Tls> made(new Tls);
  Code code;
  made->context.set_options(asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1, code);
  made->context.use_certificate_chain_file(certificates, code);
  if (code)
    return cannot(certificates, "is no PEM file of certificates that can be read", code);
  made->context.use_private_key_file(key, asio::ssl::context::pem, code);
  if (code)
    return cannot(key, "is no PEM file of the certificate's private key", code);
  return made;
}

tcp::socket Tls::wrap(asio::io_context &io, tcp::socket client, std::chrono::milliseconds patience, Code &code) {
  std::array<int, 2> ends{};
  tcp::socket server(io);
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    code.assign(errno, boost::system::system_category());
    return server;
  }
  auto relay = std::make_shared<Relay>(io, std::move(client), context);
  relay->inner.assign(tcp::v4(), ends[0], code);
  if (!code)
    server.assign(tcp::v4(), ends[1], code);
  if (!code)
    asio::co_spawn(
        io, [relay, patience] { return relay->run(patience); }, asio::detached);
  return server;
}

} // namespace lpu::serve
