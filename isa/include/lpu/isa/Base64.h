// Base64 of RFC 4648 with padding, by libcrypto.
#ifndef LPU_ISA_BASE64_H
#define LPU_ISA_BASE64_H

#include <optional>
#include <string>
#include <string_view>

namespace lpu {

std::string toBase64(std::string_view bytes);
/// Nothing: the text is no base64, or no multiple of four digits long.
std::optional<std::string> fromBase64(std::string_view text);

} // namespace lpu

#endif // LPU_ISA_BASE64_H
