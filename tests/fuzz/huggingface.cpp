// Fuzzes the readers of config.json, tokenizer.json and the files beside it: the input is a configuration, a zero byte,
// and one of the others.

#include "HuggingFace.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char *>(data), size), config = text.substr(0, text.find('\0'));
  auto parsed = lpu::compiler::parseHfConfig(config, "config.json");
  lpu::compiler::HfConfig small;
  small.shape.vocabulary = 300;
  if (config.size() == text.size())
    return 0;
  const std::string_view rest = text.substr(config.size() + 1);
  auto tokenizer = lpu::compiler::parseHfTokenizer(rest, "tokenizer.json",
                                                   parsed && parsed->shape.vocabulary < 4096 ? *parsed : small);
  lpu::isa::Tokenizer tables = tokenizer ? *tokenizer : lpu::isa::Tokenizer();
  (void)lpu::compiler::parseGenerationConfig(rest, "generation_config.json", 300, tables);
  (void)lpu::compiler::parseTokenizerConfig(rest, "tokenizer_config.json", tables);
  return 0;
}
