// Program container: everything written comes back, the same bytes every time,
// files appear whole or not at all, and programs out of range are refused.
#include "ProgramSamples.h"

#include <csignal>
#include <cstring>
#include <filesystem>
#include <functional>
#include <sys/resource.h>

using namespace lpu::isa;
using namespace lpu::isa::samples;

namespace {

void expectSame(const Binding &a, const Binding &b) {
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.width, b.width);
  EXPECT_EQ(a.items, b.items);
  EXPECT_EQ(a.vectors, b.vectors);
  EXPECT_EQ(a.lanesUsed, b.lanesUsed);
  EXPECT_EQ(a.elements, b.elements);
  EXPECT_EQ(a.side, b.side);
  EXPECT_EQ(a.slice0, b.slice0);
  EXPECT_EQ(a.bank, b.bank);
  EXPECT_EQ(a.row0, b.row0);
}

void expectSame(const Region &a, const Region &b) {
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.kind, b.kind);
  EXPECT_EQ(a.side, b.side);
  EXPECT_EQ(a.slice0, b.slice0);
  EXPECT_EQ(a.slices, b.slices);
  EXPECT_EQ(a.bank, b.bank);
  EXPECT_EQ(a.row0, b.row0);
  EXPECT_EQ(a.rows, b.rows);
  EXPECT_EQ(a.imageOffset, b.imageOffset);
}

void expectSame(const QueueCode &a, const QueueCode &b) {
  EXPECT_EQ(a.queue, b.queue);
  EXPECT_EQ(a.words, b.words);
  EXPECT_EQ(a.labels, b.labels);
}

void expectSame(const StepProgram &a, const StepProgram &b);
void expectSame(const ChipClass &a, const ChipClass &b);
void expectSame(const Chip &a, const Chip &b);
void expectSame(const SystemStep &a, const SystemStep &b);

template <typename T> void expectSame(const std::vector<T> &a, const std::vector<T> &b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i)
    expectSame(a[i], b[i]);
}

void expectSame(const StepProgram &a, const StepProgram &b) {
  EXPECT_EQ(a.predictedCycles, b.predictedCycles);
  EXPECT_EQ(a.weightStreamBoundCycles, b.weightStreamBoundCycles);
  EXPECT_EQ(a.resourceBoundCycles, b.resourceBoundCycles);
  EXPECT_EQ(a.criticalPathCycles, b.criticalPathCycles);
  EXPECT_EQ(a.lowerBoundCycles, b.lowerBoundCycles);
  EXPECT_EQ(a.utilization.mxm, b.utilization.mxm);
  EXPECT_EQ(a.utilization.vxm, b.utilization.vxm);
  EXPECT_EQ(a.utilization.sxm, b.utilization.sxm);
  EXPECT_EQ(a.utilization.mem, b.utilization.mem);
  EXPECT_EQ(a.utilization.streams, b.utilization.streams);
  EXPECT_EQ(a.labels, b.labels);
  expectSame(a.queues, b.queues);
  expectSame(a.inputs, b.inputs);
  expectSame(a.outputs, b.outputs);
}

void expectSame(const ChipClass &a, const ChipClass &b) {
  EXPECT_EQ(a.name, b.name);
  expectSame(a.regions, b.regions);
  EXPECT_EQ(a.imageBytes, b.imageBytes);
  expectSame(a.programs, b.programs);
  EXPECT_EQ(a.sxmMaps, b.sxmMaps);
  EXPECT_EQ(a.layerCount, b.layerCount);
}

void expectSame(const Chip &a, const Chip &b) {
  EXPECT_EQ(a.chipClass, b.chipClass);
  EXPECT_EQ(a.imageOffset, b.imageOffset);
  EXPECT_EQ(a.start, b.start);
  EXPECT_EQ(a.stage, b.stage);
  EXPECT_EQ(a.shard, b.shard);
  EXPECT_EQ(a.firstLayer, b.firstLayer);
}

void expectSame(const SystemStep &a, const SystemStep &b) {
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.kind, b.kind);
  EXPECT_EQ(a.tokens, b.tokens);
  EXPECT_EQ(a.context, b.context);
  EXPECT_EQ(a.users, b.users);
  EXPECT_EQ(a.predictedCycles, b.predictedCycles);
}

