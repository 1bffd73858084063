// A stand-in for the chip: a "model" whose logits depend on every token fed so
// far, so that a wrong order, position, padding or cache shows in the tokens.
#pragma once

#include "../text/Vocabularies.h"
#include "lpu/rt/Loader.h"
#include "lpu/rt/Run.h"
#include "lpu/sim/Simulator.h"

#include <cstring>
#include <fstream>
#include <map>

namespace lpu::rt::test {

/// A program with decode buckets and prefill (tokens, context) pairs. Decode
/// steps cost 100 + context cycles, prefill steps 150 + context.
inline isa::Program fakeProgram(std::vector<std::uint32_t> decodes = {8, 16},
                                std::vector<std::pair<std::uint32_t, std::uint32_t>> prefills = {{4, 8}, {4, 16}}) {
  isa::Program p;
  p.tokenizer = text::test::storiesVocabulary();
  p.model.vocabulary = static_cast<std::uint32_t>(p.tokenizer.tokens.size());
  p.model.maxContext = 0;
  isa::ChipClass chip{"all", {}, 0, {}, {}, 0};
  auto add = [&](isa::StepKind kind, const char *name, std::uint32_t tokens, std::uint32_t context, isa::Cycle cost) {
    isa::StepProgram s;
    s.predictedCycles = cost + context;
    s.inputs = {{.name = "token", .items = tokens, .elements = 1},
                {.name = "position", .items = tokens, .elements = 1}};
    s.outputs = {{.name = "logits", .items = tokens, .elements = p.model.vocabulary}};
    chip.programs.push_back(s);
    p.steps.push_back({std::string(name) + "-" + std::to_string(context), kind, tokens, context, 1, cost + context});
  };
  for (std::uint32_t context : decodes)
    add(isa::StepKind::Decode, "decode", 1, context, 100);
  for (auto [tokens, context] : prefills)
    add(isa::StepKind::Prefill, "prefill", tokens, context, 150);
  p.classes = {chip};
  p.chips = {{0, 0, std::vector<isa::Cycle>(p.steps.size()), 0, 0, 0}};
  return p;
}

/// The model: `history` are the tokens up to and including the position.
inline std::vector<float> fakeLogits(const std::vector<std::int32_t> &history, std::uint32_t vocabulary) {
  std::uint32_t state = 2166136261u;
  for (std::int32_t token : history)
    state = (state ^ static_cast<std::uint32_t>(token)) * 16777619u;
  std::vector<float> out;
  for (std::uint32_t v = 0; v < vocabulary; ++v) {
    std::uint32_t h = (state ^ v) * 0x9E3779B1u;
    out.push_back(static_cast<float>((h ^ (h >> 15)) % 4096) / 512.0f);
  }
  return out;
}

struct FakeBehaviour {
  int violateAtStep = -1;     ///< this run() ends in a violation
  isa::Cycle extraCycles = 0; ///< added to every step
  TokenId favourite = -1;     ///< always the best token, once `favouriteFrom` positions are fed
  std::uint32_t favouriteFrom = 0;
  int *resets = nullptr;
};

class FakeSimulator final : public sim::Simulator {
public:
  FakeSimulator(const isa::Program &program, const sim::Options &options, FakeBehaviour how)
      : program(program), options(options), how(how) {
    if (!options.tracePath.empty())
      std::ofstream(options.tracePath) << "[";
  }
  ~FakeSimulator() override {
    if (!options.tracePath.empty())
      std::ofstream(options.tracePath, std::ios::app) << "]";
  }

  void writeInput(std::size_t, std::string_view name, std::span<const std::uint8_t> data) override {
    std::vector<std::int32_t> values(data.size() / 4);
    std::memcpy(values.data(), data.data(), data.size());
    inputs[std::string(name)] = values;
  }

  sim::StepResult run(std::size_t index) override {
    const isa::SystemStep &step = program.steps.at(index);
    if (runs++ == how.violateAtStep)
      return {0, 0, {}, {}, sim::Violation{"stream-collision", 118, 0, "vxm.3", "addf", "two producers"}};
    logits.clear();
    const auto &tokens = inputs.at("token"), &positions = inputs.at("position");
    if (tokens.size() != step.tokens || positions.size() != step.tokens)
      throw std::logic_error("input size");
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      std::size_t at = static_cast<std::size_t>(positions[i]);
      if (at >= step.context || at > cache.size())
        throw std::logic_error("position outside of the context, or a gap before it");
      cache.resize(std::max(cache.size(), at + 1));
      cache[at] = tokens[i];
      std::vector<std::int32_t> history(cache.begin(), cache.begin() + static_cast<std::ptrdiff_t>(at) + 1);
      std::vector<float> row = fakeLogits(history, program.model.vocabulary);
      if (how.favourite >= 0 && at + 1 >= how.favouriteFrom)
        row[static_cast<std::size_t>(how.favourite)] = 100;
      logits.insert(logits.end(), row.begin(), row.end());
    }
    return {step.predictedCycles + how.extraCycles, 10, {step.predictedCycles + how.extraCycles}, {}, {}};
  }

  std::vector<std::uint8_t> readOutput(std::size_t, std::string_view) const override {
    if (options.mode == sim::Mode::Timing)
      throw std::logic_error("no values in timing mode");
    std::vector<std::uint8_t> out(logits.size() * 4);
    std::memcpy(out.data(), logits.data(), out.size());
    return out;
  }

  void clearState() override {
    cache.clear();
    if (how.resets)
      ++*how.resets;
  }
  std::array<std::uint8_t, 32> memorySha256() const override { return {0xAB, static_cast<std::uint8_t>(cache.size())}; }
  std::vector<std::uint8_t> peek(std::size_t, isa::Side, int, int, int) const override { return {}; }

private:
  const isa::Program &program;
  sim::Options options;
  FakeBehaviour how;
  int runs = 0;
  std::map<std::string, std::vector<std::int32_t>> inputs;
  std::vector<std::int32_t> cache;
  std::vector<float> logits;
};

inline SimulatorFactory fakeFactory(FakeBehaviour how = {}) {
  return [how](const isa::Program &program, const sim::Options &options) -> Result<std::unique_ptr<sim::Simulator>> {
    return std::unique_ptr<sim::Simulator>(new FakeSimulator(program, options, how));
  };
}

/// What greedy generation must give, straight from the fake model.
inline std::vector<TokenId> expectedGreedy(std::vector<std::int32_t> history, std::size_t count,
                                           std::uint32_t vocabulary) {
  std::size_t prompt = history.size();
  while (history.size() < prompt + count)
    history.push_back(greedy(fakeLogits(history, vocabulary)));
  return {history.begin() + static_cast<std::ptrdiff_t>(prompt), history.end()};
}

} // namespace lpu::rt::test
