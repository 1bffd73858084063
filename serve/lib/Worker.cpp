// One user: the steps that the planner chose for its lengths. Several: a frame a step, each at its own position; rows
// of caches that the last user of a slot left behind are overwritten before they are attended to.
#include "lpu/serve/Worker.h"

#include "Logprobs.h"
#include "lpu/rt/StepPlan.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace lpu::serve {

struct Worker::Slot {
  Slot(std::shared_ptr<Assignment> assignment, const text::Tokenizer *tokenizer)
      : assignment(std::move(assignment)), sequence(this->assignment->request, tokenizer) {}

  std::shared_ptr<Assignment> assignment;
  rt::Sequence sequence;
  std::vector<rt::PlannedStep> plan; ///< of one user
};

Worker::Worker(const isa::Program &program, const text::Tokenizer *tokenizer, std::size_t frameProgram,
               std::unique_ptr<sim::Simulator> made, std::function<Status()> ready, Events events)
    : program(program), tokenizer(tokenizer), frameProgram(frameProgram), simulator(std::move(made)),
      ready(std::move(ready)), events(std::move(events)), session(program, *simulator, sim::Mode::Functional),
      slots(rt::usersOf(program)), thread([this] { work(); }) {}

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

void Worker::work() {
  Status status = ready();
  events.loaded(status);
  if (!status)
    return;
  while (takeNew())
    if (!step())
      return;
}

/// Waits until there is something to do; false: the worker ends.
bool Worker::takeNew() {
  const bool busy = std::ranges::any_of(slots, [](const auto &slot) { return slot != nullptr; });
  std::unique_lock lock(mutex);
  arrived.wait(lock, [&] { return busy || ending || !waiting.empty(); });
  if (ending)
    return false;
  for (std::shared_ptr<Assignment> &assignment : waiting) {
    auto slot = std::make_unique<Slot>(assignment, tokenizer);
    if (slots.size() == 1) {
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
  return slots.size() > 1 ? frameProgram : slots.front()->plan[slots.front()->sequence.steps()].program;
}

bool Worker::step() {
  const std::size_t number = nextProgram();
  std::vector<rt::Sequence *> users;
  for (const auto &slot : slots)
    users.push_back(slot ? &slot->sequence : nullptr);
  const auto begin = std::chrono::steady_clock::now();
  auto result = rt::runStep(session, number, users);
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
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
    update.wallSeconds = wall.count();
    note(*slots[user], result->users[user], update);
    if (update.finished)
      slots[user].reset();
  }
  const bool asPredicted = record.predictedCycles == record.simulatedCycles;
  if (asPredicted)
    events.step(std::move(updates));
  else
    events.failed(fmt::format("program '{}' took {} cycles, {} were predicted; the program and this simulator disagree "
                              "on the machine, compile the model again",
                              program.steps[number].name, record.simulatedCycles, record.predictedCycles));
  return asPredicted;
}

void Worker::note(Slot &slot, const rt::SequenceOutput &output, Update &update) const {
  if (slot.assignment->cancelled)
    slot.sequence.cancel();
  update.of = slot.assignment;
  update.steps = slot.sequence.steps();
  update.token = output.token;
  update.text = output.text;
  update.finished = slot.sequence.finished();
  if (update.finished)
    update.digest = slot.sequence.digest().value_or("");
  if (output.token && slot.assignment->logprobs)
    update.logprob =
        logprobOf(output.rows.last(program.model.vocabulary), *output.token, slot.assignment->topLogprobs, tokenizer);
}

} // namespace lpu::serve
