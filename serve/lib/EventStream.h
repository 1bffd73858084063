// Frames of application/vnd.amazon.eventstream, which answers of Bedrock's streams are made of.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lpu::serve {

/// CRC-32 as zlib, PNG and Ethernet have it (polynomial 0x04C11DB7, reflected).
std::uint32_t crc32(std::string_view bytes);

using FrameHeaders = std::vector<std::pair<std::string_view, std::string_view>>;

/// One frame, all numbers big-endian:
///
///     | total length: 4 | headers' length: 4 | CRC of these 8: 4 | headers | payload | CRC of all before: 4 |
///
/// and each header: length of its name (1 byte), name, 7 (its value is text), length of the value (2 bytes), value.
std::string eventFrame(const FrameHeaders &headers, std::string_view payload);

} // namespace lpu::serve
