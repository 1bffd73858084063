// A coroutine per connection: head, body, answer, and again. A head is checked by our own rules before Beast parses it.
// Timers cancel what a socket waits for and leave it open, so that a slow client still reads why.
#include <utility> // Boost 1.74's awaitable.hpp uses std::exchange without it

#include "Server.h"

#include "Systemd.h"
#include "Tls.h"

#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <csignal>
#include <linux/sockios.h>
#include <map>
#include <netinet/tcp.h>
#include <optional>
#include <sys/ioctl.h>

namespace lpu::serve {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using Code = boost::system::error_code;
using Time = std::chrono::steady_clock;

namespace {

constexpr std::size_t kReadBytes = 16 * 1024, kLingerBytes = 16 << 20;
constexpr std::chrono::seconds kLinger{1};
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return std::tolower(c); });
  return out;
}

std::string chunkOf(const std::string &text) { return fmt::format("{:x}\r\n{}\r\n", text.size(), text); }

/// Status line and fields up to the empty line.
std::string headText(const HttpResponse &response, const HttpFields &framing) {
  const auto reason = http::obsolete_reason(static_cast<http::status>(response.status));
  std::string out = fmt::format("HTTP/1.1 {} {}\r\nServer: lpu-serve\r\n", response.status,
                                std::string_view(reason.data(), reason.size()));
  if (!response.type.empty())
    out += "Content-Type: " + response.type + "\r\nX-Content-Type-Options: nosniff\r\n";
  for (const HttpFields *fields : {&response.fields, &framing})
    for (const auto &[name, value] : *fields)
      out += name + ": " + value + "\r\n";
  return out + "\r\n";
}

} // namespace

struct Server::Loop {
  explicit Loop(ServerOptions options) : options(std::move(options)) {}

  ServerOptions options;
  // Before the context, whose end is that of the connections which are still open.
  std::map<Connection *, std::weak_ptr<Connection>> connections;
  std::map<std::string, std::size_t> peers; ///< connections of each
  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> alive{io.get_executor()};
  std::optional<asio::thread_pool> background;
  tcp::acceptor acceptor{io};
  asio::signal_set signals{io};
  asio::steady_timer deadline{io};
  std::unique_ptr<Tls> tls; ///< null: plain
  Service *service = nullptr;
  bool draining = false, timedOut = false;

  asio::awaitable<void> accept();
  void onSignal();
  void endIfIdle();
};

class Server::Connection : public std::enable_shared_from_this<Connection> {
public:
  Connection(Loop &loop, tcp::socket socket, std::string peer)
      : loop(loop), socket(std::move(socket)), watchdog(loop.io), signal(loop.io), peer(std::move(peer)),
        buffer(loop.options.head.bytes + 2 * kReadBytes) {
    ++loop.peers[this->peer];
  }
  ~Connection() {
    if (--loop.peers[peer] == 0)
      loop.peers.erase(peer);
    loop.connections.erase(this);
    loop.endIfIdle();
  }

  asio::awaitable<void> run() {
    if (isOneTooMany()) {
      const Refusal refusal{503, "too many connections", "", "too_many_connections", 1000};
      co_await refuse(refusal);
      co_return;
    }
    bool goesOn = true;
    for (unsigned count = 1; goesOn; ++count)
      goesOn = co_await serveOne(count < loop.options.maxRequests);
    Code ignored;
    socket.shutdown(tcp::socket::shutdown_both, ignored);
  }

  /// Between two requests there is nothing to wait for.
  void drain() {
    if (idle)
      socket.cancel();
  }

private:
  bool isOneTooMany() const {
    const bool loopback = peer == "127.0.0.1" || peer == "::1";
    return loop.connections.size() > loop.options.maxConnections ||
           (!loopback && loop.peers.at(peer) > loop.options.maxConnectionsPerPeer);
  }

  /// Cancels whatever the socket waits for, unless guard(0) comes first.
  void guard(std::chrono::milliseconds patience) {
    expired = false;
    const unsigned own = ++guards;
    watchdog.cancel();
    if (patience.count() == 0)
      return;
    watchdog.expires_after(patience);
    watchdog.async_wait([weak = weak_from_this(), own](Code code) {
      const auto self = weak.lock();
      if (code || !self || self->guards != own)
        return;
      self->expired = true;
      self->socket.cancel();
    });
  }

