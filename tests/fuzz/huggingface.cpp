// Fuzzes the readers of config.json and tokenizer.json: the input is a configuration, a zero byte, and a tokenizer.

#include "HuggingFace.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char *>(data), size), config = text.substr(0, text.find('\0'));
  auto parsed = lpu::compiler::parseHfConfig(config, "config.json");
  lpu::compiler::HfConfig small;
  small.shape.vocabulary = 300;
  if (config.size() < text.size())
    (void)lpu::compiler::parseHfTokenizer(text.substr(config.size() + 1), "tokenizer.json",
                                          parsed && parsed->shape.vocabulary < 4096 ? *parsed : small);
  return 0;
}
