// What the engine knows of models and requests; for its own files alone.
#pragma once

#include "lpu/serve/Engine.h"
#include "lpu/serve/Residency.h"
#include "lpu/serve/SimulatorProcess.h"
#include "lpu/serve/Worker.h"

namespace lpu::serve {

inline constexpr double kNsPerMs = 1e6, kNsPerSecond = 1e9;

/// One sequence of a request.
struct Engine::Strand {
  Live *of = nullptr;
  unsigned choice = 0;
  std::shared_ptr<Assignment> assignment;
  std::optional<Ticket> ticket; ///< once it is admitted
  bool placed = false, ended = false;
  unsigned system = 0;         ///< once it is placed
  std::size_t textBytes = 0;   ///< of its tokens so far
  std::uint64_t positions = 0; ///< of its cache that hold something
};

struct Engine::Live {
  Hosted *host = nullptr;
  Request request;
  Terms terms;
  Cycle arrival = 0;
  std::shared_ptr<Listener> listener; ///< null: nobody listens any more
  std::vector<Strand> strands;
  Usage usage;
  std::map<std::size_t, std::uint64_t> steps; ///< by step program
  Proof proof;
};

/// Models whose requests are told apart by their arrivals: one, or all that share chips.
struct Engine::Lane {
  std::unique_ptr<ChipPool> pool;             ///< null: the model has chips of its own
  std::vector<Hosted *> hosts;                ///< in the order of the pool's tenants
  std::deque<std::shared_ptr<Live>> deferred; ///< arrivals that the simulation has not reached
  Cycle lastArrival = 0;
};

struct Engine::Hosted {
  std::unique_ptr<Model> model;
  Lane *lane = nullptr;
  std::unique_ptr<Schedule> schedule;
  std::vector<std::unique_ptr<SimulatorProcess>> processes; ///< until the workers have them
  std::vector<std::unique_ptr<Worker>> workers;             ///< of each system
  std::map<std::uint64_t, Strand *> strands;                ///< that are not over, in the order of their admission
  std::multimap<Cycle, Update> held; ///< steps that were computed before the virtual time of their end
  std::uint64_t nextNumber = 0;
  unsigned loading = 0;
  std::string broken;
  double wallSeconds = 0, virtualSeconds = 0; ///< of some fifty steps
  ModelMetrics metrics;

  const Timing &timing() const { return model->timing(); }
  /// The latest steps count most: a host's pace changes with what else it does.
  void addWall(std::size_t program, double seconds) {
    constexpr double kRemembered = 0.98;
    wallSeconds = kRemembered * wallSeconds + seconds;
    virtualSeconds =
        kRemembered * virtualSeconds + static_cast<double>(ns(timing().stepCycles(program))) / kNsPerSecond;
  }
  std::int64_t ns(Cycle cycles) const { return timing().clock().nanoseconds(cycles); }
};

} // namespace lpu::serve
