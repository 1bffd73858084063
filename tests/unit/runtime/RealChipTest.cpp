// The runtime on the real simulator: a hand-written program whose logits are
// constants copied row by row, so every figure of the report is known. One test
// only: SystemC elaborates once per process.
#include "TemporaryFolder.h"
#include "lpu/isa/Files.h"
#include "lpu/rt/Loader.h"
#include "lpu/rt/Run.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cstring>
#include <sstream>

namespace lpu::rt {
namespace {

using isa::Field;
using isa::Instruction;
using isa::Opcode;

constexpr std::uint32_t kVocabulary = 40;
constexpr int kConstantRow = 100, kInputRow = 200;

isa::Word word(const Instruction &instruction) { return *isa::encode(instruction); }

Instruction nop(std::int64_t n) { return Instruction{Opcode::Nop}.set(Field::Count, n); }

/// Slice `slice` copies constant rows to the logits' rows, `tokens` of them. Read at
/// t, driven at t + 5, sampled there by a write: effect of the last write at
/// 6 (tokens - 1) + 5 + 2, and the last superlane sees it superlanes - 1 later (T1.5).
isa::QueueCode copyRows(int slice, std::uint32_t tokens) {
  isa::QueueCode code;
  code.queue = {isa::UnitKind::Mem, isa::Side::East, static_cast<std::uint16_t>(slice)};
  if (slice == 0)
    code.words.push_back(word({Opcode::Notify}));
  code.words.push_back(word({Opcode::Sync}));
  for (std::uint32_t k = 0; k < tokens; ++k) {
    code.words.push_back(word(
        Instruction{Opcode::Mem}.set(Field::Rd, 1).set(Field::RdRow, kConstantRow + k).set(Field::RdStream, slice)));
    code.words.push_back(word(nop(4)));
    code.words.push_back(word(Instruction{Opcode::Mem}
                                  .set(Field::Wr, 1)
                                  .set(Field::WrBank, 1)
                                  .set(Field::WrRow, k)
                                  .set(Field::WrStream, slice)));
  }
  code.labels.assign(code.words.size(), 0);
  return code;
}

isa::StepProgram step(std::uint32_t tokens, const isa::Machine &machine) {
  isa::StepProgram s;
  s.predictedCycles = 6 * (tokens - 1) + 5 + 2 + machine.superlanes - 1;
  s.labels = {"control"};
  for (int slice = 0; slice < 4; ++slice)
    s.queues.push_back(copyRows(slice, tokens));
  isa::Binding input{
      .name = "token", .items = tokens, .vectors = 1, .lanesUsed = 64, .elements = 1, .slice0 = 4, .row0 = kInputRow};
  s.inputs = {input, input};
  s.inputs[1].name = "position", s.inputs[1].slice0 = 8;
  s.outputs = {{.name = "logits", .items = tokens, .vectors = 1, .lanesUsed = 64, .elements = kVocabulary, .bank = 1}};
  return s;
}

/// Row k of the constants prefers token 7 + k.
std::vector<std::uint8_t> constants(std::uint32_t rows, std::uint32_t rowBytes) {
  std::vector<std::uint8_t> image(rows * 4 * rowBytes);
  for (std::uint32_t k = 0; k < rows; ++k)
    for (std::uint32_t v = 0; v < kVocabulary; ++v) {
      float logit = v == 7 + k ? 2.5f : -0.125f * static_cast<float>(v);
      std::uint8_t bytes[4];
      std::memcpy(bytes, &logit, 4);
      for (std::uint32_t b = 0; b < 4; ++b)
        image[(k * 4 + b) * rowBytes + v] = bytes[b];
    }
  return image;
}

isa::Program constantModel() {
  isa::Program p;
  p.machine = *isa::loadMachine("small");
  p.machineYaml = isa::writeMachine(p.machine);
  p.model = {"constant", "none", kVocabulary, 8, 0};
  p.tokenizer.model = "none";
  auto image =
      std::make_shared<std::vector<std::uint8_t>>(constants(3, static_cast<std::uint32_t>(p.machine.rowBytes())));
  p.image = *image;
  p.imageOwner = image;
  isa::Region region{
      .name = "constants", .kind = isa::Region::Kind::Constant, .slices = 4, .row0 = kConstantRow, .rows = 3};
  p.classes = {{"all", {region}, p.image.size(), {step(1, p.machine), step(3, p.machine)}, {}, 0}};
  p.chips = {{0, 0, {0, 0}, 0, 0, 0}};
  p.steps = {{"decode", isa::StepKind::Decode, 1, 8, 1, p.classes[0].programs[0].predictedCycles},
             {"prefill", isa::StepKind::Prefill, 3, 8, 1, p.classes[0].programs[1].predictedCycles}};
  return p;
}

TEST(RealChip, RunsAHandWrittenProgramFromItsFile) {
  test::TemporaryFolder folder;
  RunOptions options;
  options.program = folder / "constant.lpx";
  Status written = isa::writeProgram(constantModel(), options.program);
  ASSERT_TRUE(written) << written.error().str();
  options.tokens = {{1, 2, 3}};
  options.count = 3;
  options.report = folder / "report.json", options.logits = folder / "logits.npy",
  options.trace = folder / "trace.json";
  std::ostringstream out, err;
  ASSERT_EQ(runFile(options, sim::Simulator::create, {out, err}), 0) << err.str();

  auto report = nlohmann::json::parse(*readFile(options.report));
  EXPECT_EQ(report["tokens"], nlohmann::json({9, 7, 7})); // row 2 of the chunk, then row 0 of each decode step
  ASSERT_EQ(report["steps"].size(), 3u);
  EXPECT_EQ(report["steps"][0]["simulated_cycles"], 6 * 2 + 7 + 3);
  EXPECT_EQ(report["steps"][2]["simulated_cycles"], 7 + 3);
  EXPECT_EQ(report["memory_sha256"].get<std::string>().size(), 64u);
  std::string logits = *readFile(options.logits);
  ASSERT_EQ(logits.size(), 128u + 5 * kVocabulary * 4);
  float value;
  std::memcpy(&value, logits.data() + 128 + (kVocabulary + 8) * 4, 4);
  EXPECT_EQ(value, 2.5f); // second row, token 8
  EXPECT_TRUE(nlohmann::json::accept(*readFile(options.trace)));
}

} // namespace
} // namespace lpu::rt