  asio::awaitable<bool> write(std::string text) {
    mayProbe = false;
    guard(loop.options.writeTimeout);
    Code code;
    co_await asio::async_write(socket, asio::buffer(text), asio::redirect_error(asio::use_awaitable, code));
    guard({});
    co_return !code;
  }

  /// One request and its answer; false: the connection ends.
  asio::awaitable<bool> serveOne(bool mayGoOn) {
    std::optional<Refusal> wrong = co_await readHead();
    if (closed)
      co_return false;
    if (wrong) {
      co_await refuse(*wrong);
      co_return false;
    }
    http::request_parser<http::string_body> parser;
    parser.header_limit(static_cast<std::uint32_t>(loop.options.head.bytes) + 1);
    parser.body_limit(loop.options.maxBody);
    HttpRequest request;
    wrong = co_await readBody(parser, request);
    if (closed)
      co_return false;
    if (wrong) {
      co_await refuse(*wrong, refusalWriterOf(request));
      co_return false;
    }
    const bool isOld = parser.get().version() < 11;
    const bool keep = mayGoOn && parser.get().keep_alive() && !loop.draining;
    const bool goesOn = co_await answerTo(std::move(request), keep, isOld);
    co_return goesOn;
  }

  /// Fills the buffer with a head at least. `closed`: the client has gone, or has nothing to say.
  asio::awaitable<std::optional<Refusal>> readHead() {
    idle = buffer.size() == 0;
    guard(idle ? loop.options.idleTimeout : loop.options.headTimeout);
    while (true) {
      const auto bytes = static_cast<const char *>(buffer.data().data());
      HeadCheck check = checkHead({bytes, buffer.size()}, loop.options.head);
      if (check.wrong || check.size > 0) {
        guard({});
        co_return check.wrong;
      }
      if (idle && loop.draining)
        break;
      Code code;
      const std::size_t got =
          co_await socket.async_read_some(buffer.prepare(kReadBytes), asio::redirect_error(asio::use_awaitable, code));
      buffer.commit(got);
      if (code && expired && !idle)
        co_return Refusal{408, "the head came too slowly", "", "request_timeout"};
      if (code)
        break;
      if (std::exchange(idle, false))
        guard(loop.options.headTimeout);
    }
    closed = true;
    co_return std::nullopt;
  }

  asio::awaitable<std::optional<Refusal>> readBody(http::request_parser<http::string_body> &parser,
                                                   HttpRequest &request) {
    Code code;
    guard(loop.options.bodyTimeout);
    co_await http::async_read_header(socket, buffer, parser, asio::redirect_error(asio::use_awaitable, code));
    if (!code || code == http::error::body_limit) // which is known from the head; its path says how to refuse
      takeHead(parser.get(), request);            // before the body: Beast adds trailers to the fields
    if (!code && !parser.get()[http::field::expect].empty()) {
      if (!beast::iequals(parser.get()[http::field::expect], "100-continue"))
        co_return Refusal{417, "Expect must be 100-continue", "", "malformed_request"};
      if (!parser.is_done())
        co_await write(std::string(kContinue));
      guard(loop.options.bodyTimeout);
    }
    parser.eager(true);
    // Chunk sizes, their extensions and trailers are no body, and limited here.
    for (std::size_t left = 2 * loop.options.maxBody + kReadBytes; !code && !parser.is_done();) {
      const std::size_t got =
          co_await http::async_read_some(socket, buffer, parser, asio::redirect_error(asio::use_awaitable, code));
      if (got > left)
        code = http::error::body_limit;
      left -= std::min(left, got);
    }
    const bool slow = expired;
    guard({});
    if (!code) {
      request.body = std::move(parser.get().body());
      co_return std::nullopt;
    }
    if (code == http::error::body_limit)
      co_return Refusal{413, fmt::format("the body is larger than {} bytes", loop.options.maxBody), "",
                        "request_too_large"};
    if (code == http::error::buffer_overflow || code == http::error::header_limit)
      co_return Refusal{431, "a chunk's extension, or the trailers, are too large", "", "header_too_large"};
    if (slow)
      co_return Refusal{408, "the body came too slowly", "", "request_timeout"};
    if (code.category() == http::make_error_code(http::error::bad_chunk).category() &&
        code != http::error::partial_message && code != http::error::end_of_stream)
      co_return Refusal{400, "the request is malformed: " + code.message(), "", "malformed_request"};
    closed = true;
    co_return std::nullopt;
  }

