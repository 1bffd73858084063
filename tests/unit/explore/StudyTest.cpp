// What a study may say, and what each mistake in it is told.
#include "TestStudy.h"

#include "lpu/explore/Point.h"
#include "lpu/explore/Search.h"

#include <gmock/gmock.h>

namespace lpu::explore {
namespace {

using testing::ElementsAre;

TEST(Study, DefaultsAreThoseOfTheHowto) {
  const Study study = goodStudy("");
  EXPECT_EQ(study.name, "s");
  EXPECT_EQ(study.energy.name, "gf14");
  EXPECT_EQ(study.search.method, Method::Grid);
  EXPECT_EQ(study.gridSize(), 1u);
  ASSERT_EQ(study.objectives.size(), 3u);
  EXPECT_EQ(study.objectives[1].column, "j_per_token");
}

TEST(Study, ValuesAreListsAndRanges) {
  const Study study = goodStudy("parameters:\n"
                                "  lanes.superlanes: [3, 4.0]\n"
                                "  mem.slices_per_side: {from: 20, to: 32, step: 4}\n"
                                "  latency.mem_read: {from: 1, to: 8, factor: 2}\n"
                                "  clock.ghz: {values: [0.9, 1.2], voltage: from-clock}\n"
                                "  mapping.kv_type: int8\n");
  EXPECT_THAT(study.parameters[0].values, ElementsAre("3", "4"));
  EXPECT_THAT(study.parameters[1].values, ElementsAre("20", "24", "28", "32"));
  EXPECT_THAT(study.parameters[2].values, ElementsAre("1", "2", "4", "8"));
  EXPECT_THAT(study.parameters[3].values, ElementsAre("0.9", "1.2"));
  EXPECT_TRUE(study.voltageFromClock);
  EXPECT_EQ(study.gridSize(), 2u * 4 * 4 * 2);
}

TEST(Study, DerivedKeysFollowEachOther) {
  const Study study = goodStudy("parameters: {lanes.superlanes: [2, 4]}\n"
                                "derived:\n"
                                "  latency.sxm_transpose: \"latency.sxm_across - 4\"\n"
                                "  latency.sxm_across: \"6 * lanes.superlanes\"\n");
  const Point point = makePoint(study, {{"lanes.superlanes", "2"}}, "b");
  EXPECT_EQ(point.machine.latency.SxmAcross, 12);
  EXPECT_EQ(point.machine.latency.SxmTranspose, 8);
  EXPECT_EQ(shownValue(study, point, "latency.sxm_transpose"), "8");
}

TEST(Study, ConstraintsAreComparisonsJoined) {
  for (const char *text :
       {"watts <= 3", "(area_mm2) < (lanes.superlanes * 40)", "(watts < 3)", "chips == 1 || cycles < 5",
        "(chips == 1 || (cycles < 5 && watts != 2)) && min(token_us, 4) >= 3",
        "token_us < (lanes.superlanes > 3 ? 5 : 4)"})
    EXPECT_EQ(goodStudy(std::string("constraints: [\"") + text + "\"]\n").constraints.size(), 1u) << text;
}

TEST(Study, MarksOfTheMachineAreItsSensitivity) {
  const Study study = goodStudy("sensitivity: {keys: not-published, factors: [2]}\n");
  EXPECT_EQ(study.sensitivity.keys.size(), isa::loadUnpublished("small")->size());
  const std::vector<Values> points = sensitivityPoints(study);
  EXPECT_EQ(points.size(), study.sensitivity.keys.size() + 1);
  EXPECT_TRUE(points.front().empty()); // the base
  EXPECT_EQ(points[1].begin()->first, study.sensitivity.keys.front().key);
}

struct Mistake {
  const char *rest, *told;
  const char *workload = "{arch: m.yaml}";
};

TEST(Study, EveryMistakeHasItsLineKeyAndRemedy) {
  const Mistake mistakes[] = {
      {"colour: red\n", "s.yaml:3: error: colour: is unknown; keys are name, base,"},
      {"name: [a]\n", "s.yaml:3: error: name: must be a word"},
      {"parameters:\n  lanes.superlane: [3]\n", "s.yaml:4: error: lanes.superlane: is no key of a machine or mapping; "
                                                "there are lanes.per_superlane, lanes.superlanes"},
      {"parameters:\n  mapping.tb: [3]\n", "s.yaml:4: error: mapping.tb: is no key of a machine or mapping; there are "
                                           "mapping.tp"},
      {"parameters:\n  lanes.superlanes: [x]\n", "s.yaml:4: error: lanes.superlanes: 'x' is no number; write one"},
      {"parameters:\n  lanes.superlanes: []\n", "s.yaml:4: error: lanes.superlanes: has no values; write a list"},
      {"parameters:\n  lanes.superlanes: [3, 3]\n", "s.yaml:4: error: lanes.superlanes: has a value twice"},
      {"parameters:\n  lanes.superlanes: {from: 4, to: 2, step: 1}\n",
       "s.yaml:4: error: lanes.superlanes: 4 to 2 is no"},
      {"parameters:\n  lanes.superlanes: {from: 4, to: 8}\n", "lanes.superlanes: needs either step or factor"},
      {"parameters:\n  mapping.tp: [0]\n", "s.yaml:4: error: mapping.tp: '0' is no whole number from 1 on"},
      {"parameters:\n  mapping.partition: [some]\n", "mapping.partition: 'some' is none of fewest, fastest"},
      {"parameters:\n  latency.mem_read: {values: [5], voltage: from-clock}\n", "voltage: only 'from-clock' is known"},
      {"derived:\n  latency.mem_read: \"1 +\"\n", "s.yaml:4: error: latency.mem_read: '1 +' is no expression"},
      {"derived:\n  latency.mem_read: \"speed\"\n", "s.yaml:4: error: latency.mem_read: 'speed' is not known"},
      {"derived:\n  latency.mem_read: \"latency.mem_read\"\n", "latency.mem_read: depends on itself through"},
      {"derived:\n  latency.mem_read: \"clock.ghz * 4\"\n",
       "latency.mem_read: 'latency.mem_read' is 3.6, and must be an integer; round() and ceil() make one"},
      {"parameters: {latency.mem_read: [1]}\nderived:\n  latency.mem_read: \"3\"\n", "is a parameter as well; remove"},
      {"constraints: [\"volts < 3\"]\n", "s.yaml:3: error: constraints: 'volts' in 'volts < 3' is neither a key nor a"},
      {"constraints: [\"watts <\"]\n", "s.yaml:3: error: constraints: 'watts <' is no expression"},
      {"constraints: [\"area_mm2 = 3\"]\n", "s.yaml:3: error: constraints: 'area_mm2 = 3' is no expression: = sets a "
                                            "value, == compares; write a comparison, with == for equality"},
      {"constraints:\n  - \"watts < 3\"\n  - \"chips = 1 || cycles < 3\"\n",
       "s.yaml:5: error: constraints: 'chips = 1 || cycles < 3' is no expression: = sets"},
      {"constraints: [\"cycles\"]\n", "s.yaml:3: error: constraints: 'cycles' is no comparison; write two sides with"},
      {"constraints: [\"1 < chips < 3\"]\n", "'1 < chips < 3' is no comparison"},
      {"constraints: [\"chips < 3 && cycles\"]\n", "'chips < 3 && cycles' is no comparison"},
      {"constraints: [\"(chips < 3) + 1\"]\n", "'(chips < 3) + 1' is no comparison"},
      {"constraints: [\"chips < 3 ? 1 : 2\"]\n", "'chips < 3 ? 1 : 2' is no comparison"},
      {"constraints: [\"cycles < 1/0\"]\n", "s.yaml:3: error: constraints: '1/0' has no finite value here; change the"},
      {"derived:\n  latency.mem_read: \"latency.mxm_play = 3\"\n",
       "s.yaml:4: error: latency.mem_read: 'latency.mxm_play = 3' is no expression: = sets a value, == compares; write "
       "arithmetic over keys"},
      {"parameters:\n  latency.mem_read: {from: 1, to: 2000, step: 1}\n  latency.mxm_play: {from: 1, to: 501, step: "
       "1}\n",
       "s.yaml:4: error: search: asks for 1002000 points, and 1000000 are the most; take fewer values, or another "
       "search "
       "with a budget"},
      {"search: {method: sobol, budget: 2000000}\nparameters:\n  latency.mem_read: {from: 1, to: 2000, step: 1}\n"
       "  latency.mxm_play: {from: 1, to: 2000, step: 1}\n",
       "s.yaml:3: error: search: asks for 2000000 points, and 1000000 are the most; take a smaller budget"},
      {"objectives: [speed: max]\n", "s.yaml:3: error: objectives: 'speed' is no column; columns are chips, cycles,"},
      {"objectives: [token_us: less]\n", "objectives: 'token_us: less' must end in min or max"},
      {"objectives: [token_us]\n", "objectives: 'token_us' needs a direction; write token_us: min"},
      {"search: {method: magic}\n",
       "s.yaml:3: error: method: 'magic' is unknown; methods are grid, random, sobol, oat, "
       "morris, halving, nsga2"},
      {"search: {seed: 1}\n", "s.yaml:3: error: method: is missing in search; add it"},
      {"search: {method: grid, budget: 0}\n", "budget: '0' is no whole number from 1 on"},
      {"search: {method: grid, prune: true}\n",
       "prune: bounds hold for a partition that is known before; add tp: and pp:"},
      {"sensitivity: {keys: [mapping.tp]}\n", "keys: 'mapping.tp' is no key of a machine; write not-published"},
      {"sensitivity: {keys: not-published, factors: [1]}\n", "factors: '1' is no positive number other than 1"},
      {"energy: nothing\n", "s.yaml:3: error: energy: 'nothing' is neither a table of energy"},
      {"", "s.yaml:2: error: arch: one of arch (a shape) and model", "{weight: 1}"},
      {"", "s.yaml:2: error: arch: 'missing.yaml' cannot be read; paths are relative", "{arch: missing.yaml}"},
      {"", "s.yaml:2: error: contxt: is unknown in workloads; keys are name, arch, model,",
       "{arch: m.yaml, contxt: 3}"},
      {"", "weight: '-1' is no number", "{arch: m.yaml, weight: -1}"},
      {"", "partition: fastest needs the number of chips", "{arch: m.yaml, partition: fastest}"},
      {"", "s.yaml:2: error: kv_type: 'int9' is none of int16, int8, fp16; write one", "{arch: m.yaml, kv_type: int9}"},
      {"parameters:\n  mapping.weight_type: [int8, int3]\n",
       "mapping.weight_type: 'int3' is none of int8, int8-group, int4-group, keep, fp16"},
      {"", "s.yaml:2: error: steps: 'decoed' is no step; write decode, prefill, encode, or a name such as decode_512",
       "{arch: m.yaml, steps: [decoed]}"},
      {"", "topology: 'missing.yaml' is none of node, rail, dragonfly, and as a file it cannot be read",
       "{arch: m.yaml, topology: missing.yaml}"},
      {"", "s.yaml:2: error: prompt_tokens: 5000 are more than the context of 64 holds; raise context or ask for fewer",
       "{arch: m.yaml, context: 64, prompt_tokens: 5000}"},
      {"", "workloads: two have the name 'm'", "{arch: m.yaml}, {arch: m.yaml}"},
      {"search: [\n", "not valid YAML"},
  };
  for (const Mistake &m : mistakes) {
    const Result<Study> study = studyWith(m.rest, m.workload);
    ASSERT_FALSE(study) << m.rest;
    EXPECT_THAT(study.error().str(), testing::HasSubstr(m.told)) << m.rest;
  }
}

TEST(Point, KeysAreOfContents) {
  const Study study = goodStudy("parameters: {lanes.superlanes: [3, 4]}\n");
  const std::string key = makePoint(study, {{"lanes.superlanes", "3"}}, "b").key;
  EXPECT_EQ(key.size(), 64u);
  EXPECT_NE(makePoint(study, {{"lanes.superlanes", "4"}}, "b").key, key);
  EXPECT_NE(makePoint(study, {{"lanes.superlanes", "3"}}, "another build").key, key);
  EXPECT_EQ(makePoint(study, {{"lanes.superlanes", "4"}}, "b").key, makePoint(study, {}, "b").key); // the base has 4
  const auto keyOf = [](const Study &s) { return makePoint(s, {{"lanes.superlanes", "3"}}, "b").key; };
  // Names, energy and objectives are not what is compiled; mapping and steps are.
  EXPECT_EQ(keyOf(goodStudy("name: other\nenergy: sf4x\n", "{arch: m.yaml, name: x}")), key);
  EXPECT_NE(keyOf(goodStudy("", "{arch: n.yaml}")), key);
  EXPECT_NE(keyOf(goodStudy("", "{arch: m.yaml, context: 64}")), key);
  EXPECT_NE(keyOf(goodStudy("", "{arch: m.yaml, steps: [decode]}")), key);
  Study cabled = goodStudy("", "{arch: m.yaml, topology: own.yaml}");
  const std::string before = keyOf(cabled);
  cabled.topologies.at("/models/own.yaml") = "another digest";
  EXPECT_NE(keyOf(cabled), before);
}

TEST(Point, ParametersBeatTheWorkloadsMapping) {
  const Study study = goodStudy("parameters: {mapping.kv_type: [int8], mapping.tp: [2]}\n",
                                "{arch: m.yaml, kv_type: int16, context: 64, steps: [decode, prefill]}");
  const Point point = makePoint(study, {{"mapping.kv_type", "int8"}, {"mapping.tp", "2"}}, "b");
  EXPECT_THAT(point.jobs.front().arguments,
              ElementsAre("--steps=decode,prefill", "--max-context=64", "--kv-type=int8", "--tp=2"));
  EXPECT_EQ(point.numbers.at("mapping.tp"), 2);
}

TEST(Point, ImpossibleMachinesSayWhy) {
  const Study study = goodStudy("parameters: {c2c.east_links: [6, 12], lanes.superlanes: [40]}\n");
  EXPECT_EQ(makePoint(study, {{"c2c.east_links", "12"}}, "b").impossible,
            "'c2c.east_links' is 12, more than the 11 of 'c2c.links'");
  EXPECT_EQ(makePoint(study, {{"lanes.superlanes", "40"}}, "b").impossible,
            "'lanes.superlanes' is 40, outside of 1 to 32");
  EXPECT_NE(makePoint(study, {{"lanes.superlanes", "40"}}, "b").key, makePoint(study, {}, "b").key);
}

TEST(Point, AFasterClockNeedsMoreVoltage) {
  const Study study = goodStudy("parameters: {clock.ghz: {values: [0.9, 1.2], voltage: from-clock}}\n");
  EXPECT_NEAR(*makePoint(study, {{"clock.ghz", "0.9"}}, "b").logicVolts, 0.75, 1e-9);
  EXPECT_NEAR(*makePoint(study, {{"clock.ghz", "1.2"}}, "b").logicVolts, 0.95, 0.02); // alpha-power law by hand
  EXPECT_EQ(makePoint(study, {{"clock.ghz", "5"}}, "b").impossible,
            "'clock.ghz' is 5, which needs more than 1.5 V, 2 times the 0.75 V of 0.9 GHz");
}

} // namespace
} // namespace lpu::explore