void expectSame(const Tokenizer &a, const Tokenizer &b) {
  EXPECT_EQ(a.model, b.model);
  EXPECT_EQ(a.pre, b.pre);
  EXPECT_EQ(a.tokens, b.tokens);
  EXPECT_EQ(a.scores, b.scores);
  EXPECT_EQ(a.types, b.types);
  EXPECT_EQ(a.merges, b.merges);
  EXPECT_EQ(a.bos, b.bos);
  EXPECT_EQ(a.eos, b.eos);
  EXPECT_EQ(a.unknown, b.unknown);
  EXPECT_EQ(a.addBos, b.addBos);
  EXPECT_EQ(a.addSpacePrefix, b.addSpacePrefix);
  EXPECT_EQ(a.pipeline, b.pipeline);
  EXPECT_EQ(a.mergePairs, b.mergePairs);
  EXPECT_EQ(a.ends, b.ends);
  EXPECT_EQ(a.chatTemplate, b.chatTemplate);
}

void expectSame(const Program &a, const Program &b) {
  EXPECT_EQ(a.machineYaml, b.machineYaml);
  EXPECT_EQ(writeMachine(a.machine), writeMachine(b.machine));
  EXPECT_EQ(a.model.name, b.model.name);
  EXPECT_EQ(a.model.architecture, b.model.architecture);
  EXPECT_EQ(a.model.vocabulary, b.model.vocabulary);
  EXPECT_EQ(a.model.maxContext, b.model.maxContext);
  EXPECT_EQ(a.model.layers, b.model.layers);
  expectSame(a.tokenizer, b.tokenizer);
  EXPECT_EQ(a.tp, b.tp);
  EXPECT_EQ(a.pp, b.pp);
  EXPECT_EQ(a.topology, b.topology);
  expectSame(a.classes, b.classes);
  expectSame(a.chips, b.chips);
  EXPECT_EQ(a.wires, b.wires);
  expectSame(a.steps, b.steps);
  EXPECT_EQ(a.hasWeights, b.hasWeights);
  EXPECT_EQ(a.residentCode, b.residentCode);
  EXPECT_TRUE(std::equal(a.image.begin(), a.image.end(), b.image.begin(), b.image.end()));
}

TEST(Program, RoundTripOfEverything) {
  Folder folder;
  const Program p = sampleProgram();
  auto written = writeProgram(p, folder.file("p.lpx"));
  ASSERT_TRUE(written) << written.error().str();
  auto back = readProgram(folder.file("p.lpx"));
  ASSERT_TRUE(back) << back.error().str();
  expectSame(*back, p);
}

TEST(Program, DefaultsAndEmptyPartsRoundTrip) {
  Folder folder;
  Program p;
  p.classes.emplace_back();
  p.chips.emplace_back();
  ASSERT_TRUE(writeProgram(p, folder.file("p.lpx")));
  auto back = readProgram(folder.file("p.lpx"));
  ASSERT_TRUE(back) << back.error().str();
  p.machineYaml = writeMachine(p.machine); // filled in by the writer
  expectSame(*back, p);
  EXPECT_TRUE(back->residentCode);
}

TEST(Program, ImageIsPageAlignedInTheFileAndOutlivesIt) {
  Folder folder;
  const Program p = sampleProgram();
  ASSERT_TRUE(writeProgram(p, folder.file("p.lpx")));
  EXPECT_EQ((readFile(folder.file("p.lpx")).size() - p.image.size()) % 4096, 0u);
  auto back = readProgram(folder.file("p.lpx"));
  ASSERT_TRUE(back);
  std::remove(folder.file("p.lpx").c_str());
  const Program copy = *back;
  back = lpu::Error{};
  EXPECT_TRUE(std::equal(copy.image.begin(), copy.image.end(), p.image.begin(), p.image.end()));
}

