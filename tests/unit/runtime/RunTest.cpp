#include "lpu/rt/Run.h"
#include "FakeSimulator.h"
#include "TemporaryFolder.h"
#include "lpu/isa/Files.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <sstream>

namespace lpu::rt {
namespace {

using namespace test;
using Json = nlohmann::ordered_json;

struct Outcome {
  int code;
  std::string out, err;
  bool oneErrorLine() const {
    std::size_t at = err.find("error:");
    return at != std::string::npos && err.find("error:", at + 1) == std::string::npos && err.back() == '\n';
  }
};

struct RunTest : testing::Test {
  TemporaryFolder folder;
  isa::Program program = fakeProgram();
  RunOptions options;

  RunTest() {
    options.program = "model.lpx";
    options.tokens = {{1, 259, 261, 265, 280}};
    options.count = 4;
    options.report = folder / "report.json";
  }

  Outcome run(FakeBehaviour how = {}) {
    std::ostringstream out, err;
    int code = runProgram(program, options, fakeFactory(how), {out, err});
    return {code, out.str(), err.str()};
  }
  Json report() { return Json::parse(*readFile(options.report)); }
  /// The run fails before its end: one line, no file.
  void expectFailure(const Outcome &o, int code, const char *mentions) {
    EXPECT_EQ(o.code, code);
    EXPECT_TRUE(o.oneErrorLine()) << o.err;
    EXPECT_EQ(std::count(o.err.begin(), o.err.end(), '\n'), 1) << o.err;
    EXPECT_NE(o.err.find(mentions), std::string::npos) << o.err;
    EXPECT_TRUE(folder.files().empty());
  }
};

TEST_F(RunTest, ReportHasExactlyItsKeys) {
  ASSERT_EQ(run().code, 0);
  Json r = report();
  std::vector<std::string> keys, stepKeys, hostKeys, useKeys;
  for (auto &[key, value] : r.items())
    keys.push_back(key);
  for (auto &[key, value] : r["steps"][0].items())
    stepKeys.push_back(key);
  for (auto &[key, value] : r["with_host"].items())
    hostKeys.push_back(key);
  for (auto &[key, value] : r["host"].items())
    useKeys.push_back(key);
  EXPECT_EQ(useKeys,
            (std::vector<std::string>{"load_seconds", "run_seconds", "peak_rss_bytes", "threads", "ranks", "build"}));
  EXPECT_GT(r["host"]["peak_rss_bytes"], 1 << 20);
  EXPECT_LE(r["host"]["load_seconds"].get<double>() + r["host"]["run_seconds"].get<double>(),
            r["host_seconds"].get<double>());
  EXPECT_EQ(r["chips"], 1);
  EXPECT_EQ(keys,
            (std::vector<std::string>{"schema", "schema_version", "prompt_tokens", "tokens", "text", "finish_reason",
                                      "digest", "steps", "ttft_us", "tpot_us", "tokens_per_second", "with_host",
                                      "memory_sha256", "chips", "engine", "host_seconds", "host"}));
  EXPECT_EQ(stepKeys, (std::vector<std::string>{"kind", "program", "position", "tokens", "predicted_cycles",
                                                "simulated_cycles", "counts"}));
  EXPECT_EQ(hostKeys, (std::vector<std::string>{"ttft_us", "tpot_us", "tokens_per_second"}));
}

TEST_F(RunTest, ReportValues) {
  Outcome o = run();
  ASSERT_EQ(o.code, 0) << o.err;
  Json r = report();
  std::vector<TokenId> tokens = expectedGreedy({1, 259, 261, 265, 280}, 4, program.model.vocabulary);
  EXPECT_EQ(r["prompt_tokens"], Json({1, 259, 261, 265, 280}));
  EXPECT_EQ(r["tokens"], Json(tokens));
  EXPECT_EQ(r["text"], o.out);
  EXPECT_EQ(r["finish_reason"], "length");
  EXPECT_EQ(r["digest"].get<std::string>().size(), 64u);
  EXPECT_NE(o.err.find("ended by its length; digest " + r["digest"].get<std::string>()), std::string::npos) << o.err;
  ASSERT_EQ(r["steps"].size(), 5u); // a chunk of 4, the fifth token, three of the four generated
  Json first = r["steps"][0];
  EXPECT_EQ(first["counts"]["sram_read_bytes"], 0);
  first.erase("counts");
  EXPECT_EQ(first, (Json{{"kind", "prefill"},
                         {"program", "prefill-8"},
                         {"position", 0},
                         {"tokens", 4},
                         {"predicted_cycles", 158},
                         {"simulated_cycles", 158}}));
  EXPECT_EQ(r["steps"][4]["program"], "decode-8");
  EXPECT_EQ(r["steps"][4]["position"], 7);
  EXPECT_DOUBLE_EQ(r["ttft_us"].get<double>(), (158 + 108) / 900.0);
  EXPECT_DOUBLE_EQ(r["tpot_us"].get<double>(), 108 / 900.0);
  EXPECT_DOUBLE_EQ(r["tokens_per_second"].get<double>(), 1e6 / r["tpot_us"].get<double>());
  EXPECT_GT(r["with_host"]["ttft_us"].get<double>(), 40.0);
  EXPECT_EQ(r["memory_sha256"].get<std::string>().substr(0, 4), "ab08");
  EXPECT_EQ(r["memory_sha256"].get<std::string>().size(), 64u);
  EXPECT_EQ(r["engine"], "event");
}

TEST_F(RunTest, RunsRepeatButForHostTimeAndEngine) {
  ASSERT_EQ(run().code, 0);
  Json first = report();
  options.engine = sim::Engine::Clocked;
  ASSERT_EQ(run().code, 0);
  Json second = report();
  EXPECT_EQ(second["engine"], "clocked");
  for (Json *r : {&first, &second}) {
    r->erase("engine");
    r->erase("host_seconds");
    r->erase("host");
  }
  EXPECT_EQ(first.dump(), second.dump());
}

TEST_F(RunTest, SamplingRepeatsWithItsSeed) {
  options.sampling = {.temperature = 1.5f, .seed = 3};
  ASSERT_EQ(run().code, 0);
  Json first = report()["tokens"];
  ASSERT_EQ(run().code, 0);
  EXPECT_EQ(report()["tokens"], first);
  options.sampling.seed = 4;
  ASSERT_EQ(run().code, 0);
  EXPECT_NE(report()["tokens"], first);
}

TEST_F(RunTest, UndefinedFiguresAreNull) {
  options.count = 1;
  ASSERT_EQ(run().code, 0);
  EXPECT_TRUE(report()["ttft_us"].is_number());
  EXPECT_TRUE(report()["tpot_us"].is_null());
  EXPECT_TRUE(report()["with_host"]["tokens_per_second"].is_null());
  options.count = 0;
  ASSERT_EQ(run().code, 0);
  EXPECT_TRUE(report()["ttft_us"].is_null());
  EXPECT_TRUE(report()["tokens"].empty());
}

TEST_F(RunTest, TimingModeHasTheSameFigures) {
  ASSERT_EQ(run().code, 0);
  Json functional = report();
  options.mode = sim::Mode::Timing;
  Outcome o = run();
  ASSERT_EQ(o.code, 0) << o.err;
  EXPECT_EQ(o.out, "");
  Json timing = report();
  EXPECT_TRUE(timing["tokens"].empty());
  for (const char *key : {"steps", "ttft_us", "tpot_us", "tokens_per_second", "with_host", "prompt_tokens"})
    EXPECT_EQ(timing[key], functional[key]) << key;
}

TEST_F(RunTest, PromptsGoThroughTheTokenizer) {
  options.tokens.clear();
  options.prompt = {"Once upon a time"};
  ASSERT_EQ(run().code, 0);
  Json fromText = report();
  EXPECT_EQ(text::test::spell(program.tokenizer, fromText["prompt_tokens"].get<std::vector<TokenId>>()),
            "<s>|_Once|_upon|_a|_time");
  options.prompt.clear();
  options.promptFile = {folder / "prompt.txt"};
  ASSERT_TRUE(writeFileAtomically(options.promptFile.front(), "Once upon a time"));
  ASSERT_EQ(run().code, 0);
  EXPECT_EQ(report()["prompt_tokens"], fromText["prompt_tokens"]);
}

TEST_F(RunTest, TextIsValidUtf8EvenIfTheBytesAreNot) {
  Outcome o = run({.favourite = 3 + 0xE2}); // the lead byte of a character, again and again
  ASSERT_EQ(o.code, 0);
  EXPECT_EQ(o.out, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(report()["text"], o.out);
}

TEST_F(RunTest, EosStopsUnlessIgnored) {
  FakeBehaviour how{.favourite = 2, .favouriteFrom = 6};
  ASSERT_EQ(run(how).code, 0);
  EXPECT_EQ(report()["tokens"].size(), 2u);
  options.ignoreEos = true;
  ASSERT_EQ(run(how).code, 0);
  EXPECT_EQ(report()["tokens"].size(), 4u);
}

TEST_F(RunTest, StopTextsEndTheText) {
  ASSERT_EQ(run({.favourite = 3 + 'x'}).out, "xxxx");
  options.stops = {"never", "xx"};
  Outcome o = run({.favourite = 3 + 'x'});
  EXPECT_EQ(o.out, "");
  EXPECT_EQ(report()["finish_reason"], "stop_text");
  EXPECT_EQ(report()["tokens"].size(), 2u);
  EXPECT_EQ(report()["text"], "");
  options.stops = {"xxxxx"}; // begins only
  EXPECT_EQ(run({.favourite = 3 + 'x'}).out, "xxxx");
  EXPECT_EQ(report()["finish_reason"], "length");
}

TEST_F(RunTest, DigestsTellTokensAndLogits) {
  ASSERT_EQ(run().code, 0);
  const Json first = report();
  options.engine = sim::Engine::Clocked;
  ASSERT_EQ(run().code, 0);
  EXPECT_EQ(report()["digest"], first["digest"]);
  options.count = 3;
  ASSERT_EQ(run().code, 0);
  EXPECT_NE(report()["digest"], first["digest"]);
  options.mode = sim::Mode::Timing;
  ASSERT_EQ(run().code, 0);
  EXPECT_TRUE(report()["digest"].is_null());
}

TEST_F(RunTest, CountDefaultsToWhatFits) {
  options.count.reset();
  options.ignoreEos = true;
  ASSERT_EQ(run().code, 0);
  EXPECT_EQ(report()["tokens"].size(), 12u); // positions 5 to 15, and one not fed
}

TEST_F(RunTest, LogitsFile) {
  options.logits = folder / "logits.npy";
  ASSERT_EQ(run().code, 0);
  std::string bytes = *readFile(options.logits);
  EXPECT_NE(bytes.find("'shape': (8, " + std::to_string(program.model.vocabulary) + ")"), std::string::npos);
  EXPECT_EQ(bytes.size(), 128u + 8 * 4 * program.model.vocabulary);
}

TEST_F(RunTest, TheTraceIsClosedBeforeItAppears) {
  options.trace = folder / "trace.json";
  ASSERT_EQ(run().code, 0);
  EXPECT_EQ(*readFile(options.trace), "[]");
  EXPECT_EQ(folder.files(), (std::vector<std::string>{"report.json", "trace.json"}));
  options.trace = "/dev/null";
  ASSERT_EQ(run().code, 0);
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
}

TEST_F(RunTest, PerplexityGeneratesNothing) {
  options.tokens.clear();
  options.perplexity = folder / "text.txt";
  ASSERT_TRUE(writeFileAtomically(options.perplexity, "Once upon a time the cat and the dog"));
  Outcome o = run();
  ASSERT_EQ(o.code, 0) << o.err;
  EXPECT_EQ(o.out, "");
  Json r = report();
  EXPECT_TRUE(r["tokens"].empty());
  EXPECT_TRUE(r["ttft_us"].is_null());
  EXPECT_GT(r["perplexity"].get<double>(), 1.0);
  EXPECT_TRUE(r["finish_reason"].is_null());
  EXPECT_TRUE(r["digest"].is_null());
  EXPECT_EQ(r["scored"]["windows"], 1);
  EXPECT_EQ(r["scored"]["counting"], "all");
  EXPECT_EQ(r["scored"]["begins_with_bos"], true);
  EXPECT_NE(o.err.find("1 window of up to 16 positions, each beginning with BOS; all "), std::string::npos) << o.err;
}

TEST_F(RunTest, PerplexityOfAnEmptyTextIsAnError) {
  options.tokens.clear();
  options.report.clear();
  options.perplexity = "/dev/null";
  expectFailure(run(), 1, "/dev/null: error: the text has no tokens; give at least one word");
}

TEST_F(RunTest, AMismatchOfCyclesIsReportedAndFails) {
  Outcome o = run({.extraCycles = 1});
  EXPECT_EQ(o.code, 1);
  EXPECT_TRUE(o.oneErrorLine()) << o.err;
  EXPECT_NE(o.err.find("159 cycles, 158 were predicted"), std::string::npos) << o.err;
  EXPECT_EQ(report()["steps"][0]["simulated_cycles"], 159);
  EXPECT_EQ(report()["steps"][0]["predicted_cycles"], 158);
}

TEST_F(RunTest, AViolationLeavesNoFile) {
  options.logits = folder / "logits.npy";
  options.trace = folder / "trace.json";
  expectFailure(run({.violateAtStep = 2}), 3, "model.lpx");
}

TEST_F(RunTest, InputErrors) {
  options.tokens = {{1, 100000}};
  expectFailure(run(), 1, "token 100000 (number 2 of --tokens)");
  options.tokens = {std::vector<TokenId>(17, 5)};
  expectFailure(run(), 1, "--max-context=17");
  options.tokens = {std::vector<TokenId>(5, 5)};
  options.count = 13;
  expectFailure(run(), 1, "-n 12");
  options.count = 1;
  options.tokens.clear();
  options.promptFile = {folder / "missing\nfile"};
  expectFailure(run(), 1, "missing file");
  options.promptFile = {folder.path()};
  expectFailure(run(), 1, "directory");
  options.promptFile.clear();
  options.perplexity = folder / "missing";
  expectFailure(run(), 1, "missing");
}

TEST_F(RunTest, AProgramWithoutVocabularyTakesTokensOnly) {
  program.tokenizer = {};
  program.tokenizer.model = "none";
  Outcome o = run();
  EXPECT_EQ(o.code, 0) << o.err;
  EXPECT_EQ(report()["tokens"].size(), 4u);
  EXPECT_EQ(report()["text"], "");
  std::filesystem::remove(options.report);
  options.tokens.clear();
  options.prompt = {"Once"};
  expectFailure(run(), 1, "--tokens");
}

TEST_F(RunTest, UnwritableOutputsAreFoundBeforeTheRun) {
  options.report = folder / "none" + "/report.json";
  expectFailure(run({.violateAtStep = 0}), 1, "report.json");
}

TEST_F(RunTest, FactoryErrorsNameTheProgram) {
  std::ostringstream out, err;
  SimulatorFactory broken = [](const isa::Program &, const sim::Options &) -> Result<std::unique_ptr<sim::Simulator>> {
    return Error{"", "unusable"};
  };
  EXPECT_EQ(runProgram(program, options, broken, {out, err}), 1);
  EXPECT_EQ(err.str(), "model.lpx: error: unusable\n");
}

TEST_F(RunTest, ProgressOnTerminalsOnly) {
  std::ostringstream out, err;
  EXPECT_EQ(runProgram(program, options, fakeFactory(), {out, err, false, true}), 0);
  EXPECT_NE(err.str().find("step 5 of 5"), std::string::npos);
  EXPECT_EQ(run().err.find("step 5 of 5"), std::string::npos);
}

TEST_F(RunTest, ProgressInLinesWhereAskedFor) {
  options.progress = true;
  const std::string err = run().err;
  EXPECT_TRUE(err.starts_with("step 1 of 5, position 0, ")) << err;
  EXPECT_EQ(err.find('\r'), std::string::npos);
}

TEST(Loader, MissingFileIsOneLine) {
  RunOptions options;
  options.program = "/nonexistent/model.lpx";
  std::ostringstream out, err;
  EXPECT_EQ(runFile(options, fakeFactory(), {out, err}), 1);
  EXPECT_NE(err.str().find("/nonexistent/model.lpx"), std::string::npos) << err.str();
  EXPECT_EQ(std::ranges::count(err.str(), '\n'), 1);
}

/// The fake program on two chips of two classes: each holds half of the vocabulary and some padding.
isa::Program twoChips() {
  isa::Program p = fakeProgram();
  p.classes.push_back(p.classes[0]);
  p.classes[1].name = "head";
  p.chips = {{1, 0, std::vector<isa::Cycle>(p.steps.size(), 30), 1, 0, 0},
             {0, 0, std::vector<isa::Cycle>(p.steps.size()), 0, 0, 0}};
  for (isa::ChipClass &c : p.classes)
    for (isa::StepProgram &s : c.programs)
      s.outputs[0].elements = p.model.vocabulary / 2 + 3;
  for (isa::StepProgram &s : p.classes[1].programs)
    s.inputs.erase(s.inputs.begin()); // no token there
  return p;
}

TEST(Loader, ChipsTogetherMustSpeakTheProtocol) {
  EXPECT_TRUE(checkRunnable(twoChips(), "x"));
  auto broken = [](auto change) {
    isa::Program p = twoChips();
    change(p);
    return !checkRunnable(p, "x");
  };
  EXPECT_TRUE(broken([](isa::Program &p) { p.classes[0].programs[0].inputs.clear(); }));
  EXPECT_TRUE(broken([](isa::Program &p) { p.classes[1].programs[2].inputs[0].items = 3; }));
  EXPECT_TRUE(broken([](isa::Program &p) { p.classes[1].programs[0].outputs.clear(); }));
  EXPECT_TRUE(broken([](isa::Program &p) { p.steps[0].users = 2; }));
}

/// Two chips, of which the first in order of stages is the second in number.
class TwoChips final : public sim::Simulator {
public:
  explicit TwoChips(const isa::Program &p) : program(p) {}
  void writeInput(std::size_t, std::string_view, std::span<const std::uint8_t>) override {}
  sim::StepResult run(std::size_t step) override {
    const isa::Cycle cycles = program.steps[step].predictedCycles;
    return {.cycles = cycles, .instructions = 10, .chipCycles = {cycles, cycles - 40}, .counts = {}, .violation = {}};
  }
  std::vector<std::uint8_t> readOutput(std::size_t step, std::string_view) const override {
    const std::size_t width = 2 * (program.model.vocabulary / 2 + 3);
    std::vector<float> values(width * program.steps[step].tokens);
    for (std::size_t i = 0; i < values.size(); ++i) // padding is the best token, were it one
      values[i] = i % width >= program.model.vocabulary ? 100.0f : i % width == 7 + i / width ? 1.0f : 0.0f;
    std::vector<std::uint8_t> out(values.size() * 4);
    std::memcpy(out.data(), values.data(), out.size());
    return out;
  }
  void clearState() override {}
  std::array<std::uint8_t, 32> memorySha256() const override { return {}; }
  std::vector<std::uint8_t> peek(std::size_t, isa::Side, int, int, int) const override { return {}; }

private:
  const isa::Program &program;
};

TEST_F(RunTest, ShardsOfTheVocabularyAreCutAndClassesTimed) {
  program = twoChips();
  options.count = 2;
  std::ostringstream out, err;
  const SimulatorFactory create = [](const isa::Program &p,
                                     const sim::Options &) -> Result<std::unique_ptr<sim::Simulator>> {
    return std::unique_ptr<sim::Simulator>(new TwoChips(p));
  };
  ASSERT_EQ(runProgram(program, options, create, {out, err}), 0) << err.str();
  const Json r = report();
  EXPECT_EQ(r["chips"], 2);
  EXPECT_EQ(r["tokens"], Json({7, 7})); // of a padded chunk only valid rows count
  EXPECT_EQ(r["steps"][0]["chip_class_cycles"], (Json{{"all", 158 - 40}, {"head", 158 - 30}}));
}

TEST_F(RunTest, TimingOfSeveralChipsHasNoDigest) {
  program = twoChips();
  options.mode = sim::Mode::Timing;
  options.count = 1;
  options.prompt.clear();
  options.tokens.clear();
  options.promptTokens = 5;
  ASSERT_EQ(run().code, 0);
  EXPECT_TRUE(report()["memory_sha256"].is_null());
  EXPECT_EQ(report()["prompt_tokens"], Json({0, 0, 0, 0, 0}));
  EXPECT_EQ(report()["steps"].size(), 2u);
}

TEST(Loader, ChecksTheSessionsProtocol) {
  EXPECT_TRUE(checkRunnable(fakeProgram(), "x"));
  auto broken = [](auto change) {
    isa::Program p = fakeProgram();
    change(p);
    return !checkRunnable(p, "x");
  };
  EXPECT_TRUE(broken([](isa::Program &p) { p.classes[0].programs[0].inputs.pop_back(); }));
  EXPECT_TRUE(broken([](isa::Program &p) { p.classes[0].programs[1].outputs.clear(); }));
  EXPECT_TRUE(broken([](isa::Program &p) { p.classes[0].programs[2].inputs[0].items = 3; }));
  EXPECT_TRUE(broken([](isa::Program &p) { p.classes[0].programs[0].outputs[0].elements--; }));
  EXPECT_TRUE(broken([](isa::Program &p) { p.classes[0].programs[0].outputs[0].width = 2; }));
  EXPECT_TRUE(broken([](isa::Program &p) { p.steps[0].tokens = 0; }));
  EXPECT_TRUE(broken([](isa::Program &p) { p.steps[0].context = 0; }));
  EXPECT_TRUE(broken([](isa::Program &p) { p.model.vocabulary = 0; }));
  EXPECT_TRUE(broken([](isa::Program &p) { p.steps.clear(); }));
  // An added token without a row in the embedding.
  EXPECT_FALSE(broken([](isa::Program &p) { text::test::addToken(p.tokenizer, "extra", 0, text::TokenType::Normal); }));
}

} // namespace
} // namespace lpu::rt
