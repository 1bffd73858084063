#include "lpu/isa/Base64.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace lpu {
namespace {

TEST(Base64, VectorsOfTheStandard) {
  const std::pair<const char *, const char *> vectors[] = {{"", ""},
                                                           {"f", "Zg=="},
                                                           {"fo", "Zm8="},
                                                           {"foo", "Zm9v"},
                                                           {"foob", "Zm9vYg=="},
                                                           {"fooba", "Zm9vYmE="},
                                                           {"foobar", "Zm9vYmFy"}};
  for (auto [bytes, text] : vectors) {
    EXPECT_EQ(toBase64(bytes), text);
    EXPECT_EQ(fromBase64(text), bytes);
  }
}

TEST(Base64, LongTextsGoInParts) {
  std::string bytes;
  for (int i = 0; i < 500000; ++i)
    bytes += static_cast<char>(i * 7 + i / 251);
  const std::string text = toBase64(bytes);
  EXPECT_EQ(text.size(), (bytes.size() + 2) / 3 * 4);
  EXPECT_EQ(fromBase64(text), bytes);
}

TEST(Base64, WhatIsNone) {
  for (const char *text : {"Zg", "Zg=", "Z===", "Zm9*", "Zm 9", "Zm9v\n", "=Zm9"})
    EXPECT_FALSE(fromBase64(text)) << text;
}

RC_GTEST_PROP(Base64, AnyBytesComeBack, (const std::string &bytes)) { RC_ASSERT(fromBase64(toBase64(bytes)) == bytes); }

} // namespace
} // namespace lpu
