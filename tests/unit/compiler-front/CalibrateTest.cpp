// Ranges from histograms, by hand and in the graph.

#include "lpu/compiler/Reference/Calibrate.h"
#include "../../../compiler/lib/Reference/MagnitudeHistogram.h"

#include "Pipeline.h"

#include <cmath>

namespace {

using namespace lpu;
using namespace lpu::compiler;
using lpu::test::Compiled;

TEST(MagnitudeHistogram, CountsAndPercentiles) {
  MagnitudeHistogram h;
  std::vector<float> values;
  for (int i = 1; i <= 1000; ++i)
    values.push_back(static_cast<float>(i % 2 ? i : -i));
  h.add(values);
  EXPECT_EQ(h.values(), 1000u);
  EXPECT_EQ(h.largest(), 1000);
  EXPECT_EQ(h.beyond(1000), 0u);
  EXPECT_NEAR(static_cast<double>(h.beyond(900)), 100, 2);
  EXPECT_NEAR(h.percentile(0.1), 900, 2);
  EXPECT_EQ(h.percentile(0), 1000);
}

TEST(MagnitudeHistogram, GrowsWithoutLosingValues) {
  MagnitudeHistogram h;
  h.add(std::vector<float>{1e-5f, 1e-3f, 0.0f});
  h.add(std::vector<float>{-5e4f});
  EXPECT_EQ(h.values(), 4u);
  EXPECT_EQ(h.beyond(100), 1u);
}

// Many small values and one outlier: clipping it is cheaper than steps coarse enough to reach it; without outliers the
// largest value is the best range.
TEST(MagnitudeHistogram, LeastSquaresClipsALoneOutlier) {
  MagnitudeHistogram flat, outlier;
  std::vector<float> values;
  for (int i = 0; i < 100000; ++i)
    values.push_back(static_cast<float>(i) / 100000);
  flat.add(values);
  outlier.add(values);
  outlier.add(std::vector<float>{4.0f});
  EXPECT_NEAR(flat.leastSquares(), 1, 0.01);
  EXPECT_LT(outlier.leastSquares(), 3.9);
  EXPECT_GE(outlier.leastSquares(), 0.99);
}

CalibrationSummary run(Compiled &c, const std::string &method, const PrecisionOptions &precision) {
  EXPECT_TRUE(c.import(test::TinyLlama{.layers = 1}.build())) << c.errors.str();
  auto summary = calibrate(*c.module, {{{1, 5, 3, 19}, {7, 7}}, method}, precision);
  EXPECT_TRUE(mlir::succeeded(summary)) << c.errors.str();
  return *summary;
}

TEST(Calibrate, GivesARangeToWhatIsQuantized) {
  Compiled c;
  CalibrationSummary summary = run(c, "minmax", {.activations = "a8"});
  EXPECT_EQ(summary.tokens, 6u);
  EXPECT_EQ(summary.saturated, 0u);
  int ranges = 0;
  c.module->walk([&](mlir::Operation *op) { ranges += op->hasAttr(llm::kRangeAttr); });
  EXPECT_EQ(ranges, 3 + 2 + 1 + 1); // norms, ropes, attention, silu
}

TEST(Calibrate, MethodsAndTypesDiffer) {
  auto range = [](const std::string &method, const std::string &activations) {
    Compiled c;
    run(c, method, {.activations = activations});
    double value = 0;
    c.module->walk(
        [&](llm::SiluMulOp op) { value = op->getAttrOfType<mlir::FloatAttr>(llm::kRangeAttr).getValueAsDouble(); });
    return value;
  };
  double largest = range("minmax", "a8");
  EXPECT_LE(range("mse", "a8"), largest);
  EXPECT_DOUBLE_EQ(range("mse", "a16"), 2 * largest);
}

TEST(Calibrate, ScalesFollowTheRanges) {
  Compiled c;
  run(c, "minmax", {});
  double range = 0;
  c.module->walk(
      [&](llm::AttentionOp op) { range = op->getAttrOfType<mlir::FloatAttr>(llm::kRangeAttr).getValueAsDouble(); });
  ASSERT_TRUE(c.lower()) << c.errors.str();
  c.module->walk([&](llm::AttentionOp op) { EXPECT_DOUBLE_EQ(*llm::activationScale(op.getResult()), range / 32639); });
}

TEST(Calibrate, Mistakes) {
  Compiled c;
  ASSERT_TRUE(c.import(test::TinyLlama{}.build()));
  EXPECT_TRUE(mlir::failed(calibrate(*c.module, {{{1, 99}}, "mse"}, {})));
  EXPECT_NE(c.errors.str().find("token 99 is not in the vocabulary"), std::string::npos) << c.errors.str();
  Compiled d;
  ASSERT_TRUE(d.import(test::TinyLlama{}.build()));
  EXPECT_TRUE(mlir::failed(calibrate(*d.module, {{{1}}, "guess"}, {})));
  EXPECT_NE(d.errors.str().find("--calibration-method: error: 'guess' is not known"), std::string::npos)
      << d.errors.str();
}

} // namespace
