// Base64 of RFC 4648, with padding.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace lpu::serve {

std::string base64(std::string_view bytes);
/// Nothing: it is none.
std::optional<std::string> fromBase64(std::string_view text);

} // namespace lpu::serve
