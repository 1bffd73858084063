// One user: the steps that the planner chose for its lengths. Several: a frame a step, each at its own position; rows
// of caches that the last user of a slot left behind are overwritten before they are attended to.
#include "lpu/serve/Worker.h"

#include "Logprobs.h"
#include "lpu/rt/Encode.h"
#include "lpu/rt/StepPlan.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <span>
#include <utility>

namespace lpu::serve {

struct Worker::Slot {
  Slot(std::shared_ptr<Assignment> assignment, const text::Tokenizer *tokenizer)
      : assignment(std::move(assignment)), sequence(this->assignment->request, tokenizer) {}

  std::shared_ptr<Assignment> assignment;
  rt::Sequence sequence;
  std::vector<rt::PlannedStep> plan; ///< of one user
};

Worker::Worker(const isa::Program &program, const text::Tokenizer *tokenizer, const WorkerOptions &options,
               std::unique_ptr<sim::Simulator> made, std::function<Status()> ready, Events events)
    : program(program), tokenizer(tokenizer), options(options), simulator(std::move(made)), ready(std::move(ready)),
      events(std::move(events)), session(program, *simulator, sim::Mode::Functional), slots(rt::usersOf(program)),
      thread([this] { work(); }) {}

Worker::~Worker() {
  {
    std::lock_guard lock(mutex);
    ending = true;
  }
  arrived.notify_one();
  thread.join();
}

void Worker::add(std::shared_ptr<Assignment> assignment) {
  {
    std::lock_guard lock(mutex);
    waiting.push_back(std::move(assignment));
  }
  arrived.notify_one();
}

void Worker::wake() {
  { std::lock_guard lock(mutex); } // not between the worker's look and its sleep
  arrived.notify_one();
}

void Worker::work() {
  Status status = ready();
  auto warm = status ? warmUp() : Result<WarmUp>(status.error());
  const bool good = static_cast<bool>(warm);
  events.loaded(std::move(warm));
  begun = std::chrono::steady_clock::now();
  while (good && takeNew())
    if (mayStep() && (rt::isEncoder(program) ? !encode() : !step()))
      return;
}

/// Two decode steps of nobody's; the second one costs what steps cost from then on.
Result<WarmUp> Worker::warmUp() {
  WarmUp warm;
  if (rt::isEncoder(program))
    return warm;
  auto plan = rt::planSteps(program, 1, 1);
  if (!plan)
    return plan.error();
  warm.program = slots.size() > 1 ? options.frameProgram : plan->steps.front().program;
  for (int i = 0; i < 2; ++i) {
    rt::Sequence sequence({.prompt = {0}, .count = 1, .sampling = {}, .endTokens = {}, .stops = {}}, nullptr);
    rt::Sequence *const user = &sequence;
    const auto begin = std::chrono::steady_clock::now();
    auto result = rt::runStep(session, warm.program, std::span(&user, 1));
    if (!result)
      return result.error();
    warm.wallSeconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }
  session.forgetRecords();
  return warm;
}

/// Somebody is there whose next step may be run.
bool Worker::mayStep() {
  bool any = false;
  for (auto &slot : slots) {
    if (slot && slot->assignment->dropped)
      slot.reset();
    any = any || (slot && (!options.ahead || slot->assignment->unseen < *options.ahead));
  }
  return any;
}

/// Waits until there is something to do; false: the worker ends.
bool Worker::takeNew() {
  std::unique_lock lock(mutex);
  const auto isReady = [&] { return ending || !waiting.empty() || mayStep(); };
  if (!isReady()) {
    arrived.wait(lock, isReady);
    begun = std::chrono::steady_clock::now();
  }
  if (ending)
    return false;
  for (std::shared_ptr<Assignment> &assignment : waiting) {
    auto slot = std::make_unique<Slot>(assignment, tokenizer);
    if (slots.size() == 1 && !rt::isEncoder(program)) {
      session.reset();
      if (auto plan = rt::planSteps(program, assignment->request.prompt.size(), assignment->request.count))
        slot->plan = std::move(plan->steps);
    }
    slots[assignment->slot] = std::move(slot);
  }
  waiting.clear();
  return true;
}

std::size_t Worker::nextProgram() const {
  return slots.size() > 1 ? options.frameProgram : slots.front()->plan[slots.front()->sequence.steps()].program;
}

/// What a step takes here: with what is done between two of them, since a client waits for that, too.
double Worker::sinceLastStep() {
  const auto now = std::chrono::steady_clock::now();
  return std::chrono::duration<double>(now - std::exchange(begun, now)).count();
}

bool Worker::step() {
  const std::size_t number = nextProgram();
  std::vector<rt::Sequence *> users;
  for (const auto &slot : slots)
    users.push_back(slot ? &slot->sequence : nullptr);
  auto result = rt::runStep(session, number, users);
  const double wall = sinceLastStep();
  if (!result) {
    events.failed(result.error().str());
    return false;
  }
  const rt::StepRecord record = session.records().back();
  session.forgetRecords();
  std::vector<Update> updates;
  for (std::size_t user = 0; user < slots.size(); ++user) {
    if (!slots[user])
      continue;
    Update &update = updates.emplace_back();
    update.program = number;
    update.predictedCycles = record.predictedCycles;
    update.simulatedCycles = record.simulatedCycles;
    update.wallSeconds = wall;
    note(*slots[user], result->users[user], update);
    if (update.finished)
      slots[user].reset();
  }
  return report(program.steps[number].name, std::move(updates));
}

/// Whoever took part hears of it, unless the step took another time than was promised.
bool Worker::report(const std::string &name, std::vector<Update> updates) {
  const Update first = updates.front();
  if (first.predictedCycles == first.simulatedCycles) {
    events.step(std::move(updates));
    return true;
  }
  events.failed(
      fmt::format("program '{}' took {} cycles, {} were predicted; the program and this simulator disagree on "
                  "the machine, compile the model again",
                  name, first.simulatedCycles, first.predictedCycles));
  return false;
}

const isa::Binding *embeddingOf(const isa::Program &program, std::size_t step) {
  for (const isa::Binding &output : program.classes[0].programs[step].outputs)
    if (output.items == 1 && output.elements > 2) // scores of two classes are no embedding
      return &output;
  return nullptr;
}

/// One sequence through the smallest program that holds it.
bool Worker::encode() {
  const std::vector<TokenId> &ids = slots.front()->assignment->request.prompt;
  std::size_t number = program.steps.size();
  for (std::size_t i = 0; i < program.steps.size(); ++i)
    if (program.steps[i].tokens >= ids.size() &&
        (number == program.steps.size() || program.steps[i].tokens < program.steps[number].tokens))
      number = i;
  auto write = [&](const char *name, std::vector<std::int32_t> values, std::size_t count) {
    values.resize(count);
    const auto bytes = std::as_bytes(std::span(values));
    simulator->writeInput(number, name, {reinterpret_cast<const std::uint8_t *>(bytes.data()), bytes.size()});
  };
  write("token", ids, program.steps[number].tokens);
  write("type", {}, program.steps[number].tokens);
  write("length", {static_cast<std::int32_t>(ids.size())}, 1);
  const sim::StepResult result = simulator->run(number);
  if (result.violation) {
    events.failed(result.violation->str());
    return false;
  }
  Update update;
  update.of = slots.front()->assignment;
  ++update.of->unseen;
  update.steps = 1;
  update.program = number;
  update.predictedCycles = program.steps[number].predictedCycles;
  update.simulatedCycles = result.cycles;
  update.wallSeconds = sinceLastStep();
  update.finished = rt::FinishReason::Length;
  if (const isa::Binding *output = embeddingOf(program, number)) {
    const std::vector<std::uint8_t> raw = simulator->readOutput(number, output->name);
    update.vector.resize(output->elements);
    std::memcpy(update.vector.data(), raw.data(), std::min(raw.size(), output->elements * sizeof(float)));
  }
  slots.front().reset();
  std::vector<Update> updates;
  updates.push_back(std::move(update));
  return report(program.steps[number].name, std::move(updates));
}

void Worker::note(Slot &slot, const rt::SequenceOutput &output, Update &update) const {
  if (slot.assignment->cancelled)
    slot.sequence.cancel();
  update.of = slot.assignment;
  update.steps = slot.sequence.steps();
  update.positions = slot.sequence.position();
  update.token = output.token;
  update.text = output.text;
  update.stop = slot.sequence.stopText();
  update.finished = slot.sequence.finished();
  if (update.finished || options.ahead)
    update.digest = slot.sequence.digest().value_or("");
  ++slot.assignment->unseen;
  if (output.token && slot.assignment->logprobs)
    update.logprob =
        logprobOf(output.rows.last(program.model.vocabulary), *output.token, slot.assignment->topLogprobs, tokenizer);
}

} // namespace lpu::serve
