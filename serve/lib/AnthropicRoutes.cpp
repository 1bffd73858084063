// GET /v1/models is OpenAI's route; requests with anthropic-version are answered there in this dialect's shape.
#include "DialectRoutes.h"
#include "lpu/serve/Anthropic.h"

namespace lpu::serve::anthropic {

std::vector<Service::Route> routes() {
  using Shared = std::shared_ptr<Answer>;
  return {
      {"POST", "/v1/messages", false, true,
       [](Service &service, const HttpRequest &request, const std::string &, const Shared &answer) {
         service.generate(
             request,
             {[body = request.body, limits = service.limits()] { return parse(body, limits); },
              [](const Request &asked, const Identity &identity) { return std::make_unique<Writer>(asked, identity); }},
             answer);
       }},
      {"POST", "/v1/messages/count_tokens", false, true,
       [](Service &service, const HttpRequest &request, const std::string &, const Shared &answer) {
         service.count(
             request, [body = request.body, limits = service.limits()] { return parseCount(body, limits); }, countBody,
             answer);
       }},
  };
}

} // namespace lpu::serve::anthropic
