// Models are named by paths, percent-encoded: /model/NAME/converse.
#include "DialectRoutes.h"
#include "lpu/serve/Bedrock.h"

#include <fmt/format.h>

namespace lpu::serve::bedrock {
namespace {

using Shared = std::shared_ptr<Answer>;

void converse(Service &service, const HttpRequest &request, const Target &target, const Shared &answer) {
  service.generate(
      request,
      {[body = request.body, target, limits = service.limits()] { return parseConverse(body, target, limits); },
       [](const Request &asked, const Identity &identity) {
         return std::make_unique<ConverseWriter>(asked, identity);
       }},
      answer);
}

void invoke(Service &service, const HttpRequest &request, const Target &target, const Shared &answer) {
  service.generate(
      request,
      {[body = request.body, target, limits = service.limits()] { return parseInvoke(body, target, limits); },
       [](const Request &asked, const Identity &identity) { return std::make_unique<InvokeWriter>(asked, identity); },
       true},
      answer);
}

void act(Service &service, const HttpRequest &request, const std::string &rest, const Shared &answer) {
  const Target target = targetOf(rest);
  if (target.action == "converse" || target.action == "converse-stream")
    return converse(service, request, target, answer);
  if (target.action == "invoke" || target.action == "invoke-with-response-stream")
    return invoke(service, request, target, answer);
  if (target.action == "count-tokens")
    return service.count(
        request, [body = request.body, target, limits = service.limits()] { return parseCount(body, target, limits); },
        countBody, answer);
  service.refuse(*answer, {404,
                           "models have converse, converse-stream, invoke, invoke-with-response-stream and "
                           "count-tokens",
                           "", "not_found"});
}

void show(Service &service, const HttpRequest &, const std::string &rest, const Shared &answer) {
  const std::string name = targetOf(rest + "/").model;
  const auto card = service.card(name);
  if (!card)
    return service.refuse(*answer, {404, fmt::format("there is no model '{}'", name), "model", "model_not_found"});
  answerJson(*answer, modelBody(*card));
}

} // namespace

std::vector<Service::Route> routes() {
  return {
      {"POST", "/model/", true, true, act},
      {"GET", "/foundation-models", false, true,
       [](Service &service, const HttpRequest &, const std::string &, const Shared &answer) {
         answerJson(*answer, modelsBody(service.cards()));
       }},
      {"GET", "/foundation-models/", true, true, show},
  };
}

} // namespace lpu::serve::bedrock
