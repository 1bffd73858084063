#include "Normalizer.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace lpu::text {
namespace {

std::string normalized(const std::string &json, std::string_view given) {
  std::vector<Normalizer> steps;
  EXPECT_TRUE(readNormalizers(Json::parse(json), steps)) << json;
  Text text = toText(given);
  EXPECT_TRUE(applyAll(steps, text));
  return toBytes(text);
}

TEST(Normalizer, UnicodeForms) {
  EXPECT_EQ(normalized(R"({"type": "NFC"})", "e\u0301"), "\u00e9");
  EXPECT_EQ(normalized(R"({"type": "NFD"})", "\u00e9\uac00"), "e\u0301\u1100\u1161");
  EXPECT_EQ(normalized(R"({"type": "NFKC"})", "ﬁ①Ｈ"), "fi1H");
  EXPECT_EQ(normalized(R"({"type": "NFKD"})", "ﬁ\u00e9"), "fie\u0301");
  EXPECT_EQ(normalized(R"({"type": "NFC"})", "\xFFok\xC3"), "\xFFok\xC3"); // what is no UTF-8 stays
}

TEST(Normalizer, LetterCaseAndAccents) {
  EXPECT_EQ(normalized(R"({"type": "Lowercase"})", "ÀΣΑΣ İ"), "àσασ i\u0307");
  EXPECT_EQ(normalized(R"({"type": "StripAccents"})", "e\u0301\u00e9"), "e\u00e9");
}

TEST(Normalizer, Texts) {
  EXPECT_EQ(normalized(R"({"type": "Strip"})", " \u00a0a b\n"), "a b");
  EXPECT_EQ(normalized(R"({"type": "Strip", "strip_left": false})", " a "), " a");
  EXPECT_EQ(normalized(R"({"type": "Strip", "strip_right": false})", " a "), "a ");
  EXPECT_EQ(normalized(R"({"type": "Strip"})", " \n "), "");
  EXPECT_EQ(normalized(R"({"type": "Replace", "pattern": {"String": " "}, "content": "▁"})", "a  b"), "a▁▁b");
  EXPECT_EQ(normalized(R"({"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "})", "a   b c"), "a b c");
  EXPECT_EQ(normalized(R"({"type": "Prepend", "prepend": "▁"})", "a"), "▁a");
  EXPECT_EQ(normalized(R"({"type": "Prepend", "prepend": "▁"})", ""), "");
  EXPECT_EQ(normalized(R"({"type": "ByteLevel"})", "a é"), "aĠÃ©");
}

TEST(Normalizer, Bert) {
  EXPECT_EQ(normalized(R"({"type": "BertNormalizer"})", "Héllo\t漢\x01x\u200d"), "hello  漢 x");
  EXPECT_EQ(normalized(R"({"type": "BertNormalizer", "lowercase": false})", "Hé"), "Hé");
  EXPECT_EQ(normalized(R"({"type": "BertNormalizer", "lowercase": false, "strip_accents": true})", "Hé"), "He");
}

TEST(Normalizer, SequencesGoInOrder) {
  const char *json = R"({"type": "Sequence", "normalizers": [{"type": "NFD"}, {"type": "StripAccents"},
                         {"type": "Sequence", "normalizers": [{"type": "Lowercase"}]}]})";
  EXPECT_EQ(normalized(json, "É"), "e");
  EXPECT_EQ(normalized("null", "É"), "É");
}

TEST(Normalizer, WhatIsNotKnownIsNamed) {
  std::vector<Normalizer> steps;
  Status read = readNormalizers(Json::parse(R"({"type": "Rot13"})"), steps);
  ASSERT_FALSE(read);
  EXPECT_NE(read.error().message.find("\"Rot13\""), std::string::npos);
  EXPECT_NE(read.error().message.find("NFKC"), std::string::npos);
  EXPECT_FALSE(readNormalizers(Json::parse(R"({"type": "Prepend"})"), steps));
  EXPECT_FALSE(readNormalizers(Json::parse("7"), steps));
}

RC_GTEST_PROP(Text, AnyBytesComeBack, (const std::string &bytes)) { RC_ASSERT(toBytes(toText(bytes)) == bytes); }

TEST(Text, Classes) {
  for (UChar32 c : {0x30, 0xB2, 0xBD, 0x664, 0x2167, 0x3007})
    EXPECT_TRUE(isNumber(c) && !isSpace(c) && !isPunctuation(c)) << c;
  for (UChar32 c : {0x20, 0x9, 0x85, 0xA0, 0x3000})
    EXPECT_TRUE(isSpace(c) && !isWordPart(c)) << c;
  for (UChar32 c : {0x5F, 0x61, 0x37, 0x301, 0x65E5})
    EXPECT_TRUE(isWordPart(c)) << c;
  for (UChar32 c : {0x24, 0x2B, 0x5F, 0x21, 0x2026, 0x3001})
    EXPECT_TRUE(isPunctuation(c)) << c;
  for (UChar32 c : {0x20AC, 0xA9, 0x1F642})
    EXPECT_FALSE(isPunctuation(c) || isNumber(c) || isSpace(c)) << c;
}

} // namespace
} // namespace lpu::text
