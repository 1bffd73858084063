// lpu-serve: compiled models behind the OpenAI API. Compiles what is not compiled, loads, forks a process for every
// system, and then serves until it is told to end.
#include "Compile.h"
#include "RequestLog.h"
#include "ServeOptions.h"
#include "Systemd.h"
#include "TemplateLanes.h"
#include "lpu/isa/TemporaryFolder.h"
#include "lpu/isa/Version.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <iostream>
#include <sys/prctl.h>

namespace lpu::serve {
namespace {

int fail(const Error &error, int code = 1) {
  std::cerr << error.str() << std::endl;
  return code;
}

/// Compiles or opens every model, and starts its simulators.
Status hostModels(const ServeOptions &options, const TemporaryFolder &folder, Engine &engine) {
  for (const ModelSource &source : options.models) {
    std::string program = source.path;
    if (!isProgram(source.path)) {
      program = folder / (std::to_string(engine.models().size()) + ".lpx");
      std::cerr << "compiling " << source.path << std::endl;
      if (Status status = compileModel(source.path, options.compilerFlags, program); !status)
        return status;
    }
    auto model = Model::load(source, program, options.compilerFlags);
    if (!model)
      return model.error();
    if (Status status = engine.host(std::move(*model), sim::Simulator::create); !status)
      return status;
  }
  return Ok{};
}

/// Null: no model has a template, or templates cannot be rendered here, which is said.
std::unique_ptr<TemplateLanes> startTemplates(const Engine &engine) {
  const auto models = engine.models();
  if (std::ranges::all_of(models, [](const Model *model) { return model->chatTemplate().empty(); }))
    return nullptr;
  auto templates = TemplateLanes::start(models);
  if (templates)
    return std::move(*templates);
  std::cerr << "chat templates are not used, messages are joined by lines: " << templates.error().message << std::endl;
  return nullptr;
}

/// Error: a template that was given has a wrong syntax. One of a model's own is only told: it serves completions.
Status checkTemplates(const Engine &engine, TemplateLanes &templates) {
  for (const Model *model : engine.models()) {
    if (!templates.has(*model))
      continue;
    const Status status = templates.check(*model);
    if (status)
      continue;
    const Error error{"chat template of '" + model->name() + "'",
                      status.error().message + "; give another by :template=FILE"};
    if (model->templateOrigin() == std::string_view("file"))
      return error;
    std::cerr << error.str() << std::endl;
  }
  return Ok{};
}

/// A command to try it with.
std::string exampleOf(const Engine &engine, const ServiceOptions &rules, const std::string &url) {
  const Model &model = *engine.models().front();
  const bool encodes = model.timing().isEncoder();
  return fmt::format("try: curl {}/v1/{} -H 'Content-Type: application/json' {}-d '{{\"model\":\"{}\",{}}}'", url,
                     encodes ? "embeddings" : "chat/completions",
                     rules.keys.empty() ? "" : "-H 'Authorization: Bearer KEY' ", model.name(),
                     encodes ? "\"input\":[1,2,3]"
                             : "\"messages\":[{\"role\":\"user\",\"content\":\"Once upon a time\"}],\"max_tokens\":32");
}

int serve(const ServeOptions &options) {
  auto folder = TemporaryFolder::create("lpu-serve");
  if (!folder)
    return fail(folder.error());
  Server server(options.server);
  Engine engine(
      options.engine, [&](std::function<void()> task) { server.post(std::move(task)); },
      [&](Engine::Clock::time_point when, std::function<void()> task) { server.postAt(when, std::move(task)); });
  if (Status status = server.listen(); !status)
    return fail(status.error());
  ServiceOptions rules = options.service;
  rules.checkHost = server.onLoopback();
  if (!server.onLoopback() && rules.keys.empty() && !options.insecure)
    return fail({options.server.host, "can be reached by others, who would need no key; give --api-key-file, or "
                                      "--insecure if that is meant"});
  if (Status status = hostModels(options, *folder, engine); !status)
    return fail(status.error());
  std::unique_ptr<RequestLog> log;
  if (!options.requestLog.empty()) {
    auto opened = RequestLog::open(options.requestLog);
    if (!opened)
      return fail(opened.error());
    log = std::move(*opened);
  }
  rules.log = log.get();
  const std::unique_ptr<TemplateLanes> templates = startTemplates(engine);
  if (templates)
    if (Status status = checkTemplates(engine, *templates); !status)
      return fail(status.error());
  rules.templates = templates.get();
  server.startThreads();
  Service service(
      engine, rules, [&](std::function<void()> task) { server.background(std::move(task)); },
      [&](std::function<void()> task) { server.post(std::move(task)); });
  bool told = false;
  engine.start([&] {
    if (const std::string wrong = engine.health(); !wrong.empty()) {
      std::cerr << Error{"lpu-serve", wrong}.str() << std::endl;
    } else if (!engine.loading() && !std::exchange(told, true)) {
      std::cout << "serving at " << server.url() << '\n' << exampleOf(engine, rules, server.url()) << std::endl;
      notifyManager("READY=1");
    }
  });
  const bool drained = server.run(service);
  if (templates)
    templates->end(); // what they run uses the service
  return drained ? 0 : fail({"lpu-serve", "ended before all requests were answered"});
}

} // namespace
} // namespace lpu::serve

int main(int argc, char **argv) {
  std::signal(SIGPIPE, SIG_IGN); // a client that has left is noticed where it is written to
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  const auto parsed = lpu::serve::parseServeOptions(argc, argv, lpu::isa::versionLine("lpu-serve"));
  std::cout << parsed.output << std::flush;
  if (!parsed.error.empty())
    std::cerr << parsed.error << std::endl;
  return parsed.options ? lpu::serve::serve(*parsed.options) : parsed.exitCode;
}
