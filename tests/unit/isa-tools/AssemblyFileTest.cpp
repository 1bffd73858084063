// Assembly files: a program written as text and assembled again is the same
// file, byte for byte; errors name file and line.
#include "StepText.h"

#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <unistd.h>

using namespace lpu;
using namespace lpu::isa;
using namespace lpu::isa::test;

namespace {

std::string bytesOf(const Program &p) {
  const auto path = std::filesystem::temp_directory_path() / ("lpu-asm-" + std::to_string(::getpid()) + ".lpx");
  const Status status = writeProgram(p, path.string());
  EXPECT_TRUE(status) << status.error().str();
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  std::filesystem::remove(path);
  return text.str();
}

std::string errorOf(const std::string &text) {
  const Result<Program> result = assembleProgram(text, "t.s", preset());
  EXPECT_FALSE(result) << "accepted:\n" << text;
  return result ? "" : result.error().str();
}

StepProgram randomStep(const Machine &machine, std::mt19937_64 &random) {
  StepProgram step;
  step.predictedCycles = static_cast<Cycle>(random() >> 2);
  step.weightStreamBoundCycles = 1 + static_cast<Cycle>(random() % 100);
  step.resourceBoundCycles = 2, step.criticalPathCycles = 3, step.lowerBoundCycles = 4;
  step.utilization = {0.1, 1.0 / 3, 1e-300, 0.99999999999999, static_cast<double>(random()) / 1e19};
  step.labels = {"control", "twice", "layer 3: \"qkv\"", "twice", ""};
  step.inputs = {{"token", 4, 2, 3, 17, 40, Side::West, 5, 1, 9}};
  step.outputs = {{"logits", 2, 1, 1, 64, 64, Side::East, 0, 0, 1000}, {"b", 1, 1, 1, 1, 1, Side::East, 1, 1, 2}};
  for (int q = 0; q < queueCount(machine); q += 1 + static_cast<int>(random() % 9)) {
    QueueCode code{queueAt(machine, q), {}, {}};
    for (auto n = random() % 20; n > 0; --n) {
      const auto all = instructions();
      Instruction i;
      i.opcode = all[random() % all.size()].opcode;
      for (const FieldInfo &f : info(i.opcode).fields)
        i.set(f.field, static_cast<std::int64_t>(random() % (1u << (f.width > 12 ? 12 : f.width - f.isSigned))));
      code.words.push_back(*encode(i));
      code.labels.push_back(static_cast<std::uint16_t>(random() % step.labels.size()));
    }
    step.queues.push_back(std::move(code));
  }
  return step;
}

/// Replaces the steps of a one-chip program by `count` random ones.
void randomSteps(Program &p, int count, std::mt19937_64 &random) {
  p.steps.clear(), p.classes[0].programs.clear();
  for (int i = 0; i < count; ++i) {
    p.classes[0].programs.push_back(randomStep(p.machine, random));
    p.steps.push_back({"step \"" + std::to_string(random() % 1000) + "\" # \\ \n\t\x7f",
                       random() % 2 ? StepKind::Prefill : StepKind::Decode, static_cast<std::uint32_t>(random()),
                       static_cast<std::uint32_t>(random()), 1 + static_cast<std::uint32_t>(random() % 2),
                       p.classes[0].programs.back().predictedCycles});
  }
  p.chips[0].start.assign(p.steps.size(), 0);
}

TEST(AssemblyFile, RandomProgramsComeBackByteForByte) {
  std::mt19937_64 random(3);
  Program original = program(stepText({}, ".region \"w\" kind=constant rows=2;.row 0102;.map 63..0;.loopback 0 6"));
  original.tokenizer.tokens = {"a", "b"};
  original.model = {"m", "llama", 2, 64, 1};
  for (int n = 0; n < 20; ++n) {
    randomSteps(original, 2, random);
    const std::string text = writeAssembly(original);
    Program base = original;
    base.steps.clear(), base.classes[0].programs.clear();
    const Result<Program> back = assembleOnto(std::move(base), text, "t.s");
    ASSERT_TRUE(back) << back.error().str();
    ASSERT_EQ(bytesOf(*back), bytesOf(original)) << text;
    ASSERT_EQ(writeAssembly(*back), text);
  }
}

TEST(AssemblyFile, SystemsOfSeveralChipsComeBackByteForByte) {
  std::mt19937_64 random(5);
  for (int n = 0; n < 10; ++n) {
    Program original = program(stepText({}, ".region \"w\" kind=constant rows=2;.row 0102;.map 63..0"));
    randomSteps(original, 3, random);
    original.steps[2].name = original.steps[0].name; // names need not differ
    original.classes.push_back(
        {"a \"head\"", {}, 0, {randomStep(original.machine, random), {}, randomStep(original.machine, random)}, {}, 7});
    const auto start = [&] { return static_cast<Cycle>(random() % 100000); };
    for (std::uint16_t c : {1, 0, 1})
      original.chips.push_back({c, 0, {start(), start(), start()}, 4, 5, static_cast<std::uint32_t>(random())});
    original.wires = {{0, 0, 1, 3}, {2, 6, 2, 6}, {1, 10, 3, 0}};
    original.chips[1].imageOffset = 64;
    const std::string text = writeAssembly(original);
    Program base = original;
    for (ChipClass &c : base.classes)
      c.programs.clear();
    base.steps.clear(), base.wires.clear();
    const Result<Program> back = assembleOnto(std::move(base), text, "t.s");
    ASSERT_TRUE(back) << back.error().str();
    ASSERT_EQ(bytesOf(*back), bytesOf(original)) << text;
    ASSERT_EQ(writeAssembly(*back), text);
  }
}

TEST(AssemblyFile, ChipsOfAHandWrittenSystem) {
  const Program p = program(
      ".step \"a\" users=3\n.step \"b\" predicted=9\n"
      ".class \"x\" layers=2\n.region \"r\" kind=constant rows=1\n.row 07\n.program \"b\"\n.queue "
      "c2c.0\nnotify\nsync\ndeskew\n"
      ".class \"y\"\n.region \"r\" kind=constant rows=2\n.row 08\n"
      ".chip \"y\"\n.chip \"x\" start=4,5 stage=1 shard=2 firstlayer=3\n.chip \"y\" start=0,1\n.wire 0 1 2 3\n");
  ASSERT_EQ(p.chips.size(), 3u);
  EXPECT_EQ(p.steps[0].users, 3u);
  EXPECT_EQ(p.classes[0].imageBytes, 64u);
  EXPECT_EQ(p.chips[1].imageOffset, 0u);
  EXPECT_EQ(p.chips[2].imageOffset, 64u);
  EXPECT_EQ(p.image[64], 8);
  EXPECT_EQ(p.chips[1].start, (std::vector<Cycle>{4, 5}));
  EXPECT_EQ(p.chips[0].start, (std::vector<Cycle>{0, 0}));
  EXPECT_EQ(p.chips[1].firstLayer, 3u);
  EXPECT_TRUE(p.classes[1].programs[1].queues.empty());
  EXPECT_EQ(p.wires, (std::vector<Wire>{{0, 1, 2, 3}}));
}

TEST(AssemblyFile, MistakesInASystemNameTheirLine) {
  const std::string head = ".step \"a\"\n.class \"x\"\n";
  const auto at3 = [&](const std::string &line) { return errorOf(head + line + "\n"); };
  EXPECT_NE(at3(".step \"b\"").find("t.s:3: error: .step stands after a .class"), std::string::npos);
  EXPECT_NE(at3(".class \"x\"").find("t.s:3: error: class \"x\" appears twice"), std::string::npos);
  EXPECT_NE(at3(".queue mem.e0").find("before the first .program of its class"), std::string::npos);
  EXPECT_NE(at3(".program \"b\"").find("no .step \"b\" is left for class \"x\""), std::string::npos);
  EXPECT_NE(at3(".program \"a\"\n.program \"a\"").find("t.s:4: error: no .step \"a\" is left"), std::string::npos);
  EXPECT_NE(at3(".chip \"z\"").find("no .class \"z\" stands above"), std::string::npos);
  EXPECT_NE(at3(".chip \"x\" start=1,2").find("for each of the 1 steps"), std::string::npos);
  EXPECT_NE(at3(".chip \"x\" start=-1").find("one cycle from 0 on"), std::string::npos);
  EXPECT_NE(at3(".chip \"x\"\n.wire 0 1 1 2").find("t.s:4: error: the .chips above are numbered 0 to 0"),
            std::string::npos);
  EXPECT_NE(at3(".chip \"x\"\n.wire 0 1 0 99").find("has links 0 to"), std::string::npos);
  EXPECT_NE(at3("").find("the file has classes and no chip"), std::string::npos);
  EXPECT_NE(errorOf(".step \"a\"\n.program \"a\"\n").find("belongs below a .class"), std::string::npos);
  EXPECT_NE(errorOf(".step \"a\"\n.queue mem.e0\n.class \"x\"\n")
                .find("t.s:3: error: .class stands after memory, maps or queues"),
            std::string::npos);
}

TEST(AssemblyFile, WordsOfNoInstructionSurviveAsRawWords) {
  Program original = program(stepText({{"mem.e0", ""}}));
  Word junk;
  junk.fill(0xee);
  original.classes[0].programs[0].queues[0].words.push_back(junk);
  original.classes[0].programs[0].queues[0].labels.push_back(0);
  const std::string text = writeAssembly(original);
  EXPECT_NE(text.find("  .word eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee\n"), std::string::npos);
  const Result<Program> back = assembleOnto(original, text, "t.s");
  ASSERT_TRUE(back) << back.error().str();
  EXPECT_EQ(bytesOf(*back), bytesOf(original));
}

TEST(AssemblyFile, DeclaresMemoryMapsAndLinks) {
  const Program p = program(".region \"w\" kind=constant side=w slice0=3 slices=2 bank=1 row0=7 rows=2\n"
                            ".row 01 02\n.row ff\n"
                            ".map 0..61 -1*2\n.map 63..0\n.loopback 0 7\n.fetchedcode\n");
  ASSERT_EQ(p.classes[0].regions.size(), 1u);
  EXPECT_EQ(p.classes[0].regions[0].side, Side::West);
  EXPECT_EQ(p.classes[0].regions[0].row0, 7);
  ASSERT_EQ(p.image.size(), 4u * 64);
  EXPECT_EQ(p.image[0], 1);
  EXPECT_EQ(p.image[63], 2);
  EXPECT_EQ(p.image[64], 0xff);
  EXPECT_EQ(p.image[128], 0); // rows not given are zeros
  ASSERT_EQ(p.classes[0].sxmMaps.size(), 2u);
  EXPECT_EQ(p.classes[0].sxmMaps[0][61], 61);
  EXPECT_EQ(p.classes[0].sxmMaps[0][62], -1);
  EXPECT_EQ(p.classes[0].sxmMaps[1][0], 63);
  EXPECT_EQ(p.wires, (std::vector<Wire>{{0, 0, 0, 7}}));
  EXPECT_FALSE(p.residentCode);
}

TEST(AssemblyFile, LabelsStickUntilChangedAndResetPerQueue) {
  const Program p = program(".step \"s\"\n.queue mem.e0\nnotify\n.label \"a\"\nsync\nnop 1\n.label \"b\"\nnop 2\n"
                            ".queue mem.e1\nsync\n.label \"a\"\nnop 1\n");
  const StepProgram &s = p.classes[0].programs[0];
  EXPECT_EQ(s.labels, (std::vector<std::string>{"control", "a", "b"}));
  EXPECT_EQ(s.queues[0].labels, (std::vector<std::uint16_t>{0, 1, 1, 2}));
  EXPECT_EQ(s.queues[1].labels, (std::vector<std::uint16_t>{0, 1}));
}

TEST(AssemblyFile, AStepWithoutAClaimClaimsItsRecomputedLength) {
  // One read at 0: its result at 5, plus 3 superlanes behind the first (T1.5).
  const std::string head = ".region \"x\" kind=zero rows=1";
  EXPECT_EQ(program(stepText({{"mem.e0", "mem rd=1"}}, head)).steps[0].predictedCycles, 5 + 3);
  EXPECT_EQ(program(stepText({{"mem.e0", "mem rd=1"}}, head, "predicted=99")).steps[0].predictedCycles, 99);
}

TEST(AssemblyFile, ErrorsNameFileLineAndRemedy) {
  const std::string open = ".step \"s\"\n.queue mem.e0\n";
  EXPECT_EQ(errorOf("mem rd=1\n"), "t.s:1: error: an instruction stands before the first .queue of its step; name its "
                                   "queue, e.g. `.queue mem.e0`");
  EXPECT_EQ(errorOf(open + "sync\nbogus\n"),
            "t.s:4: error: unknown mnemonic 'bogus'; docs/isa.md lists all instructions");
  EXPECT_EQ(errorOf("\n# c\n.bogus\n"), "t.s:3: error: unknown directive '.bogus'; `lpu-as --help` lists them");
  EXPECT_EQ(errorOf(".queue mem.e0\n"), "t.s:1: error: .queue stands before the first .step; open a step first");
  EXPECT_EQ(errorOf(".step decode\n"), "t.s:1: error: .step needs a quoted name, e.g. .step \"decode\" kind=decode");
  EXPECT_EQ(errorOf(".step \"s\" kind=other\n"),
            "t.s:1: error: kind 'other' of .step is none of prefill, decode and encode");
  EXPECT_EQ(errorOf(".step \"s\" token=1\n"),
            "t.s:1: error: unknown key 'token' of .step; it takes kind, tokens, context, users, predicted");
  EXPECT_EQ(errorOf(".step \"s\" tokens=-1\n"),
            "t.s:1: error: value '-1' of key 'tokens' is not a number from 0 to 4294967295");
  EXPECT_EQ(errorOf(".step \"s\" tokens=1 tokens=2\n"), "t.s:1: error: key 'tokens' is given twice; remove one");
  EXPECT_EQ(errorOf(".step \"s\" tokens\n"), "t.s:1: error: 'tokens' is not a key=value pair");
  EXPECT_EQ(errorOf(open + ".queue mem.e28\n"), "t.s:3: error: machine small has no queue mem.e28");
  EXPECT_NE(errorOf(open + ".queue mem\n").find("t.s:3: error: not a queue name"), std::string::npos);
  EXPECT_EQ(errorOf(open + ".queue mem.e0\n"),
            "t.s:3: error: queue mem.e0 appears twice in step \"s\"; join its parts");
  EXPECT_EQ(errorOf(open + ".label 3\n"), "t.s:3: error: label 3 is not in the step's table of 0; add it with .name");
  EXPECT_EQ(errorOf(open + ".word 1234\n"), "t.s:3: error: .word needs 32 hexadecimal digits (16 bytes), not 4");
  EXPECT_EQ(errorOf(open + ".word xy\n"), "t.s:3: error: 'xy' is not hexadecimal");
  EXPECT_EQ(errorOf(".region \"x\" slice0=27 slices=2\n"),
            "t.s:1: error: region \"x\" lies outside of machine small (28 slices, 1024 rows per bank)");
  EXPECT_EQ(errorOf(".row 00\n"), "t.s:1: error: .row belongs below a .region of kind=constant");
  EXPECT_EQ(errorOf(".region \"x\" kind=constant rows=1\n.row 00\n.row 00\n"),
            "t.s:3: error: region \"x\" has only 1 rows");
  EXPECT_EQ(errorOf(".map 0..62\n"), "t.s:1: error: .map names 63 lanes; machine small has 64");
  EXPECT_EQ(errorOf(".map 0*63 64\n"), "t.s:1: error: .map lane 64 is outside of -1 to 63");
  EXPECT_EQ(errorOf(".map 0..x\n"), "t.s:1: error: '0..x' is not a lane, a range a..b or a repetition v*count");
  EXPECT_EQ(errorOf(".loopback 0 11\n"), "t.s:1: error: machine small has links 0 to 10");
}

TEST(AssemblyFile, DeclarationsAreRefusedWhenAProgramGivesThem) {
  const Result<Program> result = assembleOnto(program(""), "# c\n.region \"x\" rows=1\n", "t.s");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().place, "t.s:2");
  EXPECT_NE(result.error().message.find("remove it, or assemble with a machine instead"), std::string::npos);
}

