// Ranks that mpirun has started. MPI is initialised only in a process that was
// started with others, so that a run on its own pays nothing for it. Built without
// MPI, this says so to whoever tries.
#include "lpu/sim/Simulator.h"

#include <cstdlib>

#ifdef LPU_MPI
#include <deque>
#include <mpi.h>
#include <mutex>
#endif

namespace lpu::sim {

namespace {

/// Open MPI's mpirun tells its processes how many they are, and which they are.
int launched(const char *what, int alone) {
  const char *value = std::getenv(what);
  return value ? std::atoi(value) : alone;
}

#ifdef LPU_MPI
class MpiRanks final : public Ranks {
public:
  MpiRanks() {
    MPI_Comm_rank(MPI_COMM_WORLD, &own);
    MPI_Comm_size(MPI_COMM_WORLD, &all);
  }
  ~MpiRanks() override {
    for (Sending &s : sending)
      MPI_Wait(&s.request, MPI_STATUS_IGNORE);
    MPI_Finalize();
  }
  int rank() const override { return own; }
  int count() const override { return all; }

  void send(int to, std::vector<std::uint8_t> message) override {
    std::lock_guard lock(mutex);
    forgetSent();
    Sending &s = sending.emplace_back(std::move(message));
    MPI_Isend(s.bytes.data(), static_cast<int>(s.bytes.size()), MPI_BYTE, to, 0, MPI_COMM_WORLD, &s.request);
  }

  bool receive(int &from, std::vector<std::uint8_t> &message) override {
    std::lock_guard lock(mutex);
    forgetSent();
    int there = 0, size = 0;
    MPI_Message handle;
    MPI_Status status;
    MPI_Improbe(MPI_ANY_SOURCE, 0, MPI_COMM_WORLD, &there, &handle, &status);
    if (!there)
      return false;
    MPI_Get_count(&status, MPI_BYTE, &size);
    message.resize(static_cast<std::size_t>(size));
    MPI_Mrecv(message.data(), size, MPI_BYTE, &handle, MPI_STATUS_IGNORE);
    from = status.MPI_SOURCE;
    return true;
  }

private:
  struct Sending {
    explicit Sending(std::vector<std::uint8_t> bytes) : bytes(std::move(bytes)) {}
    std::vector<std::uint8_t> bytes;
    MPI_Request request = MPI_REQUEST_NULL;
  };
  void forgetSent() {
    for (int done = 1; !sending.empty();) {
      MPI_Test(&sending.front().request, &done, MPI_STATUS_IGNORE);
      if (!done)
        return;
      sending.pop_front();
    }
  }

  std::mutex mutex; ///< MPI is called by one thread at a time
  std::deque<Sending> sending;
  int own = 0, all = 1;
};
#endif

} // namespace

int launchedRank() { return launched("OMPI_COMM_WORLD_RANK", 0); }

Result<std::unique_ptr<Ranks>> joinRanks() {
  if (launched("OMPI_COMM_WORLD_SIZE", 1) <= 1)
    return std::unique_ptr<Ranks>();
#ifdef LPU_MPI
  int provided = 0;
  MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &provided);
  if (provided < MPI_THREAD_SERIALIZED)
    return Error{"mpirun", "this MPI cannot be called from several threads; use Debian's Open MPI"};
  return std::unique_ptr<Ranks>(new MpiRanks);
#else
  return Error{"mpirun",
               "built without MPI; install libopenmpi-dev, configure and build again, or start without mpirun"};
#endif
}

} // namespace lpu::sim
