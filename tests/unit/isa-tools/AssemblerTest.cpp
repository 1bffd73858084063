// One instruction as text: every value of every field survives the round trip,
// readable forms mean what they say, and errors name what is wrong.
#include "lpu/isa/Assembler.h"

#include <gtest/gtest.h>

#include <random>

using namespace lpu;
using namespace lpu::isa;

namespace {

Instruction assembled(const std::string &text) {
  const Result<Instruction> result = assembleInstruction(text);
  EXPECT_TRUE(result) << text << ": " << (result ? "" : result.error().message);
  return result ? *result : Instruction{};
}

std::string errorOf(const std::string &text) {
  const Result<Instruction> result = assembleInstruction(text);
  EXPECT_FALSE(result) << text << " was accepted";
  return result ? "" : result.error().message;
}

/// Extreme values are as likely as ordinary ones.
std::int64_t randomValue(const FieldInfo &f, std::mt19937_64 &random) {
  const std::int64_t lo = f.isSigned ? -(std::int64_t{1} << (f.width - 1)) : 0;
  const std::int64_t hi = (std::int64_t{1} << (f.isSigned ? f.width - 1 : f.width)) - 1;
  switch (random() % 4) {
  case 0:
    return 0;
  case 1:
    return random() % 2 ? lo : hi;
  default:
    return std::uniform_int_distribution<std::int64_t>(lo, hi)(random);
  }
}

TEST(AssembleInstruction, RoundTripsRandomInstructionsOfEveryOpcode) {
  std::mt19937_64 random(7);
  for (const InstructionInfo &i : instructions())
    for (int n = 0; n < 500; ++n) {
      Instruction original;
      original.opcode = i.opcode;
      for (const FieldInfo &f : i.fields)
        original.set(f.field, randomValue(f, random));
      const std::string text = disassemble(original);
      ASSERT_EQ(assembled(text), original) << text;
    }
}

TEST(AssembleInstruction, RoundTripsEveryFieldAloneAtItsLimits) {
  for (const InstructionInfo &i : instructions())
    for (const FieldInfo &f : i.fields) {
      const std::int64_t hi = (std::int64_t{1} << (f.isSigned ? f.width - 1 : f.width)) - 1;
      for (const std::int64_t value : {hi, std::int64_t{1}, f.isSigned ? -hi - 1 : hi / 2}) {
        if (value > hi)
          continue; // 1 does not fit a signed bit
        Instruction original;
        original.opcode = i.opcode;
        original.set(f.field, value);
        ASSERT_EQ(assembled(disassemble(original)), original) << disassemble(original);
      }
    }
}

TEST(AssembleInstruction, PlainFieldsAndReadableFormsMeanTheSame) {
  EXPECT_EQ(assembled("mem rd=1 rdrow=5 rdstream=w3"), assembled("mem rd=1 rdrow=5 rddir=1 rdstream=3"));
  EXPECT_EQ(assembled("mem rd=1 rddir=w"), assembled("mem rd=1 rdstream=w0"));
  EXPECT_EQ(assembled("addf a=e4:4 b=alu3 out=w8:2"),
            assembled("addf akind=1 aindex=4 awidth=2 bkind=2 bindex=3 out=1 outdir=1 outstream=8 outwidth=1"));
  EXPECT_EQ(assembled("move a=acc"), assembled("move akind=4"));
  EXPECT_EQ(assembled("acc row=3 accmode=add"), assembled("acc row=3 accmode=2"));
  EXPECT_EQ(assembled("nop 12"), assembled("nop count=12"));
  EXPECT_EQ(assembled("act play=1 mask=0xfffff"), assembled("act play=1 mask=1048575"));
  EXPECT_EQ(assembled("  send\tstream=e7  "), assembled("send stream=7"));
}

TEST(AssembleInstruction, ReadsImmediatesAsBitPatterns) {
  EXPECT_EQ(assembled("mulf a=e0:4 b=imm imm=1.0f").get(Field::Imm), 0x3f800000);
  EXPECT_EQ(assembled("mulf a=e0:4 b=imm imm=-2.5e0f").get(Field::Imm), 0xc0200000);
  EXPECT_EQ(assembled("addi a=e0:4 b=imm imm=-1").get(Field::Imm), 0xffffffff);
  EXPECT_EQ(assembled("addi a=e0:4 b=imm imm=0xdeadbeef").get(Field::Imm), 0xdeadbeef);
}

TEST(Disassemble, WritesReadableTextWithoutZeroFields) {
  EXPECT_EQ(disassemble(assembled("mem rdrow=17 rd=1 rddir=w rdstream=9")), "mem rd=1 rdrow=17 rdstream=w9");
  EXPECT_EQ(disassemble(assembled("mem wr=1 wrbank=1 wrstep=-2")), "mem wr=1 wrbank=1 wrstep=-2 wrstream=e0");
  EXPECT_EQ(disassemble(assembled("select a=e0:4 b=alu15 c=imm imm=1 out=w4:1")),
            "select a=e0:4 b=alu15 c=imm out=w4:1 imm=0x1");
  EXPECT_EQ(disassemble(assembled("lw stream=16 rowgroup=3")), "lw stream=16 rowgroup=3");
  EXPECT_EQ(disassemble(assembled("acc row=2 accmode=overwrite emit=1")), "acc row=2 accmode=overwrite emit=1");
  EXPECT_EQ(disassemble(assembled("deskew")), "deskew");
}

TEST(AssembleInstruction, ErrorsNameTheMistakeAndWhatWouldBeRight) {
  EXPECT_EQ(errorOf("nope a=1"), "unknown mnemonic 'nope'; docs/isa.md lists all instructions");
  EXPECT_EQ(errorOf("send row=1"), "unknown field 'row' of send; it has dir, stream, copies, wait");
  EXPECT_EQ(errorOf("sync x=1"), "unknown field 'x' of sync; it has no fields");
  EXPECT_EQ(errorOf("mem rdrow=9000"), "field rdrow of mem takes 0 to 8191, not 9000");
  EXPECT_EQ(errorOf("mem rdstep=-4097"), "field rdstep of mem takes -4096 to 4095, not -4097");
  EXPECT_EQ(errorOf("mem rd=1 rd=0"), "field rd of mem is given twice; remove one");
  EXPECT_EQ(errorOf("mem rddir=w rdstream=w1"), "field rddir of mem is given twice; remove one");
  EXPECT_EQ(errorOf("mem rdrow=x"), "value 'x' of field rdrow of mem is not a number");
  EXPECT_EQ(errorOf("mem rdrow="), "value '' of field rdrow of mem is not a number");
  EXPECT_EQ(errorOf("mem rd"), "'rd' of mem has no value; write field=value");
  EXPECT_EQ(errorOf("addf a=q4"), "operand 'q4' of addf is not a stream (e4:4), an ALU (alu3), imm or acc");
  EXPECT_EQ(errorOf("addf a=e4:3"), "width 3 of addf is not 1, 2 or 4 bytes");
  EXPECT_EQ(errorOf("addf a=e32:4"), "field aindex of addf takes 0 to 31, not 32");
  EXPECT_EQ(errorOf("addf imm=1.5"), "immediate '1.5' is neither an integer nor an fp32 number such as 1.5f");
  EXPECT_EQ(errorOf("addf imm=0x100000000"), "field imm of addf takes 0 to 4294967295, not 4294967296");
  EXPECT_EQ(errorOf("addf imm=99999999999999999999"),
            "immediate '99999999999999999999' is neither an integer nor an fp32 number such as 1.5f");
  EXPECT_EQ(errorOf(""), "no instruction; write a mnemonic followed by field=value");
}

} // namespace
