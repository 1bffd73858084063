// --mapping files: what they say, and every way to say it wrongly, with the line.

#include "lpu/compiler/Support/MappingFile.h"

#include <gtest/gtest.h>

namespace lpu::compiler {
namespace {

TEST(MappingFile, ChoosesFormsAndTokens) {
  auto mapping = MappingFile::parse("# by hand\n"
                                    "linears:\n"
                                    "  qkv: {form: pinned}\n"
                                    "  lm-head:\n"
                                    "    form: dealt\n"
                                    "prefill: {tokens: 12}\n",
                                    "m.yaml");
  ASSERT_TRUE(mapping) << mapping.error().str();
  EXPECT_EQ(mapping->name, "m.yaml");
  ASSERT_EQ(mapping->linears.size(), 2u);
  EXPECT_EQ(mapping->linears.at(LinearRole::Projections).form, LinearForm::Pinned);
  EXPECT_EQ(mapping->linears.at(LinearRole::Projections).line, 3);
  EXPECT_EQ(mapping->linears.at(LinearRole::Head).form, LinearForm::Dealt);
  EXPECT_EQ(mapping->linears.at(LinearRole::Head).line, 5);
  EXPECT_EQ(mapping->prefillTokens, 12);
  EXPECT_EQ(mapping->prefillLine, 6);
  EXPECT_EQ(mapping->error(6, "no").str(), "m.yaml:6: error: no");
}

TEST(MappingFile, NoNameChoosesNothing) {
  auto mapping = MappingFile::read("");
  ASSERT_TRUE(mapping);
  EXPECT_TRUE(mapping->linears.empty());
  EXPECT_FALSE(mapping->prefillTokens);
}

TEST(MappingFile, ErrorsNameTheLineAndWhatWorks) {
  const std::pair<const char *, const char *> cases[] = {
      {"linear: {}", "m.yaml:1: error: unknown key 'linear'; linears and prefill are known"},
      {"linears:\n  ffn: {form: dealt}", "m.yaml:2: error: unknown key 'ffn' of linears; qkv, attention-output, "
                                         "gate-up, down and lm-head are known"},
      {"linears:\n  other: {form: dealt}", "m.yaml:2: error: unknown key 'other' of linears; qkv, attention-output, "
                                           "gate-up, down and lm-head are known"},
      {"linears:\n  qkv:\n    shape: dealt", "m.yaml:3: error: unknown key 'shape' of 'qkv'; form is known"},
      {"linears:\n  qkv:\n    form: swept",
       "m.yaml:3: error: key 'form' is 'swept'; choose pinned or dealt, other forms follow from the model"},
      {"linears:\n  qkv: {}", "m.yaml:2: error: 'qkv' must say its form; add form: pinned or form: dealt"},
      {"linears:\n  qkv: dealt",
       "m.yaml:2: error: key 'qkv' must be a map of keys; docs/howto/choose-a-mapping.md shows one"},
      {"linears:\n  qkv: {form: dealt}\n  qkv: {form: pinned}", "m.yaml:3: error: key 'qkv' appears twice; remove one"},
      {"prefill: {token: 3}", "m.yaml:1: error: unknown key 'token' of prefill; tokens is known"},
      {"prefill:\n  tokens: 1", "m.yaml:2: error: key 'tokens' is '1'; give the tokens of a prefill step, 2 or more"},
      {"prefill:\n  tokens: 9x", "m.yaml:2: error: key 'tokens' is '9x'; give the tokens of a prefill step, 2 or more"},
      {"- qkv", "m.yaml:1: error: the file must be a map of keys; docs/howto/choose-a-mapping.md shows one"},
  };
  for (auto [yaml, expected] : cases) {
    auto mapping = MappingFile::parse(yaml, "m.yaml");
    ASSERT_FALSE(mapping) << yaml;
    EXPECT_EQ(mapping.error().str(), expected);
  }
  EXPECT_EQ(MappingFile::read("/nonexistent.yaml").error().str(),
            "/nonexistent.yaml: error: cannot be read; check the path given with --mapping");
}

TEST(MappingFile, NamesGoBothWays) {
  for (LinearForm form :
       {LinearForm::Pinned, LinearForm::Dealt, LinearForm::Swept, LinearForm::Grouped, LinearForm::Half})
    EXPECT_EQ(formNamed(nameOf(form)), form);
  EXPECT_FALSE(formNamed("folded"));
}

} // namespace
} // namespace lpu::compiler
