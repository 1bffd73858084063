// Fuzzes the readers of Bedrock's bodies and paths; the first byte chooses which.
#include "lpu/serve/Bedrock.h"
#include "Dialect.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  using namespace lpu::serve;
  if (size == 0)
    return 0;
  const std::string_view body(reinterpret_cast<const char *>(data + 1), size - 1);
  bedrock::targetOf(body);
  const bedrock::Target target{"m", "invoke-with-response-stream"};
  const unsigned which = data[0] % 3;
  const auto request = which == 0   ? bedrock::parseConverse(body, target)
                       : which == 1 ? bedrock::parseInvoke(body, target)
                                    : bedrock::parseCount(body, target);
  fuzzAnswer(request, bedrock::refusal,
             [which](const Request &asked, const Identity &identity) -> std::unique_ptr<AnswerWriter> {
               if (which == 0)
                 return std::make_unique<bedrock::ConverseWriter>(asked, identity);
               return std::make_unique<bedrock::InvokeWriter>(asked, identity);
             });
  return 0;
}
