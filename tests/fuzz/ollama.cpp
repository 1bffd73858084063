// Fuzzes the reader of Ollama's bodies; the first byte chooses which.
#include "lpu/serve/Ollama.h"
#include "Dialect.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  using namespace lpu::serve;
  if (size == 0)
    return 0;
  const std::string_view body(reinterpret_cast<const char *>(data + 1), size - 1);
  const auto form = static_cast<ollama::Form>(data[0] % 4);
  fuzzAnswer(ollama::parse(form, body), ollama::refusal, [form](const Request &request, const Identity &identity) {
    return std::make_unique<ollama::Writer>(form, request, identity);
  });
  return 0;
}
