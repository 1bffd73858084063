// The script is part of the executable (serve/lib/render-template.py). Pipes are plain: a request is a line, and so is
// its answer.
#include "TemplateRenderer.h"

#include "Embedded.h"
#include "JsonBody.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lpu::serve {
namespace {

constexpr int kPatienceMs = 5000; ///< longer than what the child may compute, for hosts that are busy
constexpr std::size_t kLongestLine = 8 << 20;
constexpr const char *kPython = "/usr/bin/python3";

} // namespace

Result<std::unique_ptr<TemplateRenderer>> TemplateRenderer::start() {
  std::unique_ptr<TemplateRenderer> made(new TemplateRenderer);
  if (Status status = made->spawn(); !status)
    return status.error();
  return made;
}

TemplateRenderer::~TemplateRenderer() { end(); }

Status TemplateRenderer::spawn() {
  int in[2], out[2];
  if (pipe2(in, O_CLOEXEC) != 0)
    return Error{kPython, std::string("cannot make a pipe: ") + std::strerror(errno)};
  if (pipe2(out, O_CLOEXEC) != 0) {
    close(in[0]), close(in[1]);
    return Error{kPython, std::string("cannot make a pipe: ") + std::strerror(errno)};
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  const char *arguments[] = {"python3", "-I", "-c", kRenderTemplate, nullptr};
  const char *environment[] = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", nullptr};
  const int why = posix_spawn(&child, kPython, &actions, nullptr, const_cast<char *const *>(arguments),
                              const_cast<char *const *>(environment));
  posix_spawn_file_actions_destroy(&actions);
  close(in[0]), close(out[1]);
  toChild = in[1], fromChild = out[0];
  if (why) {
    child = -1;
    end();
    return Error{kPython, std::string("cannot be started: ") + std::strerror(why)};
  }
  auto ready = readLine();
  const Json answer = ready ? Json::parse(*ready, nullptr, false) : Json();
  if (answer.is_object() && answer.contains("ready"))
    return Ok{};
  end();
  return Error{kPython, answer.is_object() ? answer.value("error", "did not start") : "did not start"};
}

void TemplateRenderer::end() {
  for (int *descriptor : {&toChild, &fromChild})
    if (*descriptor >= 0)
      close(std::exchange(*descriptor, -1));
  if (child > 0) {
    kill(child, SIGKILL);
    while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  child = -1;
  rest.clear();
}

std::optional<std::string> TemplateRenderer::readLine() {
  while (true) {
    if (const std::size_t end = rest.find('\n'); end != std::string::npos) {
      std::string line = rest.substr(0, end);
      rest.erase(0, end + 1);
      return line;
    }
    pollfd waiting{fromChild, POLLIN, 0};
    if (rest.size() > kLongestLine || poll(&waiting, 1, kPatienceMs) <= 0)
      return std::nullopt;
    char block[65536];
    const ssize_t got = read(fromChild, block, sizeof block);
    if (got <= 0)
      return std::nullopt;
    rest.append(block, static_cast<std::size_t>(got));
  }
}

Result<std::string> TemplateRenderer::ask(const std::string &line) {
  for (std::size_t at = 0; at < line.size();) {
    const ssize_t sent = write(toChild, line.data() + at, line.size() - at);
    if (sent < 0)
      return Error{"chat template", "its process has ended"};
    at += static_cast<std::size_t>(sent);
  }
  auto answer = readLine();
  if (!answer)
    return Error{"chat template", "takes more time or memory than it may"};
  const Json json = Json::parse(*answer, nullptr, false);
  if (json.is_object() && json.contains("text"))
    return json["text"].get<std::string>();
  return Error{"chat template", json.is_object() ? json.value("error", "failed") : "failed"};
}

Status TemplateRenderer::check(const std::string &source) {
  auto answer = ask(dump({{"check", source}}) + "\n");
  return answer ? Status(Ok{}) : Status(answer.error());
}

Result<std::string> TemplateRenderer::render(const TemplateInput &input) {
  if (child < 0)
    if (Status status = spawn(); !status)
      return status.error();
  Json messages = Json::array();
  for (const Message &message : input.messages)
    messages.push_back({{"role", message.role}, {"content", message.content}});
  // A conversation that ends with the assistant is to be continued, not answered.
  const bool answers = input.messages.empty() || input.messages.back().role != "assistant";
  auto text = ask(dump({{"template", input.source},
                        {"messages", messages},
                        {"add_generation_prompt", answers},
                        {"bos_token", input.bos},
                        {"eos_token", input.eos}}) +
                  "\n");
  int status = 0;
  if (waitpid(child, &status, WNOHANG) == child) { // it has gone beyond its limits
    child = -1;
    end();
  } else if (!text && text.error().message.starts_with("takes more")) {
    end();
  }
  return text;
}

} // namespace lpu::serve
