// Damaged containers: every flipped byte and every truncation is noticed, and
// damage behind valid hashes (a hostile or buggy writer) never does worse than an error.
#include "ProgramSamples.h"

#include "ProgramFormat.h"
#include "lpu/isa/Hash.h"

#include <cstring>
#include <sys/mman.h>

using namespace lpu::isa;
using namespace lpu::isa::samples;

namespace {

class Corruption : public testing::Test {
protected:
  Folder folder;
  std::string good;
  FileHeader header;
  /// Damaged files live in memory only: the tests read tens of thousands of them.
  const int memory = ::memfd_create("bad.lpx", 0);
  const std::string path = "/proc/self/fd/" + std::to_string(memory);

  void SetUp() override {
    ASSERT_TRUE(writeProgram(sampleProgram(), folder.file("good.lpx")));
    good = readFile(folder.file("good.lpx"));
    std::memcpy(&header, good.data(), sizeof header);
  }

  ~Corruption() override { ::close(memory); }

  lpu::Result<Program> readBytes(const std::string &bytes) {
    const auto size = static_cast<ssize_t>(bytes.size());
    EXPECT_TRUE(::ftruncate(memory, size) == 0 && ::pwrite(memory, bytes.data(), bytes.size(), 0) == size);
    return readProgram(path);
  }

  void expectError(const std::string &bytes, const std::string &words) {
    auto program = readBytes(bytes);
    ASSERT_FALSE(program) << words;
    EXPECT_EQ(program.error().place.rfind(path, 0), 0u) << program.error().str();
    EXPECT_EQ(program.error().str().find('\n'), std::string::npos);
    EXPECT_NE(program.error().message.find(words), std::string::npos) << program.error().str();
  }

  /// The file with hashes made right again after its contents were changed.
  std::string rehashed(std::string bytes) {
    const auto view = [&](std::size_t from, std::size_t size) {
      return hash64(std::string_view(bytes).substr(from, size));
    };
    FileHeader h = header;
    h.metadataHash = view(sizeof h, h.metadataBytes);
    h.imageHash = view(h.imageOffset, h.imageBytes);
    h.headerHash = headerHash(h);
    std::memcpy(bytes.data(), &h, sizeof h);
    return bytes;
  }

