// Marks of machine files that programs can read.
#include "lpu/isa/Unpublished.h"

#include "lpu/isa/Formula.h"
#include "lpu/isa/Machine.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace lpu::isa {
namespace {

std::string textOf(const std::string &name) {
  std::ifstream file(std::string(LPU_MACHINE_DIR) + "/" + name + ".yaml");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

/// Of tsp1 with these lines at the end of its marks.
Result<std::vector<Unpublished>> withMarks(const std::string &lines) {
  return parseUnpublished(textOf("tsp1") + lines, "t.yaml");
}

TEST(Unpublished, MarksAndCommentsSayTheSame) {
  for (const std::string &name : presetNames()) {
    std::vector<std::string> commented, marked;
    std::istringstream lines(textOf(name));
    std::string section;
    for (std::string line; std::getline(lines, line);) {
      const std::size_t colon = line.find(':');
      if (line.empty() || line[0] == '#' || colon == std::string::npos)
        continue;
      if (line[0] != ' ')
        section = line.substr(0, colon);
      else if (line.find("not published", colon) != std::string::npos)
        commented.push_back(section + "." + line.substr(2, colon - 2));
    }
    const std::vector<Unpublished> marks = *loadUnpublished(name);
    for (const Unpublished &mark : marks)
      marked.push_back(mark.key);
    EXPECT_EQ(commented, marked) << name;
    EXPECT_FALSE(marked.empty());
  }
}

TEST(Unpublished, MayHaveARange) {
  const auto marks = withMarks("  clock.ghz: {low: 0.8, high: 1.0}\n");
  ASSERT_TRUE(marks) << marks.error().str();
  const Unpublished &mark = marks->back();
  EXPECT_EQ(mark.key, "clock.ghz");
  EXPECT_EQ(mark.low, 0.8);
  EXPECT_EQ(mark.high, 1.0);
  EXPECT_FALSE(marks->front().low);
}

TEST(Unpublished, MayHaveASource) {
  const auto marks = withMarks("  clock.ghz: {low: 0.8, high: 1.0, source: \"guess: from a talk\"}\n");
  ASSERT_TRUE(marks) << marks.error().str();
  EXPECT_EQ(marks->back().source, "guess: from a talk");
  EXPECT_EQ(marks->front().source, "");
}

TEST(Unpublished, AGuessedMachineSaysForEveryValueWhatToBelieveAndWhy) {
  const std::vector<Unpublished> marks = *loadUnpublished("lp30");
  std::size_t keys = 0;
  for (const auto &[key, value] : machineVariables(*loadMachine("lp30")))
    keys += key.find('.') != std::string::npos;
  EXPECT_EQ(marks.size(), keys);
  for (const Unpublished &mark : marks) {
    EXPECT_TRUE(mark.low && mark.high) << mark.key;
    EXPECT_FALSE(mark.source.empty()) << mark.key;
  }
}

TEST(Unpublished, TheGuessedMachineHasWhatIsPublished) {
  const Machine m = *loadMachine("lp30");
  const double hertz = m.clockGHz * 1e9;
  EXPECT_NEAR(static_cast<double>(m.memoryBytes()), 512e6, 0.05 * 512e6);
  EXPECT_NEAR(2 * 2 * m.memSlicesPerSide * m.lanes() * hertz, 150e12, 0.01 * 150e12); // a read and a write a cycle
  EXPECT_NEAR(2 * 2.0 * m.lanes() * m.lanes() * hertz, 1.2e15, 0.01 * 1.2e15);        // a plane a side
  EXPECT_NEAR(2 * m.c2cLinks * m.lanes() * hertz / m.c2cVectorInterval, 2.5e12, 0.1 * 2.5e12);
}

TEST(Unpublished, AreNoPartOfTheMachine) {
  const Machine machine = *loadMachine("tsp1");
  EXPECT_EQ(writeMachine(machine).find("unpublished"), std::string::npos);
  EXPECT_TRUE(parseUnpublished(writeMachine(machine), "canonical")->empty());
}

TEST(Unpublished, MistakesAreNamed) {
  const auto error = [](const std::string &lines) {
    const auto marks = withMarks(lines);
    return marks ? "" : marks.error().message;
  };
  EXPECT_EQ(error("  clock.mhz:\n"), "'clock.mhz' under 'unpublished' is no key of a machine");
  EXPECT_EQ(error("  latency.ifetch:\n"), "'latency.ifetch' under 'unpublished' appears twice");
  EXPECT_EQ(error("  clock.ghz: {low: 1}\n"),
            "the range of 'clock.ghz' must be {low: NUMBER, high: NUMBER}, and may have a source");
  EXPECT_EQ(error("  clock.ghz: 3\n"),
            "the range of 'clock.ghz' must be {low: NUMBER, high: NUMBER}, and may have a source");
  EXPECT_EQ(error("  clock.ghz: {low: 2, high: 1}\n"),
            "the range of 'clock.ghz' must be {low: NUMBER, high: NUMBER}, and may have a source");
  EXPECT_EQ(error("  clock.ghz: {low: 0.8, high: 1, source: a talk}\n"),
            "the source of 'clock.ghz' must begin with 'published: ', 'derived: ' or 'guess: '");
  EXPECT_EQ(error("  clock.ghz: {low: 1, high: 2}\n"), "'clock.ghz' is 0.9, outside of its own range of 1 to 2");
}

} // namespace
} // namespace lpu::isa
