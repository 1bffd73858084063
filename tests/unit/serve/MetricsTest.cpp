#include "lpu/serve/Metrics.h"

#include <gtest/gtest.h>

namespace lpu::serve {
namespace {

TEST(Metrics, HistogramsCountUpToEachEnd) {
  Histogram histogram;
  histogram.add(1e-6); // an end belongs to its bucket
  histogram.add(2e-6);
  histogram.add(1000);
  const std::string lines = histogram.lines("x_seconds", "model_name=\"m\"");
  EXPECT_NE(lines.find("x_seconds_bucket{model_name=\"m\",le=\"1e-06\"} 1\n"), std::string::npos) << lines;
  EXPECT_NE(lines.find("le=\"2.5e-06\"} 2\n"), std::string::npos);
  EXPECT_NE(lines.find("le=\"100\"} 2\n"), std::string::npos);
  EXPECT_NE(lines.find("le=\"+Inf\"} 3\n"), std::string::npos);
  EXPECT_NE(lines.find("x_seconds_count{model_name=\"m\"} 3\n"), std::string::npos);
}

TEST(Metrics, NamesOfModelsAreEscaped) {
  ModelMetrics metrics;
  ++metrics.finished["stop"];
  const std::string text = metricsText({{"a\"b\\c\n", 1, 2, 3, &metrics}});
  EXPECT_NE(text.find("lpu_num_requests_waiting{model_name=\"a\\\"b\\\\c\\n\"} 2\n"), std::string::npos) << text;
  EXPECT_NE(text.find("finished_reason=\"stop\"} 1\n"), std::string::npos);
}

} // namespace
} // namespace lpu::serve
