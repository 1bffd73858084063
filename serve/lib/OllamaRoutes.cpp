#include "DialectRoutes.h"
#include "JsonBody.h"
#include "lpu/serve/Ollama.h"

#include <fmt/format.h>

namespace lpu::serve::ollama {
namespace {

using Shared = std::shared_ptr<Answer>;

/// The version whose API this is: clients compare it with what they need.
constexpr const char *kVersion = "0.12.0";

Service::Handler answering(Form form) {
  return [form](Service &service, const HttpRequest &request, const std::string &, const Shared &answer) {
    service.generate(request,
                     {[form, body = request.body, limits = service.limits()] { return parse(form, body, limits); },
                      [form](const Request &asked, const Identity &identity) {
                        return std::make_unique<Writer>(form, asked, identity);
                      }},
                     answer);
  };
}

void show(Service &service, const HttpRequest &request, const std::string &, const Shared &answer) {
  auto body = parseObject(request.body, service.limits().depth);
  if (!body)
    return service.refuse(*answer, body.refusal());
  FieldReader fields(*body);
  const auto old = fields.text("name"), given = fields.text("model");
  const std::string name = modelName(given ? *given : old.value_or(""));
  if (fields.refusal())
    return service.refuse(*answer, *fields.refusal());
  const auto card = service.card(name);
  if (!card)
    return service.refuse(*answer, {404, fmt::format("model '{}' not found", name), "model", "model_not_found"});
  answerJson(*answer, showBody(*card));
}

} // namespace

std::vector<Service::Route> routes() {
  return {
      {"POST", "/api/chat", false, true, answering(Form::Chat)},
      {"POST", "/api/generate", false, true, answering(Form::Generate)},
      {"POST", "/api/embed", false, true, answering(Form::Embed)},
      {"POST", "/api/embeddings", false, true, answering(Form::Embeddings)},
      {"POST", "/api/show", false, true, show},
      {"GET", "/api/tags", false, true,
       [](Service &service, const HttpRequest &, const std::string &, const Shared &answer) {
         answerJson(*answer, tagsBody(service.cards()));
       }},
      {"GET", "/api/ps", false, true,
       [](Service &service, const HttpRequest &, const std::string &, const Shared &answer) {
         answerJson(*answer, runningBody(service.cards()));
       }},
      {"GET", "/api/version", false, true,
       [](Service &, const HttpRequest &, const std::string &, const Shared &answer) {
         answerJson(*answer, dump({{"version", kVersion}}));
       }},
  };
}

} // namespace lpu::serve::ollama
