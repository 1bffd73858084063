// One direction of a wire between two simulated chips that run at times of their
// own: vectors under way, and the cycle before which every arrival is known. The
// sender and the receiver may be in different threads; values do not pass from
// one chip's pools to the other's, their bytes do.
#pragma once

#include "C2c.h"
#include "Traffic.h"

#include <atomic>
#include <functional>
#include <mutex>

namespace lpu::sim {

/// Where a chip's vectors go, and what else the other end must hear of the sender.
class Outlet : public LinkOut {
public:
  /// Everything that leaves before cycle `clock` has left.
  virtual void reach(Cycle clock) = 0;
  /// Nothing leaves any more in this step.
  virtual void close() = 0;
};

class Channel final : public Outlet {
public:
  static constexpr Cycle kNever = INT64_MAX;

  explicit Channel(std::size_t rowBytes) : rowBytes(rowBytes) {}

  /// A new step: the sender is released at absolute cycle `release`, and vectors are `flight` cycles under way.
  /// `traffic`: its link; outlives the step.
  void begin(const LinkTraffic &traffic, Cycle release, Cycle flight);

  /// Sender's side.
  void send(LinkFifo::Entry entry) override;
  void reach(Cycle clock) override;
  void close() override { advance(kNever); }

  /// Receiver's side. All vectors that arrive before this cycle can be taken; kNever: all there will be.
  Cycle safe() const { return safeBefore.load(); }
  /// Calls `taken` with each vector that has come, its value in `rows`.
  void take(VectorPool &rows, const std::function<void(LinkFifo::Entry)> &taken);
  /// `wake` is called by the sender as soon as safe() ≥ `cycle`, perhaps more than once.
  void await(Cycle cycle) { target.store(cycle); }
  std::function<void()> wake;

private:
  struct Parcel {
    Cycle arrival;
    Producer sender;
    int chip;
  };
  void advance(Cycle safe);

  const std::size_t rowBytes;
  const LinkTraffic *traffic = nullptr;
  Cycle release = 0, flight = 0;
  std::size_t sent = 0; ///< vectors of the step

  std::mutex mutex;
  std::vector<Parcel> parcels, taking;
  std::vector<std::uint8_t> bytes, takingBytes; ///< of `parcels`, row by row; empty without payload
  std::atomic<bool> holds = false;              ///< `parcels` are not empty
  std::atomic<Cycle> safeBefore = kNever, target = kNever;
};

} // namespace lpu::sim
