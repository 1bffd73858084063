// Beast's parser accepts some of this (any transfer coding with "chunked" in it, repeated lengths, folded lines, no
// Host or two, absolute targets), so every line is looked at here first.
#include "lpu/serve/HttpHead.h"

#include <algorithm>
#include <cctype>
#include <utility>

namespace lpu::serve {
namespace {

constexpr std::size_t kLengthDigits = 18; // no more fit into 63 bits for certain

Refusal malformed(const char *message) { return {400, message, "", "malformed_request"}; }

bool isTokenChar(unsigned char c) {
  return std::isalnum(c) || std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos;
}

bool isToken(std::string_view text) { return !text.empty() && std::ranges::all_of(text, isTokenChar); }

bool equalsIgnoringCase(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
    text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
    text.remove_suffix(1);
  return text;
}

class Head {
public:
  explicit Head(const HeadLimits &limits) : limits(limits) {}

  /// The first line, then the others; none: it is as it should be.
  std::optional<Refusal> line(std::string_view text) {
    if (std::ranges::any_of(text, [](unsigned char c) { return (c < 0x20 && c != '\t') || c == 0x7F; }))
      return malformed("control characters in the head");
    return std::exchange(first, false) ? requestLine(text) : field(text);
  }

  std::optional<Refusal> end() const {
    if (hosts != 1 && !(isOld && hosts == 0))
      return malformed("there must be exactly one Host field");
    if (codings > 0 && (lengths > 0 || isOld))
      return malformed("Transfer-Encoding beside Content-Length, or in HTTP/1.0");
    return std::nullopt;
  }

private:
  std::optional<Refusal> requestLine(std::string_view text) {
    const std::size_t first = text.find(' '), last = text.rfind(' ');
    if (first == std::string_view::npos || first == last || !isToken(text.substr(0, first)))
      return malformed("the request line must be METHOD TARGET HTTP/1.1");
    const std::string_view target = text.substr(first + 1, last - first - 1), version = text.substr(last + 1);
    if (version != "HTTP/1.1" && version != "HTTP/1.0")
      return Refusal{505, "the version must be HTTP/1.1", "", "malformed_request"};
    isOld = version == "HTTP/1.0";
    const bool isPath = target.starts_with('/') && target.find(' ') == std::string_view::npos;
    return isPath || (target == "*" && text.starts_with("OPTIONS ")) ? std::optional<Refusal>()
                                                                     : malformed("the target must be a path");
  }

  std::optional<Refusal> field(std::string_view text) {
    if (++fields > limits.fields)
      return Refusal{431, "too many header fields", "", "header_too_large"};
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos || !isToken(text.substr(0, colon)))
      return malformed("a header field must be a name, a colon and a value on one line");
    const std::string_view name = text.substr(0, colon), value = trimmed(text.substr(colon + 1));
    if (equalsIgnoringCase(name, "host"))
      hosts += value.find_first_of(", \t@/") == std::string_view::npos && !value.empty() ? 1 : 2;
    if (equalsIgnoringCase(name, "content-length") &&
        (++lengths > 1 || value.empty() || value.size() > kLengthDigits ||
         !std::ranges::all_of(value, [](unsigned char c) { return std::isdigit(c); })))
      return malformed("Content-Length must be one whole number");
    if (equalsIgnoringCase(name, "content-type") && ++types > 1)
      return malformed("there must be one Content-Type at most");
    if (equalsIgnoringCase(name, "transfer-encoding") && (++codings > 1 || !equalsIgnoringCase(value, "chunked")))
      return malformed("Transfer-Encoding must be chunked");
    return std::nullopt;
  }

  const HeadLimits &limits;
  bool first = true, isOld = false;
  std::size_t fields = 0;
  int hosts = 0, lengths = 0, codings = 0, types = 0;
};

} // namespace

HeadCheck checkHead(std::string_view bytes, const HeadLimits &limits) {
  Head head(limits);
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t end = bytes.find_first_of("\r\n", at);
    if (std::min(end, bytes.size()) >= limits.bytes)
      return {0, Refusal{431, "the head is too large", "", "header_too_large"}};
    if (end == std::string_view::npos || (bytes[end] == '\r' && end + 1 == bytes.size()))
      return {};
    if (bytes.substr(end, 2) != "\r\n")
      return {0, malformed("lines must end in CR LF")};
    const std::string_view line = bytes.substr(at, end - at);
    at = end + 2;
    if (line.empty() && end > 0)
      return head.end() ? HeadCheck{0, head.end()} : HeadCheck{at, std::nullopt};
    if (auto wrong = head.line(line))
      return {0, wrong};
  }
  return {};
}

bool isOwnHost(std::string_view host, const std::vector<std::string> &names) {
  const std::size_t bracket = host.rfind(']'), colon = host.rfind(':');
  if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket))
    host = host.substr(0, colon);
  const auto is = [&](std::string_view name) { return equalsIgnoringCase(host, name); };
  return is("localhost") || is("127.0.0.1") || is("[::1]") || std::ranges::any_of(names, is);
}

} // namespace lpu::serve
