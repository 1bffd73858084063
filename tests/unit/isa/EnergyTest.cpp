// Tables of energy and area, and what they make of counts.
#include "lpu/isa/Energy.h"

#include "AnchorPrograms.h"

#include "lpu/isa/Legality.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <sstream>

namespace lpu::isa {
namespace {

const EnergyModel &gf14() {
  static const EnergyModel model = *loadEnergyModel("gf14");
  return model;
}

StepUse useOf(const Program &program) {
  const SystemLegality legality = checkSystem(program, 0, {.checkClaim = false});
  for (const LegalityReport &report : legality.classes)
    EXPECT_TRUE(report.findings.empty()) << report.findings.front().str();
  StepUse use = stepUse(program, 0);
  use.latencyCycles = use.intervalCycles = legality.length;
  return use;
}

StepEnergy energyOf(const Program &program) { return *energyOf(gf14(), program.machine, useOf(program)); }

void expectWithin(double value, double target, double share) {
  EXPECT_GE(value, target * (1 - share));
  EXPECT_LE(value, target * (1 + share));
}

constexpr int kLong = 20000; ///< cycles beside which beginning and end do not count

TEST(Energy, AnchorsAreExplained) {
  const Estimate idle = energyOf(test::idleProgram(kLong)).aloneWatts;
  const Estimate decode = energyOf(test::decodeSweepProgram(kLong)).aloneWatts;
  const Estimate gemm = energyOf(test::denseGemmProgram(kLong)).aloneWatts;
  const Estimate all = energyOf(test::allUnitsProgram(kLong)).aloneWatts;
  expectWithin(idle.typical, 62, 0.1);
  expectWithin(decode.typical, 153, 0.1);
  expectWithin(gemm.typical, 165, 0.1);
  expectWithin(all.typical, 241, 0.1);
  // Published: 185 W on average, a thermal design power of 215 W, at most 300 W.
  for (const auto &[watts, bar] : {std::pair(185.0, decode), {215.0, decode}, {300.0, all}}) {
    EXPECT_LT(bar.low, watts);
    EXPECT_GT(bar.high, watts);
  }
  for (const auto &[name, bar] : {std::pair("idle", idle), {"decode", decode}, {"gemm", gemm}, {"all", all}})
    RecordProperty(name, std::to_string(bar.low) + " " + std::to_string(bar.typical) + " " + std::to_string(bar.high) +
                             " W, " + std::to_string(bar.p5) + " to " + std::to_string(bar.p95));
}

TEST(Energy, CalibrationStandsApart) {
  const Estimate all = energyOf(test::allUnitsProgram(kLong)).aloneWatts;
  expectWithin(all.typical * gf14().calibration.factor, gf14().calibration.allUnitsWatts, 0.1);
}

TEST(Energy, AreaOfTheDie) {
  const Area area = *areaOf(gf14(), Machine());
  expectWithin(area.total.typical, 725, 0.005);
  double sum = 0;
  for (const AreaPart &part : area.parts)
    sum += part.mm2.typical;
  EXPECT_EQ(area.parts.size(), 7u);
  EXPECT_NEAR(sum * gf14().floorplanFactor, area.total.typical, 1e-9);
  EXPECT_LT(area.total.low, area.total.typical);
  EXPECT_GT(area.total.high, area.total.typical);
}

TEST(Energy, BandsAreInOrder) {
  const StepEnergy e = energyOf(test::decodeSweepProgram(2000));
  for (const Estimate &x : {e.dynamicJoules, e.staticWatts, e.aloneJoules, e.fullPipelineJoules, e.aloneWatts}) {
    EXPECT_LE(x.low, x.p5);
    EXPECT_LT(x.p5, x.typical);
    EXPECT_LT(x.typical, x.p95);
    EXPECT_LE(x.p95, x.high);
  }
}

TEST(Energy, DrawsAreTheSameEveryTime) {
  const StepEnergy a = energyOf(test::decodeSweepProgram(2000)), b = energyOf(test::decodeSweepProgram(2000));
  EXPECT_EQ(a.aloneJoules.p5, b.aloneJoules.p5);
  EXPECT_EQ(a.aloneJoules.p95, b.aloneJoules.p95);
  const StepUse use = useOf(test::decodeSweepProgram(2000));
  EXPECT_NE(energyOf(gf14(), Machine(), use, {{}, 10000, 2})->aloneJoules.p5, a.aloneJoules.p5);
}

TEST(Energy, WithoutCountsThereIsStaticPowerOnly) {
  StepUse use;
  use.chips = 3;
  use.links = 4;
  use.latencyCycles = 900;
  use.intervalCycles = 300;
  const StepEnergy e = *energyOf(gf14(), Machine(), use);
  EXPECT_EQ(e.dynamicJoules.high, 0);
  EXPECT_NEAR(e.staticWatts.typical, 3 * 62 + 4 * 0.6, 1e-9);
  EXPECT_NEAR(e.aloneJoules.typical, e.staticWatts.typical * 1e-6, 1e-15);
  EXPECT_NEAR(e.fullPipelineJoules.typical, e.staticWatts.typical * 1e-6 / 3, 1e-15);
}

TEST(Energy, PartsPhasesAndTimeAddUp) {
  const Program program = test::allUnitsProgram(2000);
  const double whole = energyOf(program).dynamicJoules.typical;
  const auto joules = [&](const std::vector<Counts> &list) {
    double sum = 0;
    const std::vector<double> each = *typicalDynamicJoules(gf14(), program.machine, list);
    for (double own : each)
      sum += own;
    return sum;
  };
  const CountedProgram counted = countProgram(program.machine, program.classes[0].programs[0], 64);
  EXPECT_NEAR(joules(counted.byLabel) / whole, 1, 1e-9);
  EXPECT_NEAR(joules(counted.byTime) / whole, 1, 1e-9);
  const auto parts = *typicalDynamicJoulesByPart(gf14(), program.machine, counted.total);
  double sum = 0;
  for (const auto &[part, own] : parts)
    sum += own;
  EXPECT_NEAR(sum / whole, 1, 1e-9);
}

TEST(Energy, RisesWithEveryEntry) {
  StepUse use;
  use.chips = use.links = 1;
  use.latencyCycles = use.intervalCycles = 1000;
  for (std::uint64_t &word : use.counts.words)
    word = 1;
  for (std::uint64_t &value : use.counts.values)
    value = 1000;
  use.counts.countSent(0, 10);
  const StepEnergy before = *energyOf(gf14(), Machine(), use);
  const auto rises = [&](EnergyEntry &entry, EnergyModel &model) {
    entry.low *= 1.1, entry.typical *= 1.1, entry.high *= 1.1;
    const StepEnergy after = *energyOf(model, Machine(), use);
    EXPECT_GE(after.aloneJoules.low, before.aloneJoules.low) << entry.name;
    EXPECT_GE(after.aloneJoules.typical, before.aloneJoules.typical) << entry.name;
    EXPECT_GT(after.aloneJoules.high, before.aloneJoules.high) << entry.name;
  };
  for (std::size_t i = 0; i < gf14().dynamic.size(); ++i) {
    EnergyModel model = gf14();
    rises(model.dynamic[i], model);
  }
  for (std::size_t i = 0; i < gf14().statics.size(); ++i) {
    EnergyModel model = gf14();
    rises(model.statics[i], model);
  }
}

TEST(Energy, FollowsTheMachine) {
  Machine machine;
  StepUse use;
  use.latencyCycles = use.intervalCycles = 1000;
  use.counts[Count::SramReadBytes] = 1000000;
  const double full = energyOf(gf14(), machine, use)->dynamicJoules.typical;
  machine.memRowsPerBank = 1024;
  EXPECT_NEAR(energyOf(gf14(), machine, use)->dynamicJoules.typical, full * std::pow(0.25, 0.6), full * 1e-9);
  machine = Machine();
  EXPECT_NEAR(energyOf(gf14(), machine, use, {0.85, 0, 1})->dynamicJoules.typical, full * std::pow(0.95 / 0.85, 2),
              full * 1e-9);
}

TEST(Energy, VoltageFollowsTheClock) {
  EXPECT_NEAR(voltageForClock(gf14(), 0.9), 0.75, 1e-6);
  EXPECT_NEAR(voltageForClock(gf14(), 1.0), 0.81, 0.01);
  EXPECT_NEAR(voltageForClock(gf14(), 1.2), 0.95, 0.01);
}

TEST(Energy, PresetsLoad) {
  for (const std::string &name : energyModelNames()) {
    const auto model = loadEnergyModel(name);
    ASSERT_TRUE(model) << model.error().str();
    EXPECT_EQ(model->name, name);
  }
  EXPECT_FALSE(gf14().guess);
  EXPECT_TRUE(loadEnergyModel("sf4x")->guess);
  EXPECT_EQ(loadEnergyModel("/nonexistent.yaml").error().str(),
            "/nonexistent.yaml: error: neither a table of energy (gf14, sf4x) nor a readable file");
}

std::string textOf(const char *name) {
  std::ifstream file(std::string(LPU_ENERGY_DIR) + "/" + name + ".yaml");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

/// The error after `from` has become `to`.
std::string errorOf(const std::string &from, const std::string &to) {
  std::string text = textOf("gf14");
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  text.replace(at, from.size(), to);
  const auto model = parseEnergyModel(text, "t.yaml");
  EXPECT_FALSE(model) << from;
  return model ? "" : model.error().str();
}

/// Without the line that `text` begins.
std::string errorWithout(const std::string &entry, const std::string &key) {
  std::string text = textOf("gf14");
  const std::size_t at = text.find("\n    " + key + ":", text.find("\n  " + entry + ":\n")) + 1;
  text.erase(at, text.find('\n', at) + 1 - at);
  const auto model = parseEnergyModel(text, "t.yaml");
  EXPECT_FALSE(model) << entry << "." << key;
  return model ? "" : model.error().str();
}

TEST(EnergyErrors, EveryEntryNeedsUnitAndSourceAndItsThreeValues) {
  for (const char *key : {"unit", "source", "low", "typical", "high"})
    for (const auto &[section, entry] : {std::pair("dynamic", "sram_read"), {"static", "leak_sram"}, {"area", "mxm"}})
      EXPECT_NE(errorWithout(entry, key)
                    .find(std::string("error: '") + section + "." + entry + "' has no '" + key + "'; add it"),
                std::string::npos)
          << errorWithout(entry, key);
}

TEST(EnergyErrors, NameTheLine) {
  EXPECT_EQ(errorOf("unit: pJ/product", "unit: pJ/B"),
            "t.yaml:30: error: 'dynamic.mac_int8' has unit 'pJ/B', which does not fit; it must be pJ/product");
  EXPECT_EQ(errorOf("typical: 0.20", "typical: 0.40"),
            "t.yaml:30: error: 'dynamic.mac_int8' has low 0.08, typical 0.4, high 0.35; they must not fall");
  EXPECT_EQ(errorOf("low: 0.08", "low: few"), "t.yaml:34: error: 'few' is not a number from 0 to 1000000000");
  EXPECT_EQ(errorOf("count: products_int8", "count: products"), errorOf("count: products_int8", "count: products"));
  EXPECT_NE(errorOf("count: products_int8", "count: products")
                .find("t.yaml:32: error: 'products' is no count; counts are words"),
            std::string::npos);
  EXPECT_NE(errorOf("\"(volts.logic / 0.75) ^ 2\"", "\"(volts.core / 0.75) ^ 2\"")
                .find("t.yaml:30: error: scale of 'mac_int8': 'volts.core' in"),
            std::string::npos);
  EXPECT_NE(errorOf("part: MXM", "part: GPU").find("t.yaml:30: error: 'dynamic.mac_int8' has part 'GPU'"),
            std::string::npos);
  EXPECT_EQ(errorOf("guess: false", "gues: false"), "t.yaml:10: error: 'table' has an unknown key 'gues'");
}

TEST(EnergyErrors, ACountThatNobodyAnswers) {
  EXPECT_EQ(errorOf("    count: sxm_transpose_bytes", "    count: sxm_within_bytes"),
            "t.yaml:1: error: no entry answers the count 'sxm_transpose_bytes'; add one with 'count: "
            "sxm_transpose_bytes', or name it under 'covers' of the entry that its energy is in");
}

} // namespace
} // namespace lpu::isa
