#include "lpu/text/Utf8.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace lpu::text {
namespace {

std::string clean(std::string_view bytes) {
  Utf8Stream stream;
  std::string out = stream.push(bytes);
  return out + stream.finish();
}

TEST(Utf8, HoldsBackAnIncompleteCharacter) {
  Utf8Stream stream;
  EXPECT_EQ(stream.push("a\xE2"), "a");
  EXPECT_EQ(stream.push("\x82"), "");
  EXPECT_EQ(stream.push("\xAC!"), "\xE2\x82\xAC!");
  EXPECT_EQ(stream.finish(), "");
}

TEST(Utf8, ReplacesWhatIsHeldBackAtTheEnd) {
  Utf8Stream stream;
  EXPECT_EQ(stream.push("\xF0\x9F\x99"), "");
  EXPECT_EQ(stream.finish(), kReplacement);
  EXPECT_EQ(stream.finish(), "");
}

// Expected strings are Python's bytes.decode(errors="replace").
TEST(Utf8, ReplacesMaximalSubparts) {
  const std::string r(kReplacement);
  EXPECT_EQ(clean("\x80x"), r + "x");
  EXPECT_EQ(clean("\xC0\xAF"), r + r);                 // overlong
  EXPECT_EQ(clean("\xE0\x80\x80"), r + r + r);         // overlong
  EXPECT_EQ(clean("\xED\xA0\x80"), r + r + r);         // surrogate
  EXPECT_EQ(clean("\xF4\x90\x80\x80"), r + r + r + r); // above U+10FFFF
  EXPECT_EQ(clean("\xE2\x82z"), r + "z");
  EXPECT_EQ(clean("\xF0\x9F\x99\xE2\x82\xAC"), r + "\xE2\x82\xAC");
  EXPECT_EQ(clean("\xFF"), r);
}

RC_GTEST_PROP(Utf8, CharactersSurviveAnyCut, (std::vector<std::uint32_t> codes)) {
  std::string text;
  for (std::uint32_t code : codes) {
    char32_t c = code % 0x110000;
    appendUtf8(text, c >= 0xD800 && c < 0xE000 ? U'x' : c);
  }
  Utf8Stream stream;
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t n = *rc::gen::inRange<std::size_t>(1, 4);
    out += stream.push(std::string_view(text).substr(at, n));
    at += n;
  }
  RC_ASSERT(out + stream.finish() == text);
}

RC_GTEST_PROP(Utf8, OutputIsAlwaysValid, (std::string bytes)) {
  std::string out = clean(bytes);
  RC_ASSERT(clean(out) == out);
}

} // namespace
} // namespace lpu::text