  static void takeHead(const http::request<http::string_body> &parsed, HttpRequest &to) {
    to.method = std::string(parsed.method_string());
    to.target = std::string(parsed.target());
    for (const auto &field : parsed)
      to.fields.emplace(lower({field.name_string().data(), field.name_string().size()}), std::string(field.value()));
  }

  asio::awaitable<void> refuse(const Refusal &refusal, RefusalWriter write = openai::refusal) {
    const HttpResponse response = responseOf(refusal, newRequestId(), write);
    co_await writeWhole(response, false, false);
    co_await linger();
  }

  /// Closing with unread bytes would reset the connection before the client has read the answer.
  asio::awaitable<void> linger() {
    Code code;
    socket.shutdown(tcp::socket::shutdown_send, code);
    guard(kLinger);
    buffer.clear();
    for (std::size_t left = kLingerBytes; left > 0 && !code;) {
      const std::size_t got =
          co_await socket.async_read_some(buffer.prepare(kReadBytes), asio::redirect_error(asio::use_awaitable, code));
      left -= std::min(left, got);
    }
    guard({});
  }

  asio::awaitable<bool> answerTo(HttpRequest request, bool keep, bool isOld) {
    const bool headOnly = request.method == "HEAD";
    auto answer = std::make_shared<Answer>();
    answer->onChange([weak = weak_from_this()] {
      if (const auto self = weak.lock())
        self->signal.cancel();
    });
    mayProbe = !isOld;
    watchPeer();
    loop.service->handle(std::move(request), answer);
    while (!left && !answer->hasHead())
      co_await waitUntil(Time::time_point::max());
    while (!left && answer->headDue() > Time::now())
      co_await waitUntil(answer->headDue());
    bool complete = false;
    if (!left && answer->isStream())
      complete = co_await writeStream(*answer, keep && !isOld, isOld);
    else if (!left)
      complete = co_await writeWhole(answer->response(), keep, headOnly);
    if (!complete)
      answer->abandon();
    answer->onChange(nullptr);
    if (std::exchange(watching, false))
      socket.cancel();
    co_return complete &&keep && !(answer->isStream() && isOld);
  }

  /// Returns when something has changed, or at that time.
  asio::awaitable<void> waitUntil(Time::time_point when) {
    signal.expires_at(when);
    Code ignored;
    co_await signal.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }

  /// Notices a client that leaves while its answer is being made.
  void watchPeer() {
    watching = true;
    socket.async_wait(tcp::socket::wait_read, [weak = weak_from_this()](Code code) {
      const auto self = weak.lock();
      if (!self || code || !self->watching)
        return;
      char next = 0;
      const ssize_t seen = ::recv(self->socket.native_handle(), &next, 1, MSG_PEEK | MSG_DONTWAIT);
      if (seen > 0)
        self->watching = false; // its next request, which waits
      else if (seen == 0)
        self->watchSilentPeer();
      else
        self->peerLeft();
    });
  }

  /// It sends no more, and may still listen. What is written to a socket that is closed comes back as a reset, so an
  /// interim answer is written, which clients pass over (RFC 9110, 15.2.1). Keep-alive probes notice who leaves later.
  void watchSilentPeer() {
    constexpr int kOn = 1, kSeconds = 5;
    const int handle = socket.native_handle();
    ::setsockopt(handle, IPPROTO_TCP, TCP_KEEPIDLE, &kSeconds, sizeof kSeconds);
    ::setsockopt(handle, IPPROTO_TCP, TCP_KEEPINTVL, &kSeconds, sizeof kSeconds);
    ::setsockopt(handle, SOL_SOCKET, SO_KEEPALIVE, &kOn, sizeof kOn);
    socket.async_wait(tcp::socket::wait_error, [weak = weak_from_this()](Code code) {
      if (const auto self = weak.lock(); self && !code && self->watching)
        self->peerLeft();
    });
    int unsent = 0; // an interim answer must not be cut, so there has to be room for it
    if (mayProbe && ::ioctl(handle, SIOCOUTQ, &unsent) == 0 && unsent == 0)
      static_cast<void>(::send(handle, kContinue.data(), kContinue.size(), MSG_DONTWAIT | MSG_NOSIGNAL));
  }

