// Fuzzes the readers of Gemini's bodies and paths; the first byte chooses which, and the framing of the stream.
#include "lpu/serve/Gemini.h"
#include "Dialect.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  using namespace lpu::serve;
  if (size == 0)
    return 0;
  const std::string_view body(reinterpret_cast<const char *>(data + 1), size - 1);
  gemini::targetOf(body);
  const auto framing = data[0] & 2 ? gemini::Framing::List : gemini::Framing::Events;
  fuzzAnswer(data[0] & 1 ? gemini::parseCount(body, "m") : gemini::parse(body, "m", true), gemini::refusal,
             [framing](const Request &request, const Identity &identity) {
               return std::make_unique<gemini::Writer>(framing, request, identity);
             });
  return 0;
}
