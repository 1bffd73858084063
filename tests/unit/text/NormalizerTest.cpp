#include "Normalizer.h"

#include "lpu/isa/Base64.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstring>

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

TEST(Normalizer, Nmt) {
  EXPECT_EQ(normalized(R"({"type": "Nmt"})", "a\x01\x7f\tb\u200bc\u2581d\u00a0e"), "a b c d\u00a0e");
}

/// A map of one character to two, as Darts-clone lays it out: the root's children stand around unit 1.
std::string charsmap(unsigned char from, const std::string &to) {
  std::vector<std::uint32_t> units(512);
  units[0] = 1U << 10;                          // children at 1 ^ byte
  units[1 ^ from] = 300U << 10 | 1 << 8 | from; // a leaf among the children around (1 ^ from) ^ 300
  units[(1 ^ from) ^ 300] = 1U << 31 | 1;       // the text at place 1
  std::string out(4 + units.size() * 4, '\0');
  const auto size = static_cast<std::uint32_t>(units.size() * 4);
  std::memcpy(out.data(), &size, 4);
  std::memcpy(out.data() + 4, units.data(), size);
  return out + '\0' + to + '\0';
}

TEST(Normalizer, Precompiled) {
  auto step = [](const std::string &type, const std::string &map, const std::string &more = "") {
    return R"({"type": ")" + type + R"(", "precompiled_charsmap": ")" + toBase64(map) + "\"" + more + "}";
  };
  EXPECT_EQ(normalized(step("Precompiled", charsmap('a', "xy")), "banal"), "bxynxyl");
  EXPECT_EQ(normalized(step("Precompiled", charsmap('a', "xy")), "a\u0301b"), "xyb"); // the beginning stands for all
  EXPECT_EQ(normalized(step("Precompiled", charsmap('a', "")), "banal\xFF"), "bnl\xFF");
  EXPECT_EQ(normalized(step("Precompiled", ""), "banal"), "banal");
  EXPECT_EQ(normalized(step("SentencePiece", charsmap('a', "xy")), " ba  a\u0301 "), "▁bxy▁xy\u0301");
  EXPECT_EQ(normalized(step("SentencePiece", "", R"(, "add_dummy_prefix": false, "remove_extra_whitespaces": false)"),
                       " b  "),
            "▁b▁▁");
  EXPECT_EQ(normalized(step("SentencePiece", "", R"(, "treat_whitespace_as_suffix": true)"), " b "), "b▁");
  EXPECT_EQ(normalized(step("SentencePiece", ""), "  "), "");
}

TEST(Normalizer, DamagedMaps) {
  std::vector<Normalizer> steps;
  auto refusal = [&](const std::string &map) {
    Status read = readNormalizers(Json{{"type", "Precompiled"}, {"precompiled_charsmap", map}}, steps);
    return read ? "" : read.error().message;
  };
  EXPECT_NE(refusal("%%%").find("no base64"), std::string::npos);
  EXPECT_NE(refusal(toBase64("ab")).find("shorter"), std::string::npos);
  EXPECT_NE(refusal(toBase64(std::string("\x08\0\0\0abcd", 8))).find("trie of 8 bytes within 4"), std::string::npos);
  EXPECT_NE(refusal(toBase64(std::string(8, '\0'))).find("trie of 0 bytes"), std::string::npos);
  // Places outside of the trie and of the texts end a search.
  std::string map = charsmap('a', "xy");
  map.resize(map.size() - 4);
  const std::string cut = R"({"type": "Precompiled", "precompiled_charsmap": ")" + toBase64(map) + "\"}";
  EXPECT_EQ(normalized(cut, "banal"), "banal");
  map = charsmap('a', "xy");
  map[7] = '\x7f';
  EXPECT_EQ(normalized(R"({"type": "Precompiled", "precompiled_charsmap": ")" + toBase64(map) + "\"}", "banal"),
            "banal");
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
