// Fuzzes what reads the heads and bodies of HTTP requests: our own check, then Beast's parser on what it lets through.
// A head that passes must be read by Beast to the same end, or be refused there.
#include <utility> // Boost 1.74 uses std::exchange without it

#include "lpu/serve/HttpHead.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http.hpp>

#include <cstdlib>

namespace http = boost::beast::http;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char *>(data), size);
  const lpu::serve::HeadCheck check = lpu::serve::checkHead(bytes);
  lpu::serve::isOwnHost(bytes, {"name"});
  if (check.wrong || check.size == 0)
    return 0;
  boost::beast::error_code code;
  http::request_parser<http::string_body> parser;
  parser.header_limit(16 * 1024 + 1);
  parser.body_limit(1 << 16);
  const std::size_t used = parser.put(boost::asio::buffer(data, size), code);
  if (code || !parser.is_header_done())
    return 0;
  if (parser.get().count(http::field::host) > 1 ||
      (parser.chunked() && parser.get().count(http::field::content_length) > 0))
    std::abort();
  parser.eager(true);
  if (used < size && !parser.is_done()) // a request without a body ends with its head
    parser.put(boost::asio::buffer(data + used, size - used), code);
  return 0;
}