TEST(Program, SameProgramSameBytes) {
  Folder folder;
  ASSERT_TRUE(writeProgram(sampleProgram(), folder.file("a.lpx")));
  ASSERT_TRUE(writeProgram(sampleProgram(), folder.file("b.lpx")));
  const std::string a = readFile(folder.file("a.lpx"));
  EXPECT_EQ(a, readFile(folder.file("b.lpx")));
  // Reading and writing again changes nothing either.
  auto back = readProgram(folder.file("a.lpx"));
  ASSERT_TRUE(back);
  ASSERT_TRUE(writeProgram(*back, folder.file("c.lpx")));
  EXPECT_EQ(a, readFile(folder.file("c.lpx")));
}

TEST(Program, WritingOntoTheFileBeingReadIsSafe) {
  Folder folder;
  ASSERT_TRUE(writeProgram(sampleProgram(), folder.file("p.lpx")));
  auto back = readProgram(folder.file("p.lpx"));
  ASSERT_TRUE(back);
  ASSERT_TRUE(writeProgram(*back, folder.file("p.lpx")));
  EXPECT_TRUE(readProgram(folder.file("p.lpx")));
}

TEST(ProgramWriter, FailuresLeaveNothingBehind) {
  Folder folder;
  const auto entries = [&] { return std::distance(std::filesystem::directory_iterator(folder.path), {}); };
  auto missing = writeProgram(sampleProgram(), folder.file("no/such/p.lpx"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().place, folder.file("no/such/p.lpx"));
  EXPECT_NE(missing.error().message.find("No such file"), std::string::npos);
  std::filesystem::create_directory(folder.file("taken"));
  EXPECT_FALSE(writeProgram(sampleProgram(), folder.file("taken")));
  EXPECT_EQ(entries(), 1);
}

TEST(ProgramWriter, FullDiskKeepsTheOldFile) {
  Folder folder;
  writeFile(folder.file("p.lpx"), "old");
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  rlimit small = before;
  small.rlim_cur = 4096;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  auto status = writeProgram(sampleProgram(), folder.file("p.lpx"));
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, SIG_DFL);
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().message.find("File too large"), std::string::npos) << status.error().str();
  EXPECT_EQ(readFile(folder.file("p.lpx")), "old");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path), {}), 1);
}

struct BadProgram {
  const char *words; ///< expected in the message
  std::function<void(Program &)> damage;
};

