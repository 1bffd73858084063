// Fuzzes the reader of the OpenAI dialect's bodies; the first byte chooses which. What it accepts keeps to its limits.
#include "lpu/serve/OpenAi.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  using namespace lpu::serve;
  if (size == 0)
    return 0;
  const std::string_view body(reinterpret_cast<const char *>(data + 1), size - 1);
  const auto task = static_cast<Task>(data[0] % 3);
  const RequestLimits limits;
  const auto request = data[0] & 128 ? openai::parseAny(body, limits) : openai::parse(task, body, limits);
  if (!request) {
    if (request.refusal().message.find('\n') != std::string::npos)
      std::abort();
    openai::errorBody(request.refusal());
    return 0;
  }
  if (request->choices > limits.choices || request->stop.size() > limits.stops || request->sampling.temperature < 0 ||
      request->sampling.temperature > 2 || request->maxTokens == 0)
    std::abort();
  openai::Writer writer(*request, {"req_1", 0, "m", "f", 1});
  writer.begin();
  return 0;
}
