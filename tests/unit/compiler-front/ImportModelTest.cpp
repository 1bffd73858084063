// The graph an import builds, and what the llm stage makes of it.

#include "Pipeline.h"

#include "mlir/Parser/Parser.h"

namespace {

using namespace lpu;
using namespace lpu::compiler;
using lpu::test::Compiled;
using lpu::test::GgufBuilder;

template <typename Op> std::size_t count(Compiled &c) {
  std::size_t n = 0;
  c.module->walk([&](Op) { ++n; });
  return n;
}

TEST(ImportModel, BuildsTheGraphOfEveryLayer) {
  Compiled c;
  ASSERT_TRUE(c.import(test::TinyLlama{}.build())) << c.errors.str();
  EXPECT_EQ(count<llm::WeightOp>(c), 1u + 2 * 9 + 2);
  EXPECT_EQ(count<llm::KVCacheOp>(c), 2u);
  EXPECT_EQ(count<llm::LinearOp>(c), 2u * 7 + 1);
  EXPECT_EQ(count<llm::RmsNormOp>(c), 2u * 2 + 1);
  EXPECT_EQ(count<llm::RopeOp>(c), 4u);
  EXPECT_EQ(count<llm::AttentionOp>(c), 2u);
  EXPECT_EQ(count<llm::AddOp>(c), 4u);
  EXPECT_EQ((*c.module)->getAttrOfType<mlir::StringAttr>(llm::kSourceAttr).str(), c.path);
  std::string type;
  llvm::raw_string_ostream(type) << llm::forwardFunction(*c.module).getFunctionType();
  EXPECT_EQ(type, "(tensor<?xi32>, tensor<?xi32>) -> tensor<?x20xf32>");
}

TEST(ImportModel, TiedOutputHasItsOwnHandle) {
  Compiled c;
  ASSERT_TRUE(c.import(test::TinyLlama{.tied = true}.build())) << c.errors.str();
  auto output = c.module->lookupSymbol<llm::WeightOp>("output");
  ASSERT_TRUE(output);
  EXPECT_EQ(output.getSource(), "token_embd.weight");
  ASSERT_TRUE(c.lower()) << c.errors.str();
  EXPECT_TRUE(output.isQuantized());
  EXPECT_TRUE(c.module->lookupSymbol<llm::WeightOp>("token_embd").getTensorType().getElementType().isF16());
}

TEST(ImportModel, ErrorIsOneLineWithTheFile) {
  Compiled c;
  EXPECT_FALSE(c.import("/nonexistent/model.gguf"));
  EXPECT_EQ(c.errors.str(), "/nonexistent/model.gguf: error: cannot be opened: No such file or directory; check the "
                            "path and its permissions");
}

TEST(ImportModel, IRHoldsNoWeightData) {
  Compiled c;
  ASSERT_TRUE(c.import(test::TinyLlama{}.build()));
  ASSERT_TRUE(c.lower()) << c.errors.str();
  EXPECT_LT(c.print().size(), 60000u); // the weights would be 100 kB even as bytes
  EXPECT_EQ(c.print().find("dense"), std::string::npos);
}

// Scales and factors are doubles: text must carry them exactly, or a dumped stage would not give the same program.
TEST(LlmPhase, TextRoundTripIsExact) {
  Compiled c;
  ASSERT_TRUE(c.import(test::TinyLlama{.ropeFreqs = true}.build()));
  ASSERT_TRUE(c.lower()) << c.errors.str();
  std::string text = c.print();
  auto again = mlir::parseSourceString<mlir::ModuleOp>(text, &c.context);
  ASSERT_TRUE(again) << c.errors.str();
  std::vector<double> scales, reparsed;
  auto collect = [](std::vector<double> &into) {
    return [&into](mlir::Operation *op) {
      for (mlir::Value v : op->getResults())
        if (auto scale = llm::activationScale(v))
          into.push_back(*scale);
      if (auto linear = llvm::dyn_cast<llm::LinearOp>(op))
        into.push_back(linear.getFactor().convertToDouble());
    };
  };
  c.module->walk(collect(scales));
  again->walk(collect(reparsed));
  EXPECT_EQ(scales.size(), 5u + 4 + 2 + 2 + 15);
  EXPECT_EQ(scales, reparsed);
}

TEST(LlmPhase, FactorsAreReciprocalScalesOfTheConsumer) {
  Compiled c;
  ASSERT_TRUE(c.import(test::TinyLlama{}.build()));
  ASSERT_TRUE(c.lower());
  c.module->walk([&](llm::RopeOp op) {
    EXPECT_EQ(op.getInput().getDefiningOp<llm::LinearOp>().getFactor().convertToDouble(),
              1.0 / *llm::activationScale(op.getResult()));
  });
  c.module->walk([&](llm::AttentionOp op) {
    EXPECT_EQ(op.getValue().getDefiningOp<llm::LinearOp>().getFactor().convertToDouble(), 1.0);
  });
}

TEST(LlmPhase, QuantizeIsIdempotent) {
  Compiled c;
  ASSERT_TRUE(c.import(test::TinyLlama{}.build()));
  ASSERT_TRUE(c.lower());
  std::string once = c.print();
  ASSERT_TRUE(c.lower()) << c.errors.str();
  EXPECT_EQ(c.print(), once);
}

TEST(LlmPhase, DamagedWeightsAreFoundWhileQuantizing) {
  struct Case {
    const char *tensor;
    float value;
    const char *expected;
  };
  for (Case damage :
       {Case{"blk.1.ffn_down.weight", NAN, "value [0, 3] is NaN"},
        Case{"token_embd.weight", INFINITY, "value [0, 3] is infinite"}, Case{"token_embd.weight", 1e6f, "beyond fp16"},
        Case{"blk.0.attn_norm.weight", 3e38f, "damaged"}, Case{"rope_freqs.weight", NAN, "value [0, 3] is NaN"},
        Case{"output_norm.weight", NAN, "value [0, 3] is NaN"}}) {
    Compiled c;
    GgufBuilder file = test::TinyLlama{.ropeFreqs = true}.build();
    std::memcpy(&file.at(damage.tensor).data[12], &damage.value, 4);
    ASSERT_TRUE(c.import(file));
    EXPECT_FALSE(c.lower()) << damage.tensor;
    EXPECT_NE(c.errors.str().find(damage.expected), std::string::npos) << c.errors.str();
    EXPECT_EQ(c.errors.str().find('\n'), std::string::npos);
  }
}

TEST(LlmPhase, ZeroWeightsQuantize) {
  Compiled c;
  GgufBuilder file = test::TinyLlama{.layers = 1}.build();
  for (const char *name :
       {"blk.0.attn_q.weight", "blk.0.attn_v.weight", "blk.0.ffn_gate.weight", "blk.0.ffn_norm.weight"})
    std::fill(file.at(name).data.begin(), file.at(name).data.end(), std::uint8_t{0});
  ASSERT_TRUE(c.import(file));
  EXPECT_TRUE(c.lower()) << c.errors.str();
}

} // namespace
