// Messages are a length and bytes. The request of a step carries all inputs, its answer all outputs: a step is one
// round trip. The child leaves by _exit, since what the parent has open and buffered is not the child's to close.
#include "lpu/serve/SimulatorProcess.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lpu::serve {
namespace {

using Bytes = std::vector<std::uint8_t>;

enum class Kind : std::uint32_t { Run, Clear };

class Message {
public:
  Message() = default;
  explicit Message(Bytes bytes) : bytes(std::move(bytes)) {}

  template <typename T> Message &put(T value) {
    append(&value, sizeof value);
    return *this;
  }
  Message &put(const void *data, std::size_t size) {
    put(std::uint64_t{size});
    append(data, size);
    return *this;
  }
  Message &put(const std::string &text) { return put(text.data(), text.size()); }

  template <typename T> T get() {
    T value{};
    std::memcpy(&value, bytes.data() + at, sizeof value);
    at += sizeof value;
    return value;
  }
  Bytes getBytes() {
    const auto size = get<std::uint64_t>();
    at += size;
    return Bytes(bytes.begin() + static_cast<std::ptrdiff_t>(at - size),
                 bytes.begin() + static_cast<std::ptrdiff_t>(at));
  }
  std::string getText() {
    const Bytes text = getBytes();
    return {text.begin(), text.end()};
  }
  bool atEnd() const { return at >= bytes.size(); }
  const Bytes &all() const { return bytes; }

private:
  void append(const void *data, std::size_t size) {
    bytes.resize(bytes.size() + size);
    if (size > 0)
      std::memcpy(bytes.data() + (bytes.size() - size), data, size);
  }

  Bytes bytes;
  std::size_t at = 0;
};

bool sendAll(int socket, const void *data, std::size_t size) {
  const char *from = static_cast<const char *>(data);
  while (size > 0) {
    const ssize_t sent = ::send(socket, from, size, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR)
      continue;
    if (sent <= 0)
      return false;
    from += sent, size -= static_cast<std::size_t>(sent);
  }
  return true;
}

bool receiveAll(int socket, void *data, std::size_t size) {
  char *to = static_cast<char *>(data);
  while (size > 0) {
    const ssize_t got = ::recv(socket, to, size, 0);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return false;
    to += got, size -= static_cast<std::size_t>(got);
  }
  return true;
}

bool send(int socket, const Message &message) {
  const std::uint64_t size = message.all().size();
  return sendAll(socket, &size, sizeof size) && sendAll(socket, message.all().data(), size);
}

/// None: the other process has ended.
std::optional<Message> receive(int socket) {
  std::uint64_t size = 0;
  if (!receiveAll(socket, &size, sizeof size))
    return std::nullopt;
  Bytes bytes(size);
  if (!receiveAll(socket, bytes.data(), size))
    return std::nullopt;
  return Message(std::move(bytes));
}

/// Outputs of all chips, each name once.
std::vector<std::string> outputNames(const isa::Program &program, std::size_t step) {
  std::vector<std::string> names;
  for (const isa::ChipClass &chip : program.classes)
    for (const isa::Binding &output : chip.programs[step].outputs)
      if (std::find(names.begin(), names.end(), output.name) == names.end())
        names.push_back(output.name);
  return names;
}

Message runStep(sim::Simulator &simulator, const isa::Program &program, Message &request, bool functional) {
  const auto step = request.get<std::uint64_t>();
  while (!request.atEnd()) {
    const std::string name = request.getText();
    simulator.writeInput(step, name, request.getBytes());
  }
  const sim::StepResult result = simulator.run(step);
  Message answer;
  answer.put(result.cycles);
  const sim::Violation violation = result.violation.value_or(sim::Violation{});
  answer.put(violation.category).put(violation.queue).put(violation.instruction).put(violation.detail);
  answer.put(violation.cycle).put(violation.chip);
  if (functional && !result.violation)
    for (const std::string &name : outputNames(program, step)) {
      const Bytes output = simulator.readOutput(step, name);
      answer.put(name).put(output.data(), output.size());
    }
  return answer;
}

/// The child's life.
void serve(int socket, const isa::Program &program, const sim::Options &options, const rt::SimulatorFactory &create) {
  auto simulator = create(program, options);
  if (!send(socket, Message().put(simulator ? std::string() : simulator.error().message)) || !simulator)
    return;
  while (auto request = receive(socket)) {
    if (request->get<Kind>() == Kind::Clear)
      (*simulator)->clearState();
    else if (!send(socket, runStep(**simulator, program, *request, options.mode == sim::Mode::Functional)))
      return;
  }
}

} // namespace

Result<std::unique_ptr<SimulatorProcess>>
SimulatorProcess::start(const isa::Program &program, const sim::Options &options, const rt::SimulatorFactory &create) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return Error{"simulator", std::string("cannot make sockets: ") + std::strerror(errno)};
  const pid_t parent = getpid(), child = fork();
  if (child < 0) {
    close(ends[0]), close(ends[1]);
    return Error{"simulator", std::string("cannot start a process: ") + std::strerror(errno)};
  }
  if (child == 0) {
    // Nothing else of the parent stays open here: its other simulators' sockets, and the one it listens at.
    constexpr int kSocket = STDERR_FILENO + 1;
    dup2(ends[1], kSocket);
    close_range(kSocket + 1, ~0U, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent) {
      // Ctrl-C reaches the whole group; the parent drains first and then closes its end.
      for (const int signal : {SIGINT, SIGTERM, SIGHUP})
        std::signal(signal, SIG_IGN);
      serve(kSocket, program, options, create);
    }
    _exit(0);
  }
  close(ends[1]);
  return std::unique_ptr<SimulatorProcess>(new SimulatorProcess(ends[0], child));
}

SimulatorProcess::~SimulatorProcess() {
  close(socket);
  while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
}

Status SimulatorProcess::ready() {
  auto answer = receive(socket);
  const std::string wrong =
      answer ? answer->getText() : "its process ended while it was loaded; it may need more memory";
  return wrong.empty() ? Status(Ok{}) : Status(Error{"", wrong});
}

void SimulatorProcess::writeInput(std::size_t, std::string_view name, std::span<const std::uint8_t> data) {
  inputs[std::string(name)].assign(data.begin(), data.end());
}

sim::StepResult SimulatorProcess::run(std::size_t step) {
  Message request;
  request.put(Kind::Run).put(std::uint64_t{step});
  for (const auto &[name, data] : inputs)
    request.put(name).put(data.data(), data.size());
  inputs.clear();
  outputs.clear();
  auto answer = send(socket, request) ? receive(socket) : std::nullopt;
  sim::StepResult result;
  if (!answer) {
    result.violation = sim::Violation{"process-ended", 0, 0, "", "", "the simulator's process has ended"};
    return result;
  }
  result.cycles = answer->get<isa::Cycle>();
  sim::Violation violation;
  for (std::string *text : {&violation.category, &violation.queue, &violation.instruction, &violation.detail})
    *text = answer->getText();
  violation.cycle = answer->get<isa::Cycle>();
  violation.chip = answer->get<int>();
  if (!violation.category.empty())
    result.violation = violation;
  while (!answer->atEnd()) {
    const std::string name = answer->getText();
    outputs[name] = answer->getBytes();
  }
  return result;
}

std::vector<std::uint8_t> SimulatorProcess::readOutput(std::size_t, std::string_view name) const {
  return outputs.at(std::string(name));
}

void SimulatorProcess::clearState() { send(socket, Message().put(Kind::Clear)); }

} // namespace lpu::serve
