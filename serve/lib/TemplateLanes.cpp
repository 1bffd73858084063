// A lane is a thread with a queue. Its renderer answers within seconds or is started again, so that what waits in a
// lane of limited length waits for a limited time.
#include "TemplateLanes.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace lpu::serve {
namespace {

constexpr std::size_t kMostWaiting = 8;

} // namespace

class TemplateLanes::Lane {
public:
  explicit Lane(std::unique_ptr<TemplateRenderer> renderer)
      : renderer(std::move(renderer)), thread([this] { work(); }) {}
  ~Lane() { end(); }

  TemplateRenderer &ownRenderer() { return *renderer; }

  bool add(Task task) {
    std::lock_guard lock(mutex);
    if (ending || waiting.size() >= kMostWaiting)
      return false;
    waiting.push_back(std::move(task));
    arrived.notify_one();
    return true;
  }

  void end() {
    {
      std::lock_guard lock(mutex);
      ending = true;
      waiting.clear();
    }
    arrived.notify_one();
    if (thread.joinable())
      thread.join();
  }

private:
  void work() {
    std::unique_lock lock(mutex);
    while (true) {
      arrived.wait(lock, [&] { return ending || !waiting.empty(); });
      if (ending)
        return;
      const Task task = std::move(waiting.front());
      waiting.pop_front();
      lock.unlock();
      task(*renderer);
      lock.lock();
    }
  }

  std::unique_ptr<TemplateRenderer> renderer;
  std::mutex mutex;
  std::condition_variable arrived;
  std::deque<Task> waiting;
  bool ending = false;
  std::thread thread; // the last member: it uses the others
};

Result<std::unique_ptr<TemplateLanes>> TemplateLanes::start(const std::vector<const Model *> &models) {
  std::unique_ptr<TemplateLanes> made(new TemplateLanes);
  for (const Model *model : models) {
    if (model->chatTemplate().empty())
      continue;
    auto renderer = TemplateRenderer::start();
    if (!renderer)
      return renderer.error();
    made->lanes.emplace(model, std::make_unique<Lane>(std::move(*renderer)));
  }
  return made;
}

TemplateLanes::~TemplateLanes() = default;

Status TemplateLanes::check(const Model &model) { return lanes.at(&model)->ownRenderer().check(model.chatTemplate()); }

bool TemplateLanes::add(const Model &model, Task task) { return lanes.at(&model)->add(std::move(task)); }

void TemplateLanes::end() {
  for (const auto &[model, lane] : lanes)
    lane->end();
}

} // namespace lpu::serve