  /// Replaces the only occurrence of an 8-byte value in the metadata.
  std::string withValueReplaced(std::uint64_t from, std::uint64_t to) {
    std::string bytes = good;
    const auto at = bytes.find(std::string(reinterpret_cast<const char *>(&from), 8));
    EXPECT_NE(at, std::string::npos);
    std::memcpy(bytes.data() + at, &to, 8);
    return rehashed(bytes);
  }
};

TEST_F(Corruption, UndamagedCopyIsRead) { EXPECT_TRUE(readBytes(rehashed(good))); }

TEST_F(Corruption, EveryHeaderBitCounts) {
  for (std::size_t byte = 0; byte < sizeof(FileHeader); ++byte)
    for (int bit = 0; bit < 8; ++bit) {
      std::string bytes = good;
      bytes[byte] = static_cast<char>(bytes[byte] ^ 1 << bit);
      expectError(bytes, byte < 4 ? "LPUX" : byte < 8 ? "version" : "header checksum");
    }
}

TEST_F(Corruption, EveryByteBehindTheHeaderCounts) {
  for (std::size_t byte = sizeof(FileHeader); byte < good.size(); ++byte) {
    std::string bytes = good;
    bytes[byte] = static_cast<char>(bytes[byte] ^ 0x10);
    const bool metadata = byte < sizeof(FileHeader) + header.metadataBytes;
    expectError(bytes, metadata ? "metadata checksum" : byte < header.imageOffset ? "padding byte" : "image checksum");
  }
}

TEST_F(Corruption, EveryTruncationAndAnyAppendixIsNoticed) {
  for (std::size_t size = 0; size < good.size(); ++size)
    expectError(good.substr(0, size), size == 0 ? "empty" : size < 64 ? "too few" : "bytes long");
  expectError(good + '\0', "bytes long");
}

TEST_F(Corruption, OtherFiles) {
  expectError("GGUF" + std::string(100, 'x'), "not a program");
  auto missing = readProgram(folder.file("missing.lpx"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().place, folder.file("missing.lpx"));
  EXPECT_NE(missing.error().message.find("No such file"), std::string::npos);
  auto directory = readProgram(folder.path);
  ASSERT_FALSE(directory);
  EXPECT_NE(directory.error().message.find("not a regular file"), std::string::npos);
}

TEST_F(Corruption, HeaderFieldsThatLieAboutSizes) {
  for (auto damage : {+[](FileHeader &h) { h.metadataBytes = ~0ull; }, +[](FileHeader &h) { h.metadataBytes -= 8; },
                      +[](FileHeader &h) { h.imageOffset = 0; }, +[](FileHeader &h) { h.imageOffset += 4096; },
                      +[](FileHeader &h) { h.imageBytes = ~0ull; }, +[](FileHeader &h) { h.imageBytes += 1; },
                      +[](FileHeader &h) { h.imageOffset = ~0ull - 4095; }, +[](FileHeader &h) { h.headerBytes = 0; },
                      +[](FileHeader &h) { h.metadataBytes = 0; }}) {
    FileHeader h = header;
    damage(h);
    h.headerHash = headerHash(h);
    std::string bytes = good;
    std::memcpy(bytes.data(), &h, sizeof h);
    EXPECT_FALSE(readBytes(bytes));
  }
}

TEST_F(Corruption, OtherVersionsAreNamed) {
  FileHeader h = header;
  h.version = 4;
  h.headerHash = headerHash(h);
  std::string bytes = good;
  std::memcpy(bytes.data(), &h, sizeof h);
  expectError(bytes, "format version 4, this build reads version 3");
}

TEST_F(Corruption, OtherInstructionSetOrMachine) {
  expectError(withValueReplaced(isaHash(), 42), "compiled for instruction set 000000000000002a");
  const std::string yaml = sampleProgram().machineYaml;
  expectError(withValueReplaced(hash64(yaml), 42), "machine description does not match its hash");

  // Same-length changes with a matching machine hash.
  const auto changed = [&](const std::string &from, const std::string &to) {
    std::string text = yaml, file = good;
    text.replace(text.find(from), from.size(), to);
    file.replace(file.find(from), from.size(), to);
    const std::uint64_t before = hash64(yaml), after = hash64(text);
    const auto hashAt = file.find(std::string(reinterpret_cast<const char *>(&before), 8));
    std::memcpy(file.data() + hashAt, &after, 8);
    return rehashed(file);
  };
  expectError(changed("alus: 16", "alus: 99"), "'vxm.alus' is 99");
  expectError(changed("preload_words: 40", "preload_words: +4"), "preload_words");
  expectError(changed("ghz: 0.9", "ghz: .90"), "not in canonical form");
}

TEST_F(Corruption, PartialWordsAreRefused) {
  // The text of mem.e3: a byte count of 32, then its first word, a sync.
  std::string text(20, '\0'), bytes = good;
  text[0] = 32;
  text[4] = static_cast<char>(Opcode::Sync);
  const auto at = bytes.find(text);
  ASSERT_NE(at, std::string::npos);
  bytes[at] = 31;
  expectError(rehashed(bytes), "malformed");
}

/// Hashes are right, contents are not: the FlatBuffers verifier and the range
/// checks stand alone. Sanitizer builds make this test sharp.
TEST_F(Corruption, RehashedDamageNeverCrashes) {
  std::uint32_t state = 7;
  const auto random = [&state](std::uint32_t n) {
    state = state * 1664525 + 1013904223;
    return (state >> 8) % n;
  };
  int accepted = 0, refused = 0;
  const auto tryBytes = [&](std::string bytes) {
    auto program = readBytes(rehashed(std::move(bytes)));
    ++(program ? accepted : refused);
    if (!program) {
      ASSERT_EQ(program.error().str().find('\n'), std::string::npos) << program.error().str();
    } else if (accepted % 64 == 0) { // what is accepted passed all checks, so it can be written again
      ASSERT_TRUE(writeProgram(*program, folder.file("again.lpx")));
    }
  };
  for (std::size_t byte = sizeof(FileHeader); byte < sizeof(FileHeader) + header.metadataBytes; ++byte) {
    std::string bytes = good;
    bytes[byte] = static_cast<char>(random(256));
    tryBytes(bytes);
  }
  for (int round = 0; round < 2000; ++round) {
    std::string bytes = good;
    for (std::uint32_t n = 1 + random(8); n > 0; --n) {
      const std::size_t at = sizeof(FileHeader) + random(static_cast<std::uint32_t>(header.metadataBytes) - 4);
      const std::uint32_t value = random(4) ? random(64) : 0xFFFFFFFFu >> random(32);
      std::memcpy(bytes.data() + at, &value, 4);
    }
    tryBytes(bytes);
  }
  EXPECT_GT(refused, 1000);
  EXPECT_GT(accepted, 100);
}

TEST(Hash, KnownValuesAndSensitivity) {
  // XXH3's published values of nothing and of "a".
  EXPECT_EQ(hash64(std::string_view()), 0x2D06800538D394C2u);
  EXPECT_EQ(hash64(std::string_view("a")), 0xE6C632B61E964E1Fu);
  EXPECT_NE(hash64(std::string_view("\0", 1)), hash64(std::string_view("\0\0", 2)));
  EXPECT_NE(hash64(std::string_view("a")), hash64(std::string_view("a\0", 2)));
}

} // namespace
