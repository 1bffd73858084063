// Fuzzes the reader of tokenizer.model: the input is the text of a tokenizer_config.json, a zero byte, and the file's
// bytes. What can be read cuts a text.

#include "SentencePieceFile.h"

#include "lpu/text/Tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char *>(data), size),
      settings = input.substr(0, input.find('\0'));
  if (settings.size() == input.size())
    return 0;
  lpu::compiler::HfConfig config;
  config.shape.vocabulary = 16;
  auto tables =
      lpu::compiler::parseSentencePiece(input.substr(settings.size() + 1), "tokenizer.model", settings, config);
  if (!tables)
    return 0;
  auto tokenizer = lpu::text::Tokenizer::create(*tables);
  if (auto ids = (*tokenizer)->encodePrompt(" the  caf\xC3\xA9 <s>\n", {.special = true}))
    (void)(*tokenizer)->decode(*ids);
  return 0;
}
