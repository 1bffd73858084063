// Fuzzes the description of a tokenizer that a program carries: the input is a description, a zero byte, and a text,
// which is cut by a small vocabulary and put together again.

#include "lpu/text/Tokenizer.h"

namespace {

lpu::isa::Tokenizer vocabulary(std::string_view description) {
  lpu::isa::Tokenizer out;
  out.model = "pipeline";
  out.pipeline = description;
  out.unknown = 0;
  out.tokens = {"<unk>",        "<s>",    "a",        "b",       "ab", "##b",
                "\xE2\x96\x81", "<0x41>", "\xC4\xA0", "<think>", "1",  "\xC3\xA9"};
  out.types.assign(out.tokens.size(), 1);
  out.types[0] = 2, out.types[1] = 3, out.types[7] = 6, out.types[9] = 4;
  out.scores.assign(out.tokens.size(), -1.0f);
  out.mergePairs = {2, 3};
  return out;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char *>(data), size), description = input.substr(0, input.find('\0'));
  const lpu::isa::Tokenizer tables = vocabulary(description);
  auto tokenizer = lpu::text::Tokenizer::create(tables);
  if (!tokenizer)
    return 0;
  std::string_view text = description.size() < input.size() ? input.substr(description.size() + 1) : "ab<think> 1";
  if (auto ids = (*tokenizer)->encodePrompt(text.substr(0, 64), {.special = true}))
    (void)(*tokenizer)->decode(*ids);
  return 0;
}
