// Printable Latin-1 characters stand for themselves, the other bytes are numbered from U+0100 on (published with
// GPT-2).
#include "ByteAlphabet.h"

#include "lpu/text/Utf8.h"

#include <array>

namespace lpu::text {
namespace {

struct Alphabet {
  std::array<char16_t, 256> characterOf{};
  std::array<int, 0x200> byteOf{}; ///< -1: the character stands for none

  Alphabet() {
    byteOf.fill(-1);
    char16_t next = 0x100;
    for (unsigned b = 0; b < 256; ++b) {
      bool isPrintable = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
      characterOf[b] = isPrintable ? static_cast<char16_t>(b) : next++;
      byteOf[characterOf[b]] = static_cast<int>(b);
    }
  }
};

const Alphabet kAlphabet;

} // namespace

Text printable(TextView text) {
  Text out;
  for (unsigned char byte : toBytes(text))
    out += kAlphabet.characterOf[byte];
  return out;
}

std::string bytesOfPrintable(std::string_view token) {
  std::string out;
  while (!token.empty()) {
    Utf8Unit unit = nextUtf8(token);
    bool isKnown = unit.kind == Utf8Unit::Kind::Character && unit.codePoint < kAlphabet.byteOf.size() &&
                   kAlphabet.byteOf[unit.codePoint] >= 0;
    if (isKnown)
      out += static_cast<char>(kAlphabet.byteOf[unit.codePoint]);
    else
      out += token.substr(0, unit.length);
    token.remove_prefix(unit.length);
  }
  return out;
}

} // namespace lpu::text