TEST(ProgramWriter, RefusesProgramsOutOfRange) {
  const BadProgram cases[] = {
      {"canonical", [](Program &p) { p.machineYaml += " "; }},
      {"region 'weights': 3 slices from 26", [](Program &p) { p.classes[0].regions[0].slice0 = 26; }},
      {"region 'weights': 0 slices", [](Program &p) { p.classes[0].regions[0].slices = 0; }},
      {"region 'weights': bank 2", [](Program &p) { p.classes[0].regions[0].bank = 2; }},
      {"region 'weights': 4 rows from 1021", [](Program &p) { p.classes[0].regions[0].row0 = 1021; }},
      {"region 'weights': side 2", [](Program &p) { p.classes[0].regions[0].side = static_cast<Side>(2); }},
      {"region 'weights': kind 9", [](Program &p) { p.classes[0].regions[0].kind = static_cast<Region::Kind>(9); }},
      {"its 768 bytes at image offset 70", [](Program &p) { p.classes[0].regions[0].imageOffset = 70; }},
      {"at image offset 18446744073709551615", [](Program &p) { p.classes[0].regions[0].imageOffset = ~0ull; }},
      {"step 'prefill': kind 7", [](Program &p) { p.steps[0].kind = static_cast<StepKind>(7); }},
      {"step 'prefill': predicted to take -3", [](Program &p) { p.steps[0].predictedCycles = -3; }},
      {"for 0 users", [](Program &p) { p.steps[1].users = 0; }},
      {"chip class 'head': 1 programs for 2 steps", [](Program &p) { p.classes[1].programs.pop_back(); }},
      {"chips: 0 chips", [](Program &p) { p.chips.clear(); }},
      {"chip 1: class 2 of 2", [](Program &p) { p.chips[1].chipClass = 2; }},
      {"chip 1: 1 starts for 2 steps", [](Program &p) { p.chips[1].start.pop_back(); }},
      {"chip 1: starts at cycle -1", [](Program &p) { p.chips[1].start[0] = -1; }},
      {"chip 1: its 832 bytes of constants at image offset 838", [](Program &p) { p.chips[1].imageOffset = 838; }},
      {"chip 1: its 832 bytes of constants at image offset 18446744073709551615",
       [](Program &p) { p.chips[1].imageOffset = ~0ull; }},
      {"chip 3 of 3", [](Program &p) { p.wires[0].chipB = 3; }},
      {"chip 2, link 2 is wired twice",
       [](Program &p) {
         p.wires[0] = {1, 1, 2, 2};
       }},
      {"predicted to take -1", [](Program &p) { p.classes[0].programs[0].predictedCycles = -1; }},
      {"binding 'token': width 3", [](Program &p) { p.classes[0].programs[0].inputs[0].width = 3; }},
      {"binding 'token': 65 lanes", [](Program &p) { p.classes[0].programs[0].inputs[0].lanesUsed = 65; }},
      {"binding 'logits': 193 elements", [](Program &p) { p.classes[0].programs[1].outputs[0].elements = 193; }},
      {"binding 'logits': 4 slices from 25", [](Program &p) { p.classes[0].programs[1].outputs[0].slice0 = 25; }},
      {"binding 'logits': 1200 rows", [](Program &p) { p.classes[0].programs[1].outputs[0].items = 400; }},
      {"rows from 100 do not fit", [](Program &p) { p.classes[0].programs[1].outputs[0].items = 0xFFFFFFFF; }},
      {"mem.e28: the machine has no such queue",
       [](Program &p) { p.classes[0].programs[0].queues[0].queue.index = 28; }},
      {"no such queue", [](Program &p) { p.classes[0].programs[0].queues[1].queue.side = Side::West; }},
      {"no such queue", [](Program &p) { p.classes[0].programs[0].queues[1].queue.index = 11; }},
      {"no such queue", [](Program &p) { p.classes[0].programs[0].queues[0].queue.unit = static_cast<UnitKind>(7); }},
      {"mem.e3: has code twice",
       [](Program &p) { p.classes[0].programs[0].queues[1] = p.classes[0].programs[0].queues[0]; }},
      {"1 labels for 2 words", [](Program &p) { p.classes[0].programs[0].queues[0].labels.pop_back(); }},
      {"label 2 of 2", [](Program &p) { p.classes[0].programs[0].queues[0].labels[1] = 2; }},
      {"SXM map 1: 63 entries", [](Program &p) { p.classes[0].sxmMaps[1].pop_back(); }},
      {"SXM map 0: lane 64", [](Program &p) { p.classes[0].sxmMaps[0][9] = 64; }},
      {"SXM map 0: lane -2", [](Program &p) { p.classes[0].sxmMaps[0][9] = -2; }},
      {"257 maps", [](Program &p) { p.classes[0].sxmMaps.assign(257, p.classes[0].sxmMaps[0]); }},
      {"link 11 of 11", [](Program &p) { p.wires[0].linkB = 11; }},
      {"chip 1, link 1 is wired twice",
       [](Program &p) {
         p.wires.push_back({1, 1, 1, 3});
       }},
      {"3 tokens, 2 scores", [](Program &p) { p.tokenizer.scores.pop_back(); }},
      {"3 tokens, 3 scores, 2 types", [](Program &p) { p.tokenizer.types.pop_back(); }},
      {"special token 3 of 3", [](Program &p) { p.tokenizer.eos = 3; }},
      {"special token -2", [](Program &p) { p.tokenizer.bos = -2; }},
      {"special token 5 of 3",
       [](Program &p) {
         p.tokenizer.ends = {1, 5};
       }},
  };
  Folder folder;
  for (const BadProgram &bad : cases) {
    Program p = sampleProgram();
    bad.damage(p);
    auto status = writeProgram(p, folder.file("p.lpx"));
    ASSERT_FALSE(status) << bad.words;
    EXPECT_EQ(status.error().place, folder.file("p.lpx"));
    EXPECT_NE(status.error().message.find(bad.words), std::string::npos) << bad.words << "\n" << status.error().str();
    EXPECT_FALSE(std::filesystem::exists(folder.file("p.lpx"))) << bad.words;
  }
}

} // namespace
