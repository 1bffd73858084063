// Source: "Event stream encoding" of the Smithy specification (smithy.io, AWS event stream).
#include "EventStream.h"

#include <array>

namespace lpu::serve {
namespace {

constexpr char kText = 7; ///< the type of a header's value

constexpr std::array<std::uint32_t, 256> tableOf() {
  constexpr std::uint32_t kReflected = 0xEDB88320;
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit)
      value = (value >> 1) ^ (value & 1 ? kReflected : 0);
    table[i] = value;
  }
  return table;
}

void append(std::string &to, std::uint64_t value, unsigned bytes) {
  for (unsigned i = bytes; i-- > 0;)
    to += static_cast<char>(value >> (8 * i));
}

} // namespace

std::uint32_t crc32(std::string_view bytes) {
  static constexpr std::array<std::uint32_t, 256> kTable = tableOf();
  std::uint32_t crc = ~0U;
  for (const char byte : bytes)
    crc = (crc >> 8) ^ kTable[(crc ^ static_cast<unsigned char>(byte)) & 0xFF];
  return ~crc;
}

std::string eventFrame(const FrameHeaders &headers, std::string_view payload) {
  constexpr std::size_t kPreludeAndSums = 16;
  std::string head;
  for (const auto &[name, value] : headers) {
    append(head, name.size(), 1);
    head += name;
    head += kText;
    append(head, value.size(), 2);
    head += value;
  }
  std::string frame;
  append(frame, kPreludeAndSums + head.size() + payload.size(), 4);
  append(frame, head.size(), 4);
  append(frame, crc32(frame), 4);
  frame += head;
  frame += payload;
  append(frame, crc32(frame), 4);
  return frame;
}

} // namespace lpu::serve