  void peerLeft() {
    watching = false;
    left = true;
    signal.cancel();
  }

  asio::awaitable<bool> writeWhole(const HttpResponse &response, bool keep, bool headOnly) {
    HttpFields framing{{"Connection", keep ? "keep-alive" : "close"}};
    if (response.status != 204)
      framing.emplace_back("Content-Length", fmt::to_string(response.body.size()));
    std::string text = headText(response, framing);
    if (!headOnly)
      text += response.body;
    const bool written = co_await write(std::move(text));
    co_return written;
  }

  asio::awaitable<bool> writeStream(Answer &answer, bool keep, bool isOld) {
    HttpFields framing{{"Connection", keep ? "keep-alive" : "close"}};
    if (!isOld)
      framing.emplace_back("Transfer-Encoding", "chunked");
    std::string head = headText(answer.response(), framing);
    bool written = co_await write(std::move(head));
    Time::time_point lastWrite = Time::now();
    while (written && !left) {
      std::string ready = takeDue(answer);
      if (ready.empty() && answer.parts().empty() && answer.ended()) {
        if (!isOld)
          written = co_await write("0\r\n\r\n");
        co_return written;
      }
      const auto silence = answer.silence().empty() ? Time::duration{} : Time::duration(loop.options.keepAlive);
      if (ready.empty() && silence.count() > 0 && Time::now() >= lastWrite + silence)
        ready = answer.silence();
      if (!ready.empty()) {
        std::string text = isOld ? std::move(ready) : chunkOf(ready);
        written = co_await write(std::move(text));
        lastWrite = Time::now();
        continue;
      }
      Time::time_point next = silence.count() > 0 ? lastWrite + silence : Time::time_point::max();
      if (!answer.parts().empty())
        next = std::min(next, answer.parts().front().due);
      co_await waitUntil(next);
    }
    co_return false;
  }

  static std::string takeDue(Answer &answer) {
    std::string out;
    const Time::time_point now = Time::now();
    while (!answer.parts().empty() && answer.parts().front().due <= now) {
      out += answer.parts().front().text;
      answer.parts().pop_front();
    }
    return out;
  }

  Loop &loop;
  tcp::socket socket;
  asio::steady_timer watchdog, signal;
  std::string peer;
  beast::flat_buffer buffer; ///< holds a head, or a chunk's own line, or trailers, and what was read with it
  unsigned guards = 0;       ///< how often guard() was called
  bool idle = false, closed = false, expired = false, left = false, watching = false;
  bool mayProbe = false; ///< nothing of the answer has been written, and its client knows interim answers
};

asio::awaitable<void> Server::Loop::accept() {
  while (acceptor.is_open()) {
    Code code;
    tcp::socket socket = co_await acceptor.async_accept(asio::redirect_error(asio::use_awaitable, code));
    if (code == asio::error::operation_aborted || !acceptor.is_open())
      co_return;
    if (code) { // out of descriptors, most likely: those that are open will end
      asio::steady_timer pause(io, std::chrono::milliseconds(100));
      co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, code));
      continue;
    }
    socket.set_option(tcp::no_delay(true), code);
    const tcp::endpoint from = socket.remote_endpoint(code);
    if (code)
      continue;
    if (tls)
      socket = tls->wrap(io, std::move(socket), options.headTimeout, code);
    if (code)
      continue;
    auto connection = std::make_shared<Connection>(*this, std::move(socket), from.address().to_string());
    connections[connection.get()] = connection;
    asio::co_spawn(
        io, [connection] { return connection->run(); }, asio::detached);
  }
}

