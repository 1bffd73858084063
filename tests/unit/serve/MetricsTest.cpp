#include "lpu/serve/Metrics.h"

#include <gtest/gtest.h>

namespace lpu::serve {
namespace {

TEST(Metrics, HistogramsCountUpToEachEnd) {
  Histogram histogram = Histogram::ofSeconds();
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

TEST(Metrics, EndsOfTokenHistogramsAreWholeNumbers) {
  Histogram histogram = Histogram::ofTokens();
  histogram.add(131072);
  const std::string lines = histogram.lines("x", "a=\"b\"");
  EXPECT_NE(lines.find("le=\"1\"} 0\n"), std::string::npos) << lines;
  EXPECT_NE(lines.find("le=\"131072\"} 1\n"), std::string::npos);
}

TEST(Metrics, ARequestCountsOnceInEachHistogram) {
  ModelMetrics metrics;
  Usage usage;
  usage.promptTokens = 5, usage.completionTokens = 3;
  metrics.add(usage);
  const std::string text = metricsText({{"m", 0, 0, 1, 1, 0, 0.25, &metrics}});
  for (const char *line :
       {"lpu_kv_cache_usage_perc{model_name=\"m\"} 0.25\n", "lpu_request_prompt_tokens_sum{model_name=\"m\"} 5\n",
        "lpu_request_generation_tokens_bucket{model_name=\"m\",le=\"4\"} 1\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line;
}

TEST(Metrics, NamesOfModelsAreEscaped) {
  ModelMetrics metrics;
  ++metrics.finished["stop"];
  const std::string text = metricsText({{"a\"b\\c\n", 1, 2, 3, 1, 0, 0, &metrics}});
  EXPECT_NE(text.find("lpu_num_requests_waiting{model_name=\"a\\\"b\\\\c\\n\"} 2\n"), std::string::npos) << text;
  EXPECT_NE(text.find("finished_reason=\"stop\"} 1\n"), std::string::npos);
}

} // namespace
} // namespace lpu::serve
