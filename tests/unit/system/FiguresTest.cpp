// Figures of a small system written by hand.

#include "lpu/compiler/System/Figures.h"

#include <gtest/gtest.h>

namespace lpu::compiler {
namespace {

/// Two stages of 1,000 and 1,500 cycles that make a token in 2,600, four in 4,000.
isa::Program twoStages() {
  isa::Program program;
  program.model.vocabulary = 1000;
  program.steps = {{"decode_64", isa::StepKind::Decode, 1, 64, 1, 2600},
                   {"prefill_4x64", isa::StepKind::Prefill, 4, 64, 1, 4000},
                   {"decode_128", isa::StepKind::Decode, 1, 128, 1, 3000}};
  for (isa::Cycle cycles : {1000, 1500}) {
    isa::ChipClass stage;
    stage.programs.resize(3);
    for (isa::StepProgram &step : stage.programs)
      step.predictedCycles = cycles;
    program.classes.push_back(stage);
  }
  program.chips.resize(2);
  program.chips[1].chipClass = 1;
  return program;
}

TEST(Figures, LatencyIsTheLargestContexts) {
  SystemFigures figures = figuresOf(twoStages(), 6);
  EXPECT_EQ(figures.tokenLatencyCycles, 3000);
  EXPECT_DOUBLE_EQ(figures.tokensPerSecondPerUser, 300'000); // 0.9 GHz
  EXPECT_EQ(figures.initiationIntervalCycles, 1500);
  EXPECT_EQ(figures.users, 1u);
  EXPECT_DOUBLE_EQ(figures.throughputTokensPerSecond, 300'000); // the next step begins when this one is over
}

TEST(Figures, AFullPipelineIsABoundWithWhatItNeeds) {
  isa::Program program = twoStages();
  program.steps[2].users = 4;
  auto bank = static_cast<std::uint16_t>(program.machine.memRowsPerBank);
  // Each stage has the four caches in a quarter of one bank of every slice; the second has weights in the other bank.
  using Kind = isa::Region::Kind;
  for (isa::Side side : {isa::Side::East, isa::Side::West}) {
    auto cache = static_cast<std::uint16_t>(bank / 4);
    auto slices = static_cast<std::uint16_t>(program.machine.memSlicesPerSide);
    for (isa::ChipClass &chip : program.classes)
      chip.regions.push_back({"kv", Kind::Zero, side, 0, slices, 0, 0, cache, 0});
    program.classes[1].regions.push_back({"w", Kind::Constant, side, 0, slices, 1, 0, bank, 0});
  }
  PipelineBound bound = figuresOf(program, 6).pipeline;
  // 3,000 cycles a step, 1,500 of them on the busiest chip: two steps at once.
  EXPECT_DOUBLE_EQ(bound.tokensPerSecond, 4 * 600'000);
  EXPECT_EQ(bound.users, 8);
  EXPECT_EQ(bound.kvBytesPerChip, 2 * program.machine.memoryBytes() / 8);
  EXPECT_TRUE(bound.fits);
  EXPECT_DOUBLE_EQ(figuresOf(program, 6).throughputTokensPerSecond, 4 * 300'000);
  for (isa::Region &region : program.classes[1].regions)
    if (region.kind == Kind::Zero)
      region.rows = static_cast<std::uint16_t>(bank / 2 + 1);
  EXPECT_FALSE(figuresOf(program, 6).pipeline.fits);
}

TEST(Figures, PromptsTakeTheCheapestMix) {
  // 4 + 2: a chunk and a chunk with two padded rows, 8,000; or a chunk and two decode steps, 9,200.
  SystemFigures six = figuresOf(twoStages(), 6);
  EXPECT_EQ(six.promptCycles, 8000);
  EXPECT_EQ(six.promptSteps, 2);
  EXPECT_NEAR(six.ttftUs, 8.889, 0.001);
  EXPECT_NEAR(six.prefillTokensPerSecond, 6 / 8.889e-6, 100);
  EXPECT_EQ(figuresOf(twoStages(), 5).promptCycles, 6600);                  // a single token is a decode step
  EXPECT_EQ(figuresOf(twoStages(), 66).promptCycles, 16 * 4000 + 2 * 3000); // chunks end at 64
  EXPECT_EQ(figuresOf(twoStages(), 1000).promptTokens, 128u);
}

TEST(Figures, BoundsOfStagesAddUp) {
  isa::Program program = twoStages();
  program.chips.resize(3);
  program.chips[1].stage = program.chips[2].stage = 1;
  program.chips[2].chipClass = 0; // the second stage has chips of both classes
  program.classes[0].programs[0].lowerBoundCycles = 900;
  program.classes[1].programs[0].lowerBoundCycles = 1400;
  EXPECT_EQ(lowerBoundOf(program, 0), 900 + 1400);
}

TEST(Figures, TheHostCostsTwoTransfersAStep) {
  SystemFigures one = figuresOf(twoStages(), 1);
  // 2 · 10 us, and 4 · 1,002 bytes at 24 GB/s.
  EXPECT_NEAR(one.ttftWithHostUs - one.ttftUs, 20 + 4008 / 24e3, 1e-9);
}

TEST(Figures, NothingWithoutDecode) {
  isa::Program program = twoStages();
  program.steps.resize(0);
  EXPECT_EQ(figuresOf(program, 8).tokenLatencyCycles, 0);
}

TEST(Figures, MemoryByKind) {
  isa::Machine machine;
  isa::ChipClass chip;
  using Kind = isa::Region::Kind;
  chip.regions = {{"w", Kind::Constant, isa::Side::East, 0, 16, 0, 0, 10, 0},
                  {"kv", Kind::Zero, isa::Side::West, 0, 2, 0, 0, 5, 0},
                  {"x", Kind::Scratch, isa::Side::West, 4, 4, 0, 0, 1, 0},
                  {"code", Kind::Code, isa::Side::West, 9, 1, 0, 0, 7, 0}};
  MemoryUse use = memoryOf(machine, chip), sum;
  EXPECT_EQ(use.weights, 160 * 320);
  EXPECT_EQ(use.kv, 10 * 320);
  EXPECT_EQ(use.activations, 4 * 320);
  EXPECT_EQ(use.code, 7 * 320);
  EXPECT_EQ(use.capacity, 220 << 20);
  sum.add(use, 3);
  EXPECT_EQ(sum.used(), 3 * 181 * 320);
}

isa::Word word(isa::Opcode opcode, std::initializer_list<std::pair<isa::Field, std::int64_t>> fields) {
  isa::Instruction instruction{opcode, {}};
  for (auto [field, value] : fields)
    instruction.set(field, value);
  return *isa::encode(instruction);
}

TEST(Figures, UseIsCountedThroughRepeats) {
  using isa::Field, isa::Opcode;
  isa::StepProgram step;
  step.predictedCycles = 1000;
  // Two sends, the second after a wait, both nine times more: 20 sends of 24 cycles each.
  isa::QueueCode link{{isa::UnitKind::C2c, isa::Side::East, 3},
                      {word(Opcode::Sync, {}), word(Opcode::Send, {{Field::Stream, 4}}),
                       word(Opcode::Nop, {{Field::Count, 23}}), word(Opcode::Send, {{Field::Stream, 5}}),
                       word(Opcode::Repeat, {{Field::Count, 9}, {Field::Interval, 48}, {Field::Window, 3}})},
                      {}};
  isa::QueueCode memory{{isa::UnitKind::Mem, isa::Side::East, 0},
                        {word(Opcode::Mem, {{Field::Rd, 1}, {Field::RdStream, 7}, {Field::RdDir, 1}}),
                         word(Opcode::Repeat, {{Field::Count, 99}, {Field::Interval, 1}, {Field::Window, 1}})},
                        {}};
  isa::QueueCode burst{
      {isa::UnitKind::Mem, isa::Side::East, 1}, {word(Opcode::Mem, {{Field::Copies, 49}, {Field::Wait, 7}})}, {}};
  step.queues = {link, memory, burst};
  StepUse use = useOf(isa::Machine(), step);
  EXPECT_NEAR(use.queues.at("c2c.3"), 0.020, 1e-12);
  EXPECT_NEAR(use.links.at("c2c.3"), 0.480, 1e-12);
  EXPECT_NEAR(use.allLinks, 0.480 / 11, 1e-12);
  EXPECT_NEAR(use.queues.at("mem.e0"), 0.1, 1e-12);
  EXPECT_NEAR(use.queues.at("mem.e1"), 0.05, 1e-12);
  EXPECT_NEAR(use.streams.at("w7"), 0.1, 1e-12);
  EXPECT_EQ(use.streams.size(), 1u);
}

} // namespace
} // namespace lpu::compiler
