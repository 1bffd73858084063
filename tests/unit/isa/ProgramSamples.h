// A small program that uses every member of the container, and file helpers.
#pragma once

#include "lpu/isa/Program.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

namespace lpu::isa::samples {

inline Word wordOf(Opcode opcode, Field field, std::int64_t value) {
  return *encode(Instruction{opcode}.set(field, value));
}

inline StepProgram sampleStep() {
  StepProgram s;
  s.predictedCycles = 12345;
  s.weightStreamBoundCycles = 1, s.resourceBoundCycles = 2, s.criticalPathCycles = 3, s.lowerBoundCycles = 4;
  s.utilization = {0.1, 0.2, 0.3, 0.4, 0.5};
  s.labels = {"control", "layer 0: qkv"};
  s.queues = {{*parseQueueName("mem.e3"), {*encode({Opcode::Sync}), wordOf(Opcode::Mem, Field::WrStep, -7)}, {0, 1}},
              {*parseQueueName("c2c.10"), {*encode({Opcode::Sync})}, {0}},
              {*parseQueueName("mxm.w1.r"), {}, {}}};
  s.inputs = {{"token", 4, 2, 1, 64, 1, Side::West, 8, 1, 3}};
  s.outputs = {{"logits", 4, 2, 3, 64, 150, Side::East, 4, 0, 100}};
  return s;
}

inline Program sampleProgram() {
  Program p;
  p.machine = *loadMachine("small");
  p.machineYaml = writeMachine(p.machine);
  p.model = {"a model", "llama", 3, 64, 2};
  p.tokenizer = {"llama",
                 "pre",
                 {std::string("\0a\xff", 3), "", "b"},
                 {0.5f, -1.f, 2.f},
                 {1, 2, 3},
                 {"a b"},
                 0,
                 1,
                 2,
                 false,
                 false,
                 "{}",
                 {0, 1},
                 {2},
                 "{{ x }}"};
  p.tp = 2, p.pp = 3, p.topology = "a ring";
  ChipClass layers{"layers", {}, 64 + 4 * 3 * 64, {sampleStep(), sampleStep()}, {}, 2};
  layers.regions = {{"weights", Region::Kind::Constant, Side::West, 2, 3, 1, 10, 4, 64},
                    {"kv", Region::Kind::Zero, Side::East, 27, 1, 0, 1000, 24, 0},
                    {"text", Region::Kind::Code, Side::East, 0, 1, 1, 0, 2, 0},
                    {"tmp", Region::Kind::Scratch, Side::East, 0, 28, 0, 0, 1000, 0}};
  p.steps = {{"prefill", StepKind::Prefill, 8, 64, 1, 12352}, {"decode 1x64", StepKind::Decode, 2, 64, 3, 12345}};
  std::vector<std::int16_t> map(64);
  for (int i = 0; i < 64; ++i)
    map[i] = static_cast<std::int16_t>(i == 5 ? -1 : 63 - i);
  layers.sxmMaps = {map, std::vector<std::int16_t>(64, -1)};
  ChipClass head{"head", {}, 5, {{}, sampleStep()}, {}, 0};
  p.classes = {layers, head};
  p.chips = {{0, 0, {0, 0}, 0, 0, 0}, {0, 832, {7, 0}, 0, 1, 0}, {1, 1664, {9, 0}, 1, 0, 2}};
  p.wires = {{0, 0, 1, 1}, {2, 2, 2, 2}};
  p.residentCode = false;
  auto image = std::make_shared<std::vector<std::uint8_t>>(2 * (64 + 4 * 3 * 64) + 5);
  for (std::size_t i = 0; i < image->size(); ++i)
    (*image)[i] = static_cast<std::uint8_t>(i * 7 + 1);
  p.image = *image;
  p.imageOwner = image;
  return p;
}

/// A folder of its own for each test, removed with everything in it.
class Folder {
public:
  Folder() {
    std::string pattern = testing::TempDir() + "lpu-isa-XXXXXX";
    path = ::mkdtemp(pattern.data()) ? pattern : "";
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string file(const std::string &name) const { return path + "/" + name; }
  std::string path;
};

inline std::string readFile(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void writeFile(const std::string &path, const std::string &bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

} // namespace lpu::isa::samples
