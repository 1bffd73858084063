// Models are named by paths: Gemini's /v1beta/models/NAME:ACTION, and Vertex AI's, where project, place and publisher
// stand before the same and mean nothing here.
#include "DialectRoutes.h"
#include "lpu/serve/Gemini.h"

#include <fmt/format.h>

namespace lpu::serve::gemini {
namespace {

using Shared = std::shared_ptr<Answer>;

void generate(Service &service, const HttpRequest &request, const Target &target, const Shared &answer) {
  const bool stream = target.action == "streamGenerateContent";
  const Framing framing = request.query("alt") == "sse" ? Framing::Events : Framing::List;
  service.generate(request,
                   {[body = request.body, model = target.model, stream, limits = service.limits()] {
                      return parse(body, model, stream, limits);
                    },
                    [framing](const Request &asked, const Identity &identity) {
                      return std::make_unique<Writer>(framing, asked, identity);
                    }},
                   answer);
}

void act(Service &service, const HttpRequest &request, const std::string &rest, const Shared &answer) {
  const Target target = targetOf(rest);
  if (target.action == "generateContent" || target.action == "streamGenerateContent")
    return generate(service, request, target, answer);
  if (target.action == "countTokens")
    return service.count(
        request,
        [body = request.body, model = target.model, limits = service.limits()] {
          return parseCount(body, model, limits);
        },
        countBody, answer);
  service.refuse(
      *answer,
      {404, fmt::format("models have generateContent, streamGenerateContent and countTokens, not '{}'", target.action),
       "", "not_found"});
}

void show(Service &service, const HttpRequest &, const std::string &rest, const Shared &answer) {
  constexpr std::string_view kAllOfAPublisher = "/models";
  if (rest.ends_with(kAllOfAPublisher))
    return answerJson(*answer, publisherModelsBody(service.cards()));
  const std::string name = targetOf(rest).model;
  const auto card = service.card(name);
  if (!card)
    return service.refuse(*answer, {404, fmt::format("there is no model '{}'", name), "model", "model_not_found"});
  answerJson(*answer, modelBody(*card));
}

} // namespace

std::vector<Service::Route> routes() {
  std::vector<Service::Route> all;
  for (const char *path : {"/v1beta/models/", "/v1/models/", "/v1/projects/", "/v1beta1/projects/", "/v1/publishers/",
                           "/v1beta1/publishers/"})
    all.push_back({"POST", path, true, true, act});
  for (const char *path :
       {"/v1beta/models/", "/v1/projects/", "/v1beta1/projects/", "/v1/publishers/", "/v1beta1/publishers/"})
    all.push_back({"GET", path, true, true, show});
  all.push_back({"GET", "/v1beta/models", false, true,
                 [](Service &service, const HttpRequest &, const std::string &, const Shared &answer) {
                   answerJson(*answer, modelsBody(service.cards()));
                 }});
  return all;
}

} // namespace lpu::serve::gemini
