// A sequence is admitted with a ticket of the schedule, placed when the schedule is certain of its start, run by the
// worker of its system, and told about as its steps are done. Times come from the schedule alone; the workers' wall
// times only say how much slower the host is.
#include "lpu/serve/Engine.h"

#include "EngineState.h"

#include <fmt/format.h>

#include <algorithm>

namespace lpu::serve {
namespace {

/// Steps that a system may be computed ahead of dilated time: enough that a busy host is not late.
constexpr unsigned kAhead = 16;

} // namespace

Engine::Engine(EngineOptions options, Post post, PostAt postAt)
    : options(std::move(options)), post(std::move(post)), postAt(std::move(postAt)), epoch(Clock::now()) {}

Engine::~Engine() = default;

Status Engine::host(std::unique_ptr<Model> model, const rt::SimulatorFactory &create) {
  if (options.resident && model->timing().chips() > *options.resident)
    return Error{model->name(),
                 fmt::format("a system of it has {} chips, and --resident={} are there; give at least {}",
                             model->timing().chips(), *options.resident, model->timing().chips())};
  if (options.resident && !hosted.empty() &&
      model->program().machine.clockGHz != hosted.front()->model->program().machine.clockGHz)
    return Error{model->name(), fmt::format("runs at {} GHz and '{}' at {}; models that share chips need one clock, "
                                            "compile them for one machine",
                                            model->program().machine.clockGHz, hosted.front()->model->name(),
                                            hosted.front()->model->program().machine.clockGHz)};
  if (options.reserved >= model->systems() && options.reserved > 0)
    return Error{model->name(), fmt::format("has {} systems, and --tiers reserves {}; give it more by :systems=N",
                                            model->systems(), options.reserved)};
  auto host = std::make_unique<Hosted>();
  host->model = std::move(model);
  for (unsigned i = 0; i < host->model->systems(); ++i) {
    auto process = SimulatorProcess::start(host->model->program(), {}, create);
    if (!process)
      return process.error();
    host->processes.push_back(std::move(*process));
  }
  hosted.push_back(std::move(host));
  return Ok{};
}

void Engine::arrangeSchedules() {
  std::vector<Tenant> tenants;
  for (const auto &host : hosted) {
    if (!options.resident || lanes.empty())
      lanes.push_back(std::make_unique<Lane>());
    host->lane = lanes.back().get();
    host->lane->hosts.push_back(host.get());
    tenants.push_back({&host->timing(), host->model->systems()});
    if (!options.resident)
      host->schedule = createTieredSchedule(host->timing(), host->model->systems(), options.reserved);
  }
  if (!options.resident || lanes.empty())
    return;
  lanes.front()->pool = std::make_unique<ChipPool>(tenants, *options.resident);
  for (std::size_t i = 0; i < hosted.size(); ++i)
    hosted[i]->schedule = lanes.front()->pool->tenant(i);
}

void Engine::start(std::function<void()> told) {
  changed = std::move(told);
  arrangeSchedules();
  for (const auto &owned : hosted) {
    Hosted *host = owned.get();
    host->loading = static_cast<unsigned>(host->processes.size());
    for (auto &process : host->processes) {
      Worker::Events events;
      events.loaded = [this, host](Result<WarmUp> warm) {
        post([this, host, warm = std::move(warm)] { loaded(*host, warm); });
      };
      events.step = [this, host](std::vector<Update> updates) {
        post([this, host, updates = std::move(updates)]() mutable { stepped(*host, std::move(updates)); });
      };
      events.failed = [this, host](const std::string &message) {
        post([this, host, message] { broke(*host, message); });
      };
      SimulatorProcess *simulator = process.get();
      WorkerOptions rules{host->timing().frameProgram(), std::nullopt};
      if (options.dilation)
        rules.ahead = kAhead;
      host->workers.push_back(std::make_unique<Worker>(
          host->model->program(), host->model->tokenizer(), rules, std::move(process),
          [simulator] { return simulator->ready(); }, std::move(events)));
    }
    host->processes.clear();
  }
}

void Engine::loaded(Hosted &host, const Result<WarmUp> &warm) {
  --host.loading;
  if (!warm)
    broke(host, warm.error().str());
  else if (warm->wallSeconds > 0)
    host.addWall(warm->program, warm->wallSeconds);
  changed();
}

std::vector<const Model *> Engine::models() const {
  std::vector<const Model *> out;
  for (const auto &host : hosted)
    out.push_back(host->model.get());
  return out;
}

const Model *Engine::find(const std::string &name) const {
  if (name.empty() && hosted.size() == 1)
    return hosted.front()->model.get();
  for (const auto &host : hosted)
    if (host->model->name() == name)
      return host->model.get();
  return nullptr;
}

Engine::Hosted &Engine::hostOf(const Model &model) const {
  return **std::ranges::find_if(hosted, [&](const auto &host) { return host->model.get() == &model; });
}

std::string Engine::health() const {
  for (const auto &host : hosted)
    if (!host->broken.empty())
      return fmt::format("model '{}' is out of order: {}", host->model->name(), host->broken);
  return "";
}

bool Engine::loading() const {
  return std::ranges::any_of(hosted, [](const auto &host) { return host->loading > 0; });
}

const Proof *Engine::proof(const std::string &id) const {
  if (const auto found = live.find(id); found != live.end())
    return &found->second->proof;
  const auto kept = std::ranges::find(proofs, id, &Proof::id);
  return kept == proofs.end() ? nullptr : &*kept;
}

Engine::ModelState Engine::state(const Model &model) const {
  const Hosted &host = hostOf(model);
  const Cycle now = std::max(host.lane->lastArrival, arrivalOf(host, {}));
  ModelState state;
  state.waiting = host.schedule->waiting(now);
  state.running = host.schedule->running(now);
  state.slots = host.schedule->slots();
  state.systems = host.schedule->systems();
  state.now = now;
  state.loaded = host.loading == 0;
  state.broken = host.broken;
  state.resident = state.systems;
  if (ChipPool *pool = host.lane->pool.get()) {
    const auto tenant = std::ranges::find(host.lane->hosts, &host) - host.lane->hosts.begin();
    state.resident = pool->state(static_cast<std::size_t>(tenant)).resident;
    state.loads = pool->state(static_cast<std::size_t>(tenant)).loads;
  }
  std::uint64_t used = 0;
  for (const auto &[number, strand] : host.strands)
    used += strand->positions;
  state.cacheUsage = static_cast<double>(used) / (static_cast<double>(state.slots) * host.timing().context());
  return state;
}

const ModelMetrics &Engine::metrics(const Model &model) const { return hostOf(model).metrics; }

Engine::Clock::time_point Engine::dueAt(std::int64_t virtualNs) const {
  if (!options.dilation)
    return {};
  const std::chrono::duration<double, std::nano> wall(static_cast<double>(virtualNs) * *options.dilation);
  return epoch + std::chrono::duration_cast<Clock::duration>(wall);
}

} // namespace lpu::serve
