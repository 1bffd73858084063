#include "lpu/serve/Http.h"

#include <algorithm>
#include <charconv>

namespace lpu::serve {

std::string HttpRequest::field(const std::string &name) const {
  const auto found = fields.find(name);
  return found == fields.end() ? "" : found->second;
}

std::string_view HttpRequest::path() const { return std::string_view(target).substr(0, target.find('?')); }

std::string HttpRequest::query(std::string_view name) const {
  std::string_view rest = std::string_view(target).substr(std::min(path().size() + 1, target.size()));
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    const std::size_t equals = std::min(pair.find('='), pair.size());
    if (pair.substr(0, equals) == name)
      return percentDecoded(pair.substr(std::min(equals + 1, pair.size())));
    rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
  }
  return "";
}

std::string percentDecoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    const char *digits = text.data() + i + 1;
    if (text[i] == '%' && i + 2 < text.size() && std::from_chars(digits, digits + 2, value, 16).ptr == digits + 2)
      out += static_cast<char>(value), i += 2;
    else
      out += text[i];
  }
  return out;
}

} // namespace lpu::serve
