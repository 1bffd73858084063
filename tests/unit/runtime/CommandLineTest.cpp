#include "lpu/rt/CommandLine.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace lpu::rt {
namespace {

ParsedCommandLine parse(std::vector<const char *> arguments) {
  arguments.insert(arguments.begin(), "lpu-run");
  return parseCommandLine(static_cast<int>(arguments.size()), arguments.data());
}

TEST(CommandLine, BothSpellings) {
  for (auto parsed :
       {parse({"a.lpx", "--tokens=1,2", "-n", "3", "--engine=clocked", "--mode=timing", "--report=r.json"}),
        parse({"--mode", "timing", "--tokens", "1, 2", "-n3", "--engine", "clocked", "--report", "r.json", "a.lpx"})}) {
    ASSERT_TRUE(parsed.options) << parsed.error;
    EXPECT_EQ(parsed.options->program, "a.lpx");
    EXPECT_EQ(parsed.options->tokens, (std::vector<std::vector<TokenId>>{{1, 2}}));
    EXPECT_EQ(parsed.options->count, 3u);
    EXPECT_EQ(parsed.options->engine, sim::Engine::Clocked);
    EXPECT_EQ(parsed.options->mode, sim::Mode::Timing);
    EXPECT_EQ(parsed.options->report, "r.json");
  }
}

TEST(CommandLine, Defaults) {
  auto parsed = parse({"a.lpx", "--prompt", "x"});
  ASSERT_TRUE(parsed.options);
  EXPECT_EQ(parsed.options->sampling.temperature, 0);
  EXPECT_EQ(parsed.options->engine, sim::Engine::Event);
  EXPECT_EQ(parsed.options->mode, sim::Mode::Functional);
  EXPECT_FALSE(parsed.options->count);
  EXPECT_FALSE(parsed.options->ignoreEos);
}

TEST(CommandLine, SamplingOptions) {
  auto parsed = parse({"a.lpx", "--prompt=x", "--temperature", "0.8", "--top-k=40", "--top-p", "0.95", "--seed",
                       "18446744073709551615", "--ignore-eos"});
  ASSERT_TRUE(parsed.options) << parsed.error;
  EXPECT_FLOAT_EQ(parsed.options->sampling.temperature, 0.8f);
  EXPECT_EQ(parsed.options->sampling.topK, 40u);
  EXPECT_FLOAT_EQ(parsed.options->sampling.topP, 0.95f);
  EXPECT_EQ(parsed.options->sampling.seed, ~std::uint64_t{0});
  EXPECT_TRUE(parsed.options->ignoreEos);
}

TEST(CommandLine, StopsMinPAndPenalty) {
  auto parsed = parse({"a.lpx", "--prompt=x", "--stop=a, b", "--stop", "--seed", "--min-p=0.05", "--repeat-penalty=1.1",
                       "--repeat-last-n", "32", "--temperature=1"});
  ASSERT_TRUE(parsed.options) << parsed.error;
  EXPECT_EQ(parsed.options->stops, (std::vector<std::string>{"a, b", "--seed"}));
  EXPECT_FLOAT_EQ(parsed.options->sampling.minP, 0.05f);
  EXPECT_FLOAT_EQ(parsed.options->sampling.repeatPenalty, 1.1f);
  EXPECT_EQ(parsed.options->sampling.repeatLastN, 32u);
  EXPECT_EQ(parsed.warning, "");
}

TEST(CommandLine, NumbersAreDecimal) {
  EXPECT_EQ(parse({"a.lpx", "--tokens=1", "-n", "010"}).options->count, 10u);
  for (const char *bad : {"0x10", "1e1", " 1", "1 ", "+1", ""})
    EXPECT_EQ(parse({"a.lpx", "--tokens=1", "-n", bad}).exitCode, 2) << bad;
  EXPECT_EQ(parse({"a.lpx", "--tokens=1", "--mode=0"}).exitCode, 2);
}

TEST(CommandLine, OptionsWithoutEffectAreNamed) {
  auto warning = [](std::vector<const char *> more) {
    more.insert(more.begin(), {"a.lpx", "--prompt=x"});
    auto parsed = parse(more);
    EXPECT_TRUE(parsed.options) << parsed.error;
    return parsed.warning;
  };
  EXPECT_EQ(warning({"--top-k=4"}),
            "lpu-run: note: --top-k has no effect without a --temperature above 0, where the likeliest token is taken");
  EXPECT_EQ(warning({"--top-p=0.9", "--min-p=0.1", "--top-k=4", "--temperature=0"}),
            "lpu-run: note: --top-k, --top-p and --min-p have no effect without a --temperature above 0, where the "
            "likeliest token is taken");
  EXPECT_EQ(warning({"--repeat-last-n=4"}), "lpu-run: note: --repeat-last-n has no effect without --repeat-penalty");
  EXPECT_EQ(warning({"--mode=timing", "--temperature=1", "--seed=3"}),
            "lpu-run: note: --temperature and --seed have no effect with --mode=timing, which has no values to pick "
            "tokens by");
  EXPECT_EQ(parse({"a.lpx", "--perplexity=t", "-n", "3", "--stop=x", "--top-k=3"}).warning,
            "lpu-run: note: -n, --stop and --top-k have no effect with --perplexity, which generates nothing");
  EXPECT_EQ(parse({"a.lpx", "--tokens=1", "--special", "--repeat-last-n=4"}).warning,
            "lpu-run: note: --repeat-last-n has no effect without --repeat-penalty\n"
            "lpu-run: note: --special has no effect without a text");
  EXPECT_EQ(parse({"a.lpx", "--perplexity=t", "--special"}).warning, "");
  EXPECT_EQ(warning({"--top-k=4", "--temperature=0.5"}), "");
  EXPECT_EQ(warning({"--repeat-penalty=1.2"}), "");
  EXPECT_EQ(warning({}), "");
}

TEST(CommandLine, ShowTokens) {
  EXPECT_EQ(parse({"a.lpx", "--prompt=x"}).options->showTokens, TokenListing::None);
  EXPECT_EQ(parse({"--show-tokens", "a.lpx", "--prompt=x"}).options->showTokens, TokenListing::Text);
  EXPECT_EQ(parse({"a.lpx", "--show-tokens=text", "--prompt=x"}).options->showTokens, TokenListing::Text);
  EXPECT_EQ(parse({"a.lpx", "--prompt=x", "--show-tokens=json"}).options->showTokens, TokenListing::Json);
}

TEST(CommandLine, CountingOfPerplexity) {
  EXPECT_FALSE(parse({"a.lpx", "--perplexity=f"}).options->counting);
  EXPECT_EQ(parse({"a.lpx", "--perplexity=f", "--counting=all"}).options->counting, Counting::All);
  EXPECT_EQ(parse({"a.lpx", "--perplexity=f", "--counting=second-half"}).options->counting, Counting::SecondHalf);
}

TEST(CommandLine, TimingOfShapes) {
  auto parsed = parse({"a.lpx", "--prompt-tokens=512", "--mode=timing", "--all-chips"});
  ASSERT_TRUE(parsed.options) << parsed.error;
  EXPECT_EQ(parsed.options->promptTokens, 512u);
  EXPECT_TRUE(parsed.options->allChips);
}

TEST(CommandLine, Threads) {
  EXPECT_EQ(parse({"a.lpx", "--tokens=1"}).options->threads, 1);
  EXPECT_EQ(parse({"a.lpx", "--tokens=1", "--threads=3"}).options->threads, 3);
  for (const char *bad : {"--threads=0", "--threads=-1", "--threads=two", "--threads=1025"}) {
    auto parsed = parse({"a.lpx", "--tokens=1", bad});
    EXPECT_EQ(parsed.exitCode, 2);
    EXPECT_NE(parsed.error.find("expected a whole number from 1 to 1024"), std::string::npos) << parsed.error;
  }
}

TEST(CommandLine, PromptsThatLookLikeOptions) {
  auto parsed = parse({"a.lpx", "--prompt", "--tokens"});
  ASSERT_TRUE(parsed.options) << parsed.error;
  EXPECT_EQ(parsed.options->prompt, std::vector<std::string>{"--tokens"});
  EXPECT_EQ(parse({"a.lpx", "--prompt", ""}).options->prompt, std::vector<std::string>{""});
}

TEST(CommandLine, PromptsOfSeveralUsers) {
  auto parsed = parse({"a.lpx", "--tokens=1,2", "--tokens", "3"});
  ASSERT_TRUE(parsed.options) << parsed.error;
  EXPECT_EQ(parsed.options->tokens, (std::vector<std::vector<TokenId>>{{1, 2}, {3}}));
  EXPECT_EQ(parse({"a.lpx", "--prompt=a, b", "--prompt=c"}).options->prompt, (std::vector<std::string>{"a, b", "c"}));
  EXPECT_EQ(parse({"a.lpx", "--prompt=a", "--prompt-file=f"}).exitCode, 2);
}

TEST(CommandLine, Waveforms) {
  auto parsed = parse({"a.lpx", "--tokens=1", "--engine=clocked", "--vcd=f.vcd", "--vcd-from=10", "--vcd-to=20",
                       "--vcd-streams=e4@-3,w0@5"});
  ASSERT_TRUE(parsed.options) << parsed.error;
  EXPECT_EQ(parsed.options->vcd.path, "f.vcd");
  EXPECT_EQ(parsed.options->vcd.from, 10);
  EXPECT_EQ(parsed.options->vcd.to, 20);
  EXPECT_EQ(parsed.options->vcd.streams, (std::vector<std::string>{"e4@-3", "w0@5"}));
}

TEST(CommandLine, Help) {
  auto parsed = parse({"--help"});
  EXPECT_EQ(parsed.exitCode, 0);
  EXPECT_NE(parsed.output.find("--perplexity"), std::string::npos);
  EXPECT_TRUE(parsed.error.empty());
}

struct Mistake {
  std::vector<const char *> arguments;
  const char *mentions;
};

class CommandLineMistakes : public testing::TestWithParam<Mistake> {};

TEST_P(CommandLineMistakes, AreOneLineAndExitCode2) {
  auto parsed = parse(GetParam().arguments);
  ASSERT_FALSE(parsed.options);
  EXPECT_EQ(parsed.exitCode, 2);
  EXPECT_TRUE(parsed.output.empty());
  EXPECT_NE(parsed.error.find("error:"), std::string::npos);
  EXPECT_EQ(std::count(parsed.error.begin(), parsed.error.end(), '\n'), 0);
  EXPECT_NE(parsed.error.find(GetParam().mentions), std::string::npos) << parsed.error;
}

INSTANTIATE_TEST_SUITE_P(
    All, CommandLineMistakes,
    testing::Values(Mistake{{"a.lpx", "--tokens=1", "--vcd-from=3"}, "give --vcd too"},
                    Mistake{{"a.lpx", "--tokens=1", "--vcd=f", "--vcd-from=3", "--vcd-to=2"}, "behind --vcd-to"},
                    Mistake{{"a.lpx", "--tokens=1", "--vcd=f", "--vcd-to=-1"}, "--vcd-to"},
                    Mistake{{"a.lpx", "--tokens=1", "--vcd=f", "--vcd-streams=e1@2"}, "--engine=clocked"},
                    Mistake{{"a.lpx", "--tokens=1", "--energy=gf14"}, "give --trace too"}, Mistake{{}, "no program"},
                    Mistake{{"a.lpx"}, "--prompt"}, Mistake{{"a.lpx", "--what"}, "--what"},
                    Mistake{{"a.lpx", "b.lpx", "--tokens=1"}, "b.lpx"}, Mistake{{"a.lpx", "--tokens", ""}, "--tokens"},
                    Mistake{{"a.lpx", "--tokens=1,,2"}, "1,,2"}, Mistake{{"a.lpx", "--tokens=1,"}, "1,"},
                    Mistake{{"a.lpx", "--tokens=-1"}, "-1"}, Mistake{{"a.lpx", "--tokens=99999999999"}, "99999999999"},
                    Mistake{{"a.lpx", "--tokens=1x"}, "1x"}, Mistake{{"a.lpx", "--tokens=1", "--prompt=x"}, "exclude"},
                    Mistake{{"a.lpx", "--prompt-file=f", "--prompt=x"}, "exclude"},
                    Mistake{{"a.lpx", "--perplexity=f", "--prompt=x"}, "--perplexity"},
                    Mistake{{"a.lpx", "--perplexity=f", "--mode=timing"}, "--mode=timing"},
                    Mistake{{"a.lpx", "--tokens=1", "--logits=f", "--mode=timing"}, "--logits"},
                    Mistake{{"a.lpx", "--tokens=1", "--engine=fast"}, "event or clocked"},
                    Mistake{{"a.lpx", "--tokens=1", "--mode=slow"}, "functional or timing"},
                    Mistake{{"a.lpx", "--tokens=1", "-n", "-1"}, "-n"},
                    Mistake{{"a.lpx", "--tokens=1", "-n", "1.5"}, "1.5"},
                    Mistake{{"a.lpx", "--tokens=1", "-n", "99999999999999999999"}, "99999999999999999999"},
                    Mistake{{"a.lpx", "--tokens=1", "-n"}, "-n"},
                    Mistake{{"a.lpx", "--tokens=1", "--temperature=-1"}, "-1"},
                    Mistake{{"a.lpx", "--tokens=1", "--temperature=nan"}, "nan"},
                    Mistake{{"a.lpx", "--tokens=1", "--temperature=1e99"}, "1e99"},
                    Mistake{{"a.lpx", "--tokens=1", "--top-k=-3"}, "--top-k"},
                    Mistake{{"a.lpx", "--tokens=1", "--top-p=0"}, "--top-p"},
                    Mistake{{"a.lpx", "--tokens=1", "--top-p=1.1"}, "--top-p"},
                    Mistake{{"a.lpx", "--tokens=1", "--seed=-1"}, "--seed"},
                    Mistake{{"a.lpx", "--tokens=1", "--min-p=1.5"}, "a number from 0 to 1, not '1.5'"},
                    Mistake{{"a.lpx", "--tokens=1", "--repeat-penalty=0"}, "a number above 0, not '0'"},
                    Mistake{{"a.lpx", "--tokens=1", "--repeat-last-n=-1"}, "--repeat-last-n"},
                    Mistake{{"a.lpx", "--tokens=1", "--stop", ""}, "UTF-8 of one character at least"},
                    Mistake{{"a.lpx", "--tokens=1", "--stop=\xC3"}, "UTF-8 of one character at least"},
                    Mistake{{"a.lpx", "--tokens=1", "--stop=a", "--mode=timing"}, "--stop needs values"},
                    Mistake{{"a.lpx", "--tokens=1", "--show-tokens=yaml"}, "text or json, not 'yaml'"},
                    Mistake{{"a.lpx", "--perplexity=f", "--show-tokens"}, "--show-tokens shows a prompt"},
                    Mistake{{"a.lpx", "--tokens=1", "--counting=all"}, "give --perplexity too"},
                    Mistake{{"a.lpx", "--perplexity=f", "--counting=half"}, "all or second-half, not 'half'"},
                    Mistake{{"a.lpx", "--prompt-file=-", "--prompt-file=-"}, "can be read once"},
                    Mistake{{"a.lpx", "--tokens=1", "--report", ""}, "--report"},
                    Mistake{{"a.lpx", "--prompt-tokens=4"}, "--mode=timing"},
                    Mistake{{"a.lpx", "--prompt-tokens=0", "--mode=timing"}, "--prompt-tokens"},
                    Mistake{{"a.lpx", "--prompt-tokens=4", "--tokens=1", "--mode=timing"}, "exclude"}));

} // namespace
} // namespace lpu::rt
