// Fuzzes the reader of Anthropic's bodies; the first byte chooses whether tokens are only counted.
#include "lpu/serve/Anthropic.h"
#include "Dialect.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  using namespace lpu::serve;
  if (size == 0)
    return 0;
  const std::string_view body(reinterpret_cast<const char *>(data + 1), size - 1);
  fuzzAnswer(data[0] % 2 ? anthropic::parseCount(body) : anthropic::parse(body), anthropic::refusal,
             [](const Request &request, const Identity &identity) {
               return std::make_unique<anthropic::Writer>(request, identity);
             });
  return 0;
}
