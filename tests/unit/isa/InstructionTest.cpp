// Encoding: exact bits of chosen words, round trips over all instructions, and
// the refusals of encoder and decoder.
#include "lpu/isa/Instruction.h"

#include "lpu/isa/Machine.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <set>

using namespace lpu::isa;

namespace {

std::int64_t lowest(const FieldInfo &f) { return f.isSigned ? -(std::int64_t{1} << (f.width - 1)) : 0; }
std::int64_t highest(const FieldInfo &f) { return (std::int64_t{1} << (f.isSigned ? f.width - 1 : f.width)) - 1; }

bool bitOf(const Word &word, int bit) { return word[bit / 8] >> (bit % 8) & 1; }

Word wordOf(std::initializer_list<int> bytes) {
  Word word{};
  std::copy(bytes.begin(), bytes.end(), word.begin());
  return word;
}

TEST(Instruction, TableIsInOpcodeOrderAndNamesAreUnique) {
  std::set<std::string_view> names;
  ASSERT_EQ(instructions().size(), static_cast<std::size_t>(Opcode::Deskew) + 1);
  for (std::size_t i = 0; i < instructions().size(); ++i) {
    EXPECT_EQ(static_cast<std::size_t>(instructions()[i].opcode), i);
    EXPECT_EQ(&info(static_cast<Opcode>(i)), &instructions()[i]);
    EXPECT_TRUE(names.insert(instructions()[i].mnemonic).second) << instructions()[i].mnemonic;
    EXPECT_FALSE(instructions()[i].doc.empty());
  }
}

TEST(Instruction, FieldsLieInsideTheWordAndDoNotOverlap) {
  for (const InstructionInfo &in : instructions()) {
    std::set<int> bits;
    std::set<Field> fields;
    for (const FieldInfo &f : in.fields) {
      EXPECT_TRUE(fields.insert(f.field).second) << in.mnemonic << " " << fieldName(f.field);
      for (int bit = f.lsb; bit < f.lsb + f.width; ++bit) {
        EXPECT_TRUE(bit >= 8 && bit < 128) << in.mnemonic << " " << fieldName(f.field);
        EXPECT_TRUE(bits.insert(bit).second) << in.mnemonic << " " << fieldName(f.field) << " bit " << bit;
      }
    }
  }
}

TEST(Instruction, TableContents) {
  EXPECT_EQ(info(Opcode::Mem).unit, "Mem");
  EXPECT_EQ(info(Opcode::Mem).latency, "MemRead");
  EXPECT_EQ(info(Opcode::Mem).fields.size(), 14u);
  EXPECT_EQ(info(Opcode::Sync).fields.size(), 0u);
  EXPECT_EQ(info(Opcode::Deskew).fields.size(), 2u);
  EXPECT_EQ(info(Opcode::Select).operands, 3);
  EXPECT_EQ(info(Opcode::Exp).operands, 1);
  EXPECT_EQ(info(Opcode::Shift).operands, 0);
  for (const InstructionInfo &in : instructions()) {
    EXPECT_EQ(isVxm(in.opcode), in.unit == "Vxm") << in.mnemonic;
    if (isVxm(in.opcode)) {
      EXPECT_EQ(in.fields.data(), info(Opcode::Move).fields.data());
      EXPECT_EQ(in.fields.size(), 20u);
      EXPECT_TRUE(in.operands >= 1 && in.operands <= 3);
    }
  }
}

TEST(Instruction, FieldNames) {
  EXPECT_EQ(fieldName(Field::Count), "count");
  EXPECT_EQ(fieldName(Field::RdRow), "rdrow");
  EXPECT_EQ(fieldName(Field::Imm), "imm");
  EXPECT_EQ(fieldName(Field::Install), "install");
  EXPECT_EQ(fieldName(Field::Src2Stream), "src2stream");
  std::set<std::string_view> names;
  for (int i = 0; i < kFieldCount; ++i)
    EXPECT_TRUE(names.insert(fieldName(static_cast<Field>(i))).second) << i;
}

// The name list stands beside the enumeration; this pins every one of them.
TEST(Instruction, EveryFieldNameIsItsEnumerator){
#define INSTRUCTION(ENUM, MNEMONIC, UNIT, LATENCY, DOC)
#define FIELD(NAME, LSB, WIDTH, SIGN)                                                                                  \
  {                                                                                                                    \
    std::string expected = #NAME;                                                                                      \
    std::transform(expected.begin(), expected.end(), expected.begin(), ::tolower);                                     \
    EXPECT_EQ(fieldName(Field::NAME), expected);                                                                       \
  }
#define LPU_VXM_FIELDS
#define LPU_UNIT_FIELDS
#include "lpu/isa/Instructions.def"
}

TEST(Encoding, DirectedWords) {
  Instruction nop;
  nop.set(Field::Count, 0x1234);
  EXPECT_EQ(*encode(nop), wordOf({0, 0x34, 0x12}));

  Instruction repeat{Opcode::Repeat};
  repeat.set(Field::Count, 2).set(Field::Interval, 0xABCD).set(Field::Window, 3);
  EXPECT_EQ(*encode(repeat), wordOf({1, 2, 0, 0xCD, 0xAB, 3}));

  Instruction add{Opcode::AddF};
  add.set(Field::Imm, 0x3F800000).set(Field::AKind, 1).set(Field::AWidth, 2);
  // Bits 8..10 kind, 17..18 width code, 64..95 immediate.
  EXPECT_EQ(*encode(add), wordOf({static_cast<int>(Opcode::AddF), 1, 4, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x3F}));
}

TEST(Encoding, WhatUnitsExecuteCarriesCopiesAndAWait) {
  for (const InstructionInfo &in : instructions()) {
    Instruction word{in.opcode};
    word.set(Field::Copies, 0x1234).set(Field::Wait, 0xABCD);
    auto encoded = encode(word);
    EXPECT_EQ(bool(encoded), in.unit != "Any") << in.mnemonic;
    if (encoded) {
      EXPECT_EQ(*encoded,
                wordOf({static_cast<int>(in.opcode), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x34, 0x12, 0xCD, 0xAB}));
    }
  }
}

TEST(Encoding, FieldAcrossBit64) {
  Instruction mem{Opcode::Mem};
  mem.set(Field::WrStep, -1); // bits 57..69
  Word word = *encode(mem);
  for (int bit = 8; bit < 128; ++bit)
    EXPECT_EQ(bitOf(word, bit), bit >= 57 && bit < 70) << bit;
  EXPECT_EQ(decode(word)->get(Field::WrStep), -1);

  for (std::int64_t step : {-4096, -4095, -129, -128, -1, 0, 1, 127, 128, 4095}) {
    mem.set(Field::WrStep, step).set(Field::WrRow, 8191).set(Field::WrStream, 21);
    EXPECT_EQ(*decode(*encode(mem)), mem) << step;
  }

  Instruction act{Opcode::Activate};
  act.set(Field::Mask, 0x80000001); // bits 47..78
  word = *encode(act);
  EXPECT_TRUE(bitOf(word, 47) && bitOf(word, 78) && !bitOf(word, 48) && !bitOf(word, 77));
  EXPECT_EQ(decode(word)->get(Field::Mask), 0x80000001);
}

TEST(Encoding, EveryFieldAtItsLimits) {
  for (const InstructionInfo &in : instructions())
    for (const FieldInfo &f : in.fields) {
      for (std::int64_t value : {lowest(f), highest(f)}) {
        Instruction i{in.opcode};
        i.set(f.field, value);
        auto word = encode(i);
        ASSERT_TRUE(word) << in.mnemonic << " " << fieldName(f.field);
        // Only the opcode's and the field's own bits may be set.
        for (int bit = 8; bit < 128; ++bit)
          EXPECT_TRUE(!bitOf(*word, bit) || (bit >= f.lsb && bit < f.lsb + f.width));
        EXPECT_EQ(*decode(*word), i);
      }
      for (std::int64_t value : {lowest(f) - 1, highest(f) + 1}) {
        Instruction i{in.opcode};
        i.set(f.field, value);
        auto word = encode(i);
        ASSERT_FALSE(word) << in.mnemonic << " " << fieldName(f.field) << " " << value;
        EXPECT_EQ(word.error().place, fieldName(f.field));
        EXPECT_NE(word.error().message.find(std::to_string(value)), std::string::npos);
      }
    }
}

TEST(Encoding, RandomRoundTrip) {
  EXPECT_TRUE(rc::check("decode(encode(i)) == i", [] {
    const auto number = *rc::gen::inRange<std::size_t>(0, instructions().size());
    Instruction i{static_cast<Opcode>(number)};
    for (const FieldInfo &f : info(i.opcode).fields)
      i.set(f.field, *rc::gen::inRange<std::int64_t>(lowest(f), highest(f) + 1));
    const auto word = encode(i);
    RC_ASSERT(static_cast<bool>(word));
    RC_ASSERT((*word)[0] == number);
    const auto back = decode(*word);
    RC_ASSERT(static_cast<bool>(back));
    RC_ASSERT(*back == i);
  }));
}

TEST(Encoding, RandomWordsDecodeToWhatEncodesBack) {
  EXPECT_TRUE(rc::check("encode(decode(w)) == w", [] {
    Word word;
    for (auto &byte : word)
      byte = *rc::gen::arbitrary<std::uint8_t>();
    // Half of the words are made sparse so that many are valid.
    if (*rc::gen::arbitrary<bool>()) {
      word[0] %= instructions().size();
      std::fill(word.begin() + 2, word.end(), 0);
    }
    if (const auto i = decode(word))
      RC_ASSERT(*encode(*i) == word);
  }));
}

TEST(Encoding, RefusesForeignFieldsAndUnknownOpcodes) {
  Instruction sync{Opcode::Sync};
  sync.set(Field::Count, 1);
  auto word = encode(sync);
  ASSERT_FALSE(word);
  EXPECT_EQ(word.error().place, "count");

  Instruction bad;
  bad.opcode = static_cast<Opcode>(200);
  EXPECT_FALSE(encode(bad));
}

TEST(Decoding, RefusesUnknownOpcodes) {
  for (int opcode = static_cast<int>(instructions().size()); opcode < 256; ++opcode) {
    auto i = decode(wordOf({opcode}));
    ASSERT_FALSE(i) << opcode;
    EXPECT_EQ(i.error().place, "opcode");
  }
}

TEST(Decoding, RefusesEveryBitOutsideOfTheFields) {
  for (const InstructionInfo &in : instructions())
    for (int bit = 8; bit < 128; ++bit) {
      Word word = wordOf({static_cast<int>(in.opcode)});
      word[bit / 8] |= 1 << (bit % 8);
      const bool covered = std::any_of(in.fields.begin(), in.fields.end(),
                                       [&](const FieldInfo &f) { return bit >= f.lsb && bit < f.lsb + f.width; });
      const auto i = decode(word);
      EXPECT_EQ(static_cast<bool>(i), covered) << in.mnemonic << " bit " << bit;
      if (!covered && !i) {
        EXPECT_EQ(i.error().place, "bit " + std::to_string(bit));
      }
    }
}

TEST(Instruction, LatenciesComeFromTheMachine) {
  Machine m;
  EXPECT_EQ(latencyOf(m, Opcode::Mem), 5);
  EXPECT_EQ(latencyOf(m, Opcode::Gather), 7);
  EXPECT_EQ(latencyOf(m, Opcode::AddI), 4);
  EXPECT_EQ(latencyOf(m, Opcode::Recip), 12);
  EXPECT_EQ(latencyOf(m, Opcode::Notify), 35);
  EXPECT_EQ(latencyOf(m, Opcode::Send), 216);
  EXPECT_EQ(latencyOf(m, Opcode::Transpose), 20);
  for (Opcode none : {Opcode::Nop, Opcode::Repeat, Opcode::Sync, Opcode::Config, Opcode::Deskew})
    EXPECT_EQ(latencyOf(m, none), 0);
  m.latency.SxmAcross = 99;
  EXPECT_EQ(latencyOf(m, Opcode::Shift), 99);
  EXPECT_EQ(latencyOf(m, Opcode::Permute), 99);
  EXPECT_EQ(latencyOf(m, Opcode::Rotate), 4);
}

TEST(Instruction, UnitsAcceptTheirOpcodes) {
  const UnitKind all[] = {UnitKind::Mem,  UnitKind::Vxm, UnitKind::MxmW, UnitKind::MxmA,
                          UnitKind::MxmR, UnitKind::Sxm, UnitKind::C2c};
  for (UnitKind unit : all) {
    EXPECT_TRUE(accepts(unit, Opcode::Nop));
    EXPECT_TRUE(accepts(unit, Opcode::IFetch));
    EXPECT_EQ(accepts(unit, Opcode::Scatter), unit == UnitKind::Mem);
    EXPECT_EQ(accepts(unit, Opcode::Exp), unit == UnitKind::Vxm);
    EXPECT_EQ(accepts(unit, Opcode::LoadWeights), unit == UnitKind::MxmW);
    EXPECT_EQ(accepts(unit, Opcode::Activate), unit == UnitKind::MxmA);
    EXPECT_EQ(accepts(unit, Opcode::Accumulate), unit == UnitKind::MxmR);
    EXPECT_EQ(accepts(unit, Opcode::Rotate), unit == UnitKind::Sxm);
    EXPECT_EQ(accepts(unit, Opcode::Receive), unit == UnitKind::C2c);
  }
}

TEST(Instruction, WidthCodes) {
  for (int bytes : {1, 2, 4})
    EXPECT_EQ(widthBytes(widthCode(bytes)), bytes);
}

} // namespace