TEST(AssemblyFile, DamagedTextsEndWithOneLineThatNamesTheirLine) {
  std::mt19937_64 random(11);
  const Machine machine = preset();
  Program original = program(stepText({}, ".region \"w\" kind=constant rows=2;.row 0102;.map 63..0;.loopback 0 6"));
  randomSteps(original, 1, random);
  const std::string head = ".region \"w\" kind=constant rows=2\n.row 0102\n.map 63..0\n.loopback 0 6\n";
  const std::string text = head + writeAssembly(original);
  const std::string alphabet = "\" \\=#.:-*0aw\n\t\x01\xff";
  int refused = 0;
  for (int n = 0; n < 500; ++n) {
    std::string damaged = text;
    for (auto k = 1 + random() % 3; k > 0; --k) {
      const std::size_t at = random() % damaged.size();
      if (random() % 3 == 0)
        damaged.erase(at, random() % 9);
      else
        damaged[at] = alphabet[random() % alphabet.size()];
    }
    const Result<AssemblyFile> result = parseAssembly(damaged, "t.s", machine);
    if (result)
      continue;
    ++refused;
    const std::string message = result.error().str();
    ASSERT_EQ(message.rfind("t.s:", 0), 0u) << message;
    ASSERT_NE(message.find(": error: "), std::string::npos) << message;
    ASSERT_EQ(message.find('\n'), std::string::npos) << message;
  }
  EXPECT_GT(refused, 80);
}

} // namespace
