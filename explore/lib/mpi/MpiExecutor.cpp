// Tasks over ranks: rank 0 owns the study and the store, the others run children. Everybody
// sleeps between looks, because a rank that spins takes a processor from a compilation.
#include "lpu/explore/Executor.h"

#include <cstdlib>

#ifdef LPU_MPI
#include <chrono>
#include <mpi.h>
#include <thread>
#endif

namespace lpu::explore {

namespace {

/// Open MPI's mpirun tells its processes how many they are, and which they are.
int launched(const char *what, int alone) {
  const char *value = std::getenv(what);
  return value ? std::atoi(value) : alone;
}

} // namespace

int launchedRank() { return launched("OMPI_COMM_WORLD_RANK", 0); }
int launchedRanks() { return launched("OMPI_COMM_WORLD_SIZE", 1); }

#ifdef LPU_MPI
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kTask = 1, kResult = 2, kEnd = 3;
constexpr auto kNap = std::chrono::milliseconds(2);

void send(const std::string &text, int to, int tag) {
  MPI_Send(text.data(), static_cast<int>(text.size()), MPI_CHAR, to, tag, MPI_COMM_WORLD);
}

struct Message {
  int from = 0, tag = 0;
  std::string text;
};

std::optional<Message> receive() {
  int isThere = 0, size = 0;
  MPI_Message handle;
  MPI_Status status;
  MPI_Improbe(MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &isThere, &handle, &status);
  if (!isThere)
    return std::nullopt;
  MPI_Get_count(&status, MPI_CHAR, &size);
  Message message{status.MPI_SOURCE, status.MPI_TAG, std::string(static_cast<std::size_t>(size), '\0')};
  MPI_Mrecv(message.text.data(), size, MPI_CHAR, &handle, MPI_STATUS_IGNORE);
  return message;
}

class MpiExecutor final : public Executor {
public:
  MpiExecutor(int ranks, std::size_t jobs) : jobs(jobs), busy(static_cast<std::size_t>(ranks), 0) {}
  ~MpiExecutor() override {
    for (std::size_t rank = 1; rank < busy.size(); ++rank)
      send("", static_cast<int>(rank), kEnd);
    MPI_Finalize();
  }

  bool hasRoom() const override { return running() < jobs * (busy.size() - 1); }
  std::size_t running() const override {
    std::size_t all = 0;
    for (const std::size_t own : busy)
      all += own;
    return all;
  }
  Status start(const Task &task) override {
    std::size_t idlest = 1;
    for (std::size_t rank = 2; rank < busy.size(); ++rank)
      if (busy[rank] < busy[idlest])
        idlest = rank;
    ++busy[idlest];
    send(writeTask(task), static_cast<int>(idlest), kTask);
    return Ok{};
  }
  std::optional<StoredResult> wait(double seconds) override {
    const Clock::time_point until =
        Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    while (true) {
      if (const std::optional<Message> message = receive()) {
        --busy[static_cast<std::size_t>(message->from)];
        return readResult(message->text);
      }
      if (Clock::now() >= until)
        return std::nullopt;
      std::this_thread::sleep_for(kNap);
    }
  }

private:
  std::size_t jobs;
  std::vector<std::size_t> busy; ///< tasks by rank
};

} // namespace

Result<std::unique_ptr<Executor>> makeMpiExecutor(std::size_t jobs) {
  MPI_Init(nullptr, nullptr);
  int ranks = 1;
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  return std::unique_ptr<Executor>(new MpiExecutor(ranks, jobs));
}

Status serveTasks(std::size_t jobs, const Limits &limits) {
  MPI_Init(nullptr, nullptr);
  const std::unique_ptr<Executor> children = makeLocalExecutor(jobs, limits);
  while (true) {
    if (const std::optional<Message> message = receive()) {
      if (message->tag == kEnd)
        break;
      const Task task = readTask(message->text);
      if (Status started = children->start(task); !started) {
        StoredResult failed{task.key, task.kind, task.build, Outcome::Failed, started.error().message, "", 0,
                            0,        "",        false};
        send(writeResult(failed), 0, kResult);
      }
      continue;
    }
    if (children->running() == 0)
      std::this_thread::sleep_for(kNap);
    else if (const std::optional<StoredResult> result = children->wait(children->hasRoom() ? 0.002 : 0.02))
      send(writeResult(*result), 0, kResult);
  }
  MPI_Finalize();
  return Ok{};
}

#else

Result<std::unique_ptr<Executor>> makeMpiExecutor(std::size_t) {
  return Error{"mpirun",
               "built without MPI; install libopenmpi-dev, configure and build again, or start without mpirun"};
}
Status serveTasks(std::size_t, const Limits &) { return makeMpiExecutor(1).error(); }

#endif

} // namespace lpu::explore
