// Parts of the cores that stand alone: values, the digest, dot products, and the
// two stream files against each other.
#include "Lanes.h"
#include "ProgramBuilder.h"
#include "RegisterStreamFile.h"
#include "SlotStreamFile.h"
#include "Targets.h"
#include "lpu/isa/Sha256.h"

#include <algorithm>
#include <gtest/gtest.h>

#include <random>

namespace lpu::test {
namespace {

std::string digestOf(const std::string &text, std::size_t pieces) {
  Sha256 hash;
  const auto *bytes = reinterpret_cast<const std::uint8_t *>(text.data());
  for (std::size_t at = 0; at < text.size(); at += pieces)
    hash.update(bytes + at, std::min(pieces, text.size() - at));
  std::string hex;
  for (std::uint8_t b : hash.finish()) {
    hex += "0123456789abcdef"[b >> 4];
    hex += "0123456789abcdef"[b & 15];
  }
  return hex;
}

// Examples of FIPS 180-4, fed in pieces of several sizes.
TEST(Sha256, PublishedExamples) {
  for (std::size_t pieces : {1, 3, 64, 1000}) {
    EXPECT_EQ(digestOf("abc", pieces), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(digestOf("", pieces), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(digestOf("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", pieces),
              "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  }
  EXPECT_EQ(digestOf(std::string(1000000, 'a'), 320),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

// Every instruction set this host has computes the same: the plain sums.
TEST(Lanes, SixteenRowsAtATimeOnEveryTarget) {
  std::vector<std::vector<std::int8_t>> rows(32, std::vector<std::int8_t>(600));
  std::vector<std::int8_t> x[2] = {std::vector<std::int8_t>(600), std::vector<std::int8_t>(600)};
  std::uint32_t seed = 1;
  auto next = [&seed] { return static_cast<std::int8_t>((seed = seed * 1664525u + 1013904223u) >> 24); };
  const std::int8_t *pointers[32];
  for (int r = 0; r < 32; ++r) {
    std::generate(rows[r].begin(), rows[r].end(), next);
    pointers[r] = rows[r].data();
  }
  std::fill(rows[3].begin(), rows[3].end(), -128);
  std::generate(x[0].begin(), x[0].end(), next);
  std::fill(x[1].begin(), x[1].end(), -128);
  onEveryTarget([&](const char *target) {
    for (int first : {0, 5, 16})
      for (int count : {1, 15, 16, 31, 32, 33, 48, 64, 65, 128, 192, 200, 256, 320, 384, 448, 449, 512})
        for (int groups : {1, 2})
          for (int vectors : {1, 2}) {
            std::int32_t out[2][33] = {};
            std::int32_t *outs[2] = {out[0], out[1]};
            sim::DotOperand operands[2];
            for (int v = 0; v < vectors; ++v)
              operands[v] = {x[v].data(), sim::sumInt8(x[v].data(), count)};
            out[0][16 * groups] = out[1][16 * groups] = 42;
            sim::dotRows(pointers, groups, first, count, operands, vectors, outs);
            for (int v = 0; v < vectors; ++v)
              for (int r = 0; r < 16 * groups; ++r) {
                std::int32_t sum = 0;
                for (int i = 0; i < count; ++i)
                  sum += rows[r][first + i] * x[v][i];
                ASSERT_EQ(out[v][r], sum) << target << ' ' << first << ' ' << count << ' ' << r;
              }
            ASSERT_EQ(out[0][16 * groups], 42) << target;
            ASSERT_EQ(out[1][16 * groups], 42) << target;
          }
  });
}

TEST(Lanes, SumsSayWhenTheyLeave32Bits) {
  onEveryTarget([&](const char *target) {
    for (int lane : {0, 1, 36, 37})
      for (auto [a, b, leaves] :
           {std::tuple(INT32_MAX, 1, true), std::tuple(INT32_MAX, 0, false), std::tuple(INT32_MIN, -1, true),
            std::tuple(INT32_MIN, INT32_MAX, false), std::tuple(-5, 3, false)}) {
        std::vector<std::uint32_t> in(38, 7), sum(38, static_cast<std::uint32_t>(-9));
        in[lane] = static_cast<std::uint32_t>(a);
        sum[lane] = static_cast<std::uint32_t>(b);
        EXPECT_EQ(sim::addSums(in.data(), sum.data(), 38), leaves) << target << ' ' << lane;
        for (int i = 0; i < 38; ++i)
          EXPECT_EQ(sum[i], i == lane ? static_cast<std::uint32_t>(a) + static_cast<std::uint32_t>(b) : -2u) << target;
      }
  });
}

TEST(Lanes, MoveInsideSuperlanes) {
  constexpr int kSuperlanes = 5, kLanes = 16 * kSuperlanes;
  std::vector<std::vector<std::uint8_t>> rows(16, std::vector<std::uint8_t>(kLanes)), moved = rows;
  const std::uint8_t *in[16];
  std::uint8_t *out[16], from[16];
  for (int r = 0; r < 16; ++r) {
    for (int l = 0; l < kLanes; ++l)
      rows[r][l] = static_cast<std::uint8_t>(r * 81 + l * 7 + 1);
    in[r] = rows[r].data(), out[r] = moved[r].data();
    from[r] = static_cast<std::uint8_t>(r % 5 == 2 ? 128 + r : r * r % 16);
  }
  onEveryTarget([&](const char *target) {
    sim::shuffleSuperlanes(in[3], out[0], from, kSuperlanes);
    for (int l = 0; l < kLanes; ++l)
      EXPECT_EQ(moved[0][l], from[l % 16] < 128 ? rows[3][l / 16 * 16 + from[l % 16]] : 0) << target << ' ' << l;
    sim::transposeSuperlanes(in, out, kSuperlanes);
    for (int r = 0; r < 16; ++r)
      for (int l = 0; l < kLanes; ++l)
        EXPECT_EQ(moved[r][l], rows[l % 16][l / 16 * 16 + r]) << target << ' ' << r << ' ' << l;
  });
}

TEST(Lanes, BytePlanesThereAndBack) {
  constexpr int kLanes = 333;
  std::vector<std::uint32_t> words(kLanes), back(kLanes);
  for (int i = 0; i < kLanes; ++i)
    words[i] = static_cast<std::uint32_t>(i) * 2654435761u;
  std::vector<std::vector<std::uint8_t>> planes(4, std::vector<std::uint8_t>(kLanes));
  std::uint8_t *out[4] = {planes[0].data(), planes[1].data(), planes[2].data(), planes[3].data()};
  for (int b = 0; b < 4; ++b) {
    sim::bytePlane(words.data(), out[b], b, kLanes);
    for (int i = 0; i < kLanes; ++i)
      ASSERT_EQ(planes[b][i], words[i] >> (8 * b) & 0xFF);
  }
  for (int bytes : {1, 2, 4}) {
    sim::joinBytes(out, back.data(), bytes, kLanes);
    for (int i = 0; i < kLanes; ++i) {
      int shift = 32 - 8 * bytes;
      ASSERT_EQ(static_cast<std::int32_t>(back[i]), static_cast<std::int32_t>(words[i] << shift) >> shift) << bytes;
    }
  }
}

TEST(VectorValue, PlanesOfWordsAreRowsOnDemand) {
  constexpr int kLanes = 20;
  sim::VectorPool rows(kLanes), words(kLanes * 4, &rows);
  sim::VectorValue whole = sim::VectorValue::allocate(words);
  for (int i = 0; i < kLanes; ++i)
    whole.writableWords()[i] = 0x03020100u + 0x10101010u * (i % 13);
  sim::VectorValue planes[4], other = sim::VectorValue::allocate(rows);
  for (int b = 0; b < 4; ++b)
    planes[b] = sim::VectorValue::planeOf(whole, b);
  auto areWords = [](sim::VectorValue a, sim::VectorValue b, sim::VectorValue c, sim::VectorValue d) {
    const sim::VectorValue parts[4] = {a, b, c, d};
    return sim::VectorValue::areWords(parts);
  };
  EXPECT_TRUE(areWords(planes[0], planes[1], planes[2], planes[3]));
  EXPECT_FALSE(areWords(planes[1], planes[0], planes[2], planes[3]));
  EXPECT_FALSE(areWords(planes[0], planes[1], planes[2], other));
  EXPECT_EQ(planes[2].wholeWords().words(), whole.words());
  std::uint8_t copy[kLanes];
  planes[3].copyTo(copy, kLanes);
  sim::VectorValue shared = planes[3];
  for (int i = 0; i < kLanes; ++i) {
    EXPECT_EQ(copy[i], whole.words()[i] >> 24);
    EXPECT_EQ(shared.data()[i], copy[i]);
  }
  EXPECT_FALSE(areWords(planes[0], planes[1], planes[2], shared));
  EXPECT_TRUE(areWords(planes[0], planes[1], planes[2], planes[3]));
  EXPECT_EQ(whole.words()[1], 0x13121110u);
}

TEST(VectorValue, SharesAndRecyclesBlocks) {
  sim::VectorPool pool(64);
  const std::uint8_t *first;
  {
    sim::VectorValue a = sim::VectorValue::allocate(pool), b = a;
    first = a.data();
    a = sim::VectorValue();
    EXPECT_EQ(b.data(), first);
    EXPECT_NE(sim::VectorValue::allocate(pool).data(), first); // b still holds it
  }
  sim::VectorValue c = sim::VectorValue::allocate(pool), d = sim::VectorValue::allocate(pool);
  EXPECT_TRUE(c.data() == first || d.data() == first);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(c.data()) % 64, 0u);
}

// The slot identity (T2.3, T2.4) against registers that really shift: random
// drives at random distances ahead, every register looked at in every cycle.
TEST(StreamFiles, SlotsEqualRegisters) {
  ProgramBuilder b;
  sim::VectorPool pool(64); // outlives the values in the files
  sim::SlotStreamFile slots(b.machine);
  sim::RegisterStreamFile registers(b.machine);
  std::mt19937 random(7);
  const int reach = b.machine.maxPosition();
  int seen = 0;
  for (isa::Cycle now = 0; now < 3000; ++now) {
    registers.advance(now);
    for (int i = static_cast<int>(random() % 6); i > 0; --i) {
      sim::StreamRef ref{random() % 2 ? isa::Direction::East : isa::Direction::West,
                         static_cast<std::uint8_t>(random() % 3)};
      int position = static_cast<int>(random() % (2 * reach + 1)) - reach;
      isa::Cycle at = now + 1 + random() % 24;
      sim::VectorValue value = sim::VectorValue::allocate(pool);
      value.writable()[0] = static_cast<std::uint8_t>(random());
      const sim::Producer *a = slots.drive(ref, position, at, value, {static_cast<int>(now), now, nullptr});
      const sim::Producer *c = registers.drive(ref, position, at, value, {static_cast<int>(now), now, nullptr});
      ASSERT_EQ(a == nullptr, c == nullptr);
      if (a) {
        EXPECT_EQ(a->issued, c->issued);
      }
    }
    for (auto dir : {isa::Direction::East, isa::Direction::West})
      for (std::uint8_t s = 0; s < 3; ++s)
        for (int p = -reach; p <= reach; ++p) {
          sim::VectorValue a, c;
          const bool found = slots.sample({dir, s}, p, now, &a);
          ASSERT_EQ(found, registers.sample({dir, s}, p, now, &c)) << now;
          if (found) {
            ASSERT_EQ(a.data(), c.data()) << now;
            ++seen;
          }
        }
  }
  EXPECT_GT(seen, 10000);
}

} // namespace
} // namespace lpu::test