/// The first signal ends the accepting, the second one everything.
void Server::Loop::onSignal() {
  if (std::exchange(draining, true)) {
    timedOut = true;
    return io.stop();
  }
  Code ignored;
  acceptor.close(ignored);
  notifyManager("STOPPING=1");
  service->drain();
  for (const auto &[connection, weak] : connections)
    if (const auto held = weak.lock())
      held->drain();
  deadline.expires_after(options.drainTimeout);
  deadline.async_wait([this](Code code) {
    if (code)
      return;
    timedOut = true;
    io.stop();
  });
  signals.async_wait([this](Code code, int) {
    if (!code)
      onSignal();
  });
  endIfIdle();
}

void Server::Loop::endIfIdle() {
  if (draining && connections.empty())
    io.stop();
}

Server::Server(ServerOptions options) : loop(std::make_unique<Loop>(std::move(options))) {}

Server::~Server() { endThreads(); }

void Server::endThreads() {
  if (!loop->background)
    return;
  loop->background->stop();
  loop->background->join();
}

void Server::startThreads() { loop->background.emplace(1); }

void Server::post(std::function<void()> task) { asio::post(loop->io, std::move(task)); }

void Server::postAt(Time::time_point when, std::function<void()> task) {
  auto timer = std::make_shared<asio::steady_timer>(loop->io, when);
  timer->async_wait([timer, task = std::move(task)](Code) { task(); });
}

void Server::background(std::function<void()> task) { asio::post(*loop->background, std::move(task)); }

Status Server::listen() {
  if (!loop->options.certificates.empty()) {
    auto tls = Tls::create(loop->options.certificates, loop->options.key);
    if (!tls)
      return tls.error();
    loop->tls = std::move(*tls);
  }
  const auto given = takeActivatedSocket();
  if (!given)
    return given.error();
  return *given ? adopt(**given) : bind();
}

/// A socket that listens already.
Status Server::adopt(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  Code code;
  if (::getsockname(socket, reinterpret_cast<sockaddr *>(&address), &size) == 0)
    loop->acceptor.assign(address.ss_family == AF_INET6 ? tcp::v6() : tcp::v4(), socket, code);
  else
    code.assign(errno, boost::system::system_category());
  return code ? Status(Error{"LISTEN_FDS", code.message()}) : Ok{};
}

Status Server::bind() {
  const std::string place = fmt::format("{}:{}", loop->options.host, loop->options.port);
  Code code;
  tcp::resolver resolver(loop->io);
  const auto found = resolver.resolve(loop->options.host, std::to_string(loop->options.port), code);
  if (code)
    return Error{place, "is no address of this machine; give --host an address such as 127.0.0.1"};
  const tcp::endpoint endpoint = found.begin()->endpoint();
  loop->acceptor.open(endpoint.protocol(), code);
  if (!code)
    loop->acceptor.set_option(tcp::acceptor::reuse_address(true), code);
  if (!code)
    loop->acceptor.bind(endpoint, code);
  if (!code)
    loop->acceptor.listen(asio::socket_base::max_listen_connections, code);
  if (code)
    return Error{place,
                 fmt::format("cannot listen there: {}; give another --port, or --port=0 for any", code.message())};
  return Ok{};
}

std::string Server::url() const {
  const tcp::endpoint local = loop->acceptor.local_endpoint();
  const std::string address = local.address().to_string();
  return fmt::format("{}://{}:{}", loop->tls ? "https" : "http",
                     local.address().is_v6() ? "[" + address + "]" : address, local.port());
}

bool Server::onLoopback() const { return loop->acceptor.local_endpoint().address().is_loopback(); }

bool Server::run(Service &service) {
  loop->service = &service;
  loop->signals.add(SIGTERM);
  loop->signals.add(SIGINT);
  loop->signals.async_wait([this](Code code, int) {
    if (!code)
      loop->onSignal();
  });
  asio::co_spawn(
      loop->io, [this] { return loop->accept(); }, asio::detached);
  loop->io.run();
  endThreads(); // what they run uses the service
  return !loop->timedOut;
}

} // namespace lpu::serve
