// Options on CLI11; values with units are read here, so that each mistake is one line that says what is expected.
#include "ServeOptions.h"

#include "Secrets.h"
#include "Units.h"
#include "lpu/isa/Files.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <sys/stat.h>

namespace lpu::serve {
namespace {

constexpr const char *kAbout =
    "Serves compiled models by the OpenAI API, with latency known before a request runs.\n\n"
    "  lpu-serve model.gguf                       compile it, serve it, print where\n"
    "  lpu-serve small=a.lpx:systems=2 large=b.lpx   two models, two systems of the first\n"
    "  lpu-serve model.lpx --pace=dilate:1000     see virtual time a thousand times slower\n\n"
    "Then: curl http://127.0.0.1:8080/v1/chat/completions -H 'Content-Type: application/json' \\\n"
    "  -d '{\"messages\":[{\"role\":\"user\",\"content\":\"Once\"}],\"max_tokens\":16}'\n"
    "Latencies it reports are virtual: those of the modelled machine, not of this computer.";

constexpr std::size_t kMostWaiting = 1000000, kMostConnections = 65535;

struct Texts {
  std::vector<std::string> models, compilerFlags, corsOrigins, hostNames;
  std::string pace = "host", maxWait, tiers, keyFile, maxBody = "4MiB", keepAlive = "15s";
  std::string headTimeout = "10s", bodyTimeout = "30s", idleTimeout = "60s", writeTimeout = "30s";
};

void declare(CLI::App &app, Texts &texts, ServeOptions &to) {
  app.add_option("models", texts.models,
                 "what to serve: a compiled program, or a GGUF file or folder that is compiled first; "
                 "[NAME=]MODEL[:systems=N][:template=FILE]")
      ->type_name("MODEL");
  app.add_option("--host", to.server.host, "address to listen at")->capture_default_str();
  app.add_option("--port", to.server.port, "its port; 0: any that is free")->capture_default_str();
  app.add_option("--tls-cert", to.server.certificates, "speak TLS, with the certificates of this PEM file")
      ->type_name("FILE");
  app.add_option("--tls-key", to.server.key, "the private key of --tls-cert")->type_name("FILE");
  app.add_option("--pace", texts.pace,
                 "when tokens leave. host: as they are computed; model: at their virtual time; dilate:K: at K times "
                 "their virtual time")
      ->type_name("host|model|dilate:K")
      ->capture_default_str();
  app.add_option("--queue", to.engine.queue, "sequences that may wait for a model; more are refused with 429")
      ->check(CLI::Range(std::size_t{0}, kMostWaiting))
      ->capture_default_str();
  app.add_option("--max-wait", texts.maxWait, "refuse requests that may have to wait longer, in virtual time")
      ->type_name("DURATION");
  app.add_option("--resident", to.engine.resident,
                 "chips that all models share, fewer than they have together: systems that have been idle longest are "
                 "replaced by those that are asked for, which takes the time to load them (default: each has its own)")
      ->type_name("CHIPS")
      ->check(CLI::Range(1u, 1000000u));
  app.add_option("--tiers", texts.tiers,
                 "systems of each model that only requests of service_tier priority may have (default: none)")
      ->type_name("priority:N");
  app.add_option("--api-key-file", texts.keyFile, "keys that are accepted, one a line (default: none is needed)")
      ->type_name("FILE");
  app.add_option("--request-log", to.requestLog, "append a line of JSON for every request; no prompts, no keys")
      ->type_name("FILE.jsonl");
  app.set_config("--config", "", "read options from a file, one a line: queue=64")->type_name("FILE");
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.add_flag("--insecure", to.insecure, "listen at other addresses than loopback without keys");
  app.add_option("--cors-origin", texts.corsOrigins, "an origin whose pages may call this server; may be repeated")
      ->type_name("ORIGIN")
      ->allow_extra_args(false);
  app.add_option("--host-name", texts.hostNames, "a further name this server is called by; may be repeated")
      ->type_name("NAME")
      ->allow_extra_args(false);
  app.add_option("--max-connections", to.server.maxConnections, "that may be open")
      ->check(CLI::Range(std::size_t{1}, kMostConnections))
      ->capture_default_str();
  app.add_option("--max-body", texts.maxBody, "largest request")->type_name("SIZE")->capture_default_str();
  app.add_option("--max-n", to.service.limits.choices, "largest n of a request")
      ->check(CLI::Range(1u, 64u))
      ->capture_default_str();
  app.add_option("--keep-alive-interval", texts.keepAlive, "silence in a stream until a comment is sent; 0: never")
      ->type_name("DURATION")
      ->capture_default_str();
  auto timeout = [&](const char *name, std::string &to, const char *help) {
    app.add_option(name, to, help)->type_name("DURATION")->capture_default_str();
  };
  timeout("--head-timeout", texts.headTimeout, "for the head of a request to come, from its first byte on");
  timeout("--body-timeout", texts.bodyTimeout, "for its body");
  timeout("--idle-timeout", texts.idleTimeout, "between two requests of a connection");
  timeout("--write-timeout", texts.writeTimeout, "for a client to take what is sent");
  app.add_flag("--virtual-arrivals", to.engine.virtualArrivals,
               "requests say by x-lpu-arrival-ns when they arrive, in order: runs can be repeated exactly");
  app.add_option("--lpucc", texts.compilerFlags,
                 "an option for lpucc, for models that are compiled first; may be repeated")
      ->type_name("FLAG")
      ->allow_extra_args(false);
}

Error bad(const char *option, const std::string &value, const std::string &wanted) {
  return {"lpu-serve", fmt::format("{} '{}': expected {}", option, value, wanted)};
}

Status readPace(const std::string &text, EngineOptions &to) {
  if (text == "host")
    return Ok{};
  constexpr std::string_view kDilate = "dilate:";
  double factor = text == "model" ? 1 : 0;
  if (text.starts_with(kDilate)) {
    const char *end = text.data() + text.size();
    auto [at, code] = std::from_chars(text.data() + kDilate.size(), end, factor);
    if (code != std::errc{} || at != end)
      factor = 0;
  }
  if (!(factor > 0) || !std::isfinite(factor) || factor > 1e12)
    return bad("--pace", text, "host, model or dilate:K with a K above 0");
  to.dilation = factor;
  return Ok{};
}

Status readTiers(const std::string &text, EngineOptions &to) {
  if (text.empty())
    return Ok{};
  constexpr std::string_view kPriority = "priority:";
  const char *end = text.data() + text.size();
  if (!text.starts_with(kPriority))
    return bad("--tiers", text, "priority:N with a number of systems");
  auto [at, code] = std::from_chars(text.data() + kPriority.size(), end, to.reserved);
  if (code != std::errc{} || at != end || to.reserved == 0)
    return bad("--tiers", text, "priority:N with a number of systems");
  if (to.resident)
    return Error{"lpu-serve", "--tiers reserves systems, which --resident may take from chips; leave one out"};
  return Ok{};
}

Result<std::vector<Digest>> readKeys(const std::string &path) {
  struct stat file {};
  if (::stat(path.c_str(), &file) == 0 && (file.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return Error{path, "can be read by others; chmod 600 it"};
  auto content = readFile(path);
  if (!content)
    return content.error();
  std::vector<Digest> keys;
  for (std::size_t at = 0; at < content->size();) {
    const std::size_t end = std::min(content->find('\n', at), content->size());
    if (end > at)
      keys.push_back(sha256(std::string_view(*content).substr(at, end - at)));
    at = end + 1;
  }
  if (keys.empty())
    return Error{path, "holds no keys; write one on each line"};
  return keys;
}

Status readTimeouts(const Texts &texts, ServerOptions &to) {
  struct Timeout {
    const char *option;
    const std::string &text;
    std::chrono::milliseconds &to;
    bool mayBeNever;
  };
  for (const Timeout &timeout : {Timeout{"--keep-alive-interval", texts.keepAlive, to.keepAlive, true},
                                 Timeout{"--head-timeout", texts.headTimeout, to.headTimeout, false},
                                 Timeout{"--body-timeout", texts.bodyTimeout, to.bodyTimeout, false},
                                 Timeout{"--idle-timeout", texts.idleTimeout, to.idleTimeout, false},
                                 Timeout{"--write-timeout", texts.writeTimeout, to.writeTimeout, false}}) {
    const auto read = parseDuration(timeout.text);
    constexpr std::int64_t kShortest = 1'000'000; // timers count milliseconds
    if (!read || (*read < kShortest && !(timeout.mayBeNever && *read == 0)))
      return bad(timeout.option, timeout.text,
                 timeout.mayBeNever ? "a duration such as 15s, or 0" : "a duration such as 10s");
    timeout.to = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::nanoseconds(*read));
  }
  return Ok{};
}

Status convert(const Texts &texts, ServeOptions &to) {
  if (texts.models.empty())
    return Error{"lpu-serve", "no model given; usage: lpu-serve MODEL.lpx (see --help)"};
  auto models = parseModelSources(texts.models);
  if (!models)
    return models.error();
  to.models = std::move(*models);
  to.compilerFlags = texts.compilerFlags;
  if (Status status = readPace(texts.pace, to.engine); !status)
    return status;
  if (to.engine.dilation && to.engine.virtualArrivals)
    return Error{"lpu-serve",
                 "--virtual-arrivals repeats runs exactly, which --pace=model and dilate:K cannot; leave one out"};
  if (!texts.maxWait.empty() && !(to.engine.maxWaitNs = parseDuration(texts.maxWait)))
    return bad("--max-wait", texts.maxWait, "a duration such as 30s, 200ms or 50us");
  if (Status status = readTiers(texts.tiers, to.engine); !status)
    return status;
  if (to.server.certificates.empty() != to.server.key.empty())
    return Error{"lpu-serve", "--tls-cert and --tls-key go together; give both or none"};
  const auto body = parseSize(texts.maxBody);
  if (!body || *body == 0)
    return bad("--max-body", texts.maxBody, "a size such as 4MiB");
  to.server.maxBody = *body;
  if (Status status = readTimeouts(texts, to.server); !status)
    return status;
  to.service.corsOrigins = texts.corsOrigins;
  to.service.hostNames = texts.hostNames;
  if (texts.keyFile.empty())
    return Ok{};
  auto keys = readKeys(texts.keyFile);
  if (!keys)
    return keys.error();
  to.service.keys = std::move(*keys);
  return Ok{};
}

} // namespace

ParsedServeOptions parseServeOptions(int argc, const char *const *argv, const std::string &version) {
  ServeOptions options;
  Texts texts;
  CLI::App app(kAbout, "lpu-serve");
  app.set_version_flag("--version", version);
  declare(app, texts, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp &) {
    return {std::nullopt, app.help(), "", 0};
  } catch (const CLI::CallForVersion &) {
    return {std::nullopt, version + "\n", "", 0};
  } catch (const CLI::ParseError &error) {
    return {std::nullopt, "", Error{"lpu-serve", error.what() + std::string("; see --help")}.str(), 2};
  }
  if (Status status = convert(texts, options); !status)
    return {std::nullopt, "", status.error().str(), 2};
  return {options, "", "", 0};
}

} // namespace lpu::serve
