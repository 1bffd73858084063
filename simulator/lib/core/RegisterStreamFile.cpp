// Shift registers. A value driven at t for t + d waits in a ring of pending
// drives and enters its register at the edge of t + d, after the shift, so that
// it replaces what arrives there (T2.4).
#include "RegisterStreamFile.h"

#include <bit>

namespace lpu::sim {

RegisterStreamFile::RegisterStreamFile(const isa::Machine &machine)
    : streams(machine.streamsPerDirection), reach(machine.maxPosition()), width(2 * reach + 1),
      registers(static_cast<std::size_t>(2) * streams * width) {
  const isa::Latencies &l = machine.latency;
  Cycle longest = 1;
  for (Cycle d : {l.MemRead, l.MemGather, l.VxmSimple, l.VxmSpecial, l.MxmEmit, l.SxmWithin, l.SxmAcross,
                  l.SxmTranspose, l.C2cReceive})
    longest = std::max(longest, d);
  pending.resize(std::bit_ceil(static_cast<std::size_t>(longest + 2)));
}

void RegisterStreamFile::advance(Cycle now) {
  current = now;
  const auto move = [this](Register &to, Register &from) {
    to = std::move(from);
    to.age += 1;
    passed.whole += to.valid ? 1 : 0;
  };
  for (int s = 0; s < streams; ++s) {
    Register *east = line({Direction::East, static_cast<std::uint8_t>(s)});
    for (int p = width - 1; p > 0; --p)
      move(east[p], east[p - 1]);
    east[0] = Register();
    Register *west = line({Direction::West, static_cast<std::uint8_t>(s)});
    for (int p = 0; p + 1 < width; ++p)
      move(west[p], west[p + 1]);
    west[width - 1] = Register();
  }
  std::vector<Pending> &arriving = pendingAt(now);
  for (Pending &drive : arriving) {
    Register &r = line(drive.ref)[drive.position + reach];
    passed.whole -= r.valid ? 1 : 0; // what would have come here does not
    r = Register{true, 0, 0, std::move(drive.value)};
  }
  arriving.clear();
}

/// What is on its way goes on to the edge, with nobody left to replace it.
StreamWay RegisterStreamFile::way() const {
  StreamWay all = passed;
  for (int s = 0; s < streams; ++s) {
    const Register *east = line({Direction::East, static_cast<std::uint8_t>(s)}),
                   *west = line({Direction::West, static_cast<std::uint8_t>(s)});
    for (int p = 0; p < width; ++p)
      all.whole += static_cast<std::uint64_t>((east[p].valid ? width - 1 - p : 0) + (west[p].valid ? p : 0));
  }
  return all;
}

const Producer *RegisterStreamFile::drive(StreamRef ref, int position, Cycle time, VectorValue value,
                                          const Producer &by) {
  std::vector<Pending> &list = pendingAt(time);
  for (const Pending &other : list)
    if (other.ref.dir == ref.dir && other.ref.stream == ref.stream && other.position == position)
      return &other.producer;
  list.push_back({ref, position, time, std::move(value), by});
  return nullptr;
}

bool RegisterStreamFile::sample(StreamRef ref, int position, Cycle now, VectorValue *value) {
  Register &r = line(ref)[position + reach];
  if (!r.valid || now != current)
    return false;
  passed.taken += static_cast<std::uint64_t>(r.age - r.taken);
  r.taken = r.age;
  if (value)
    *value = r.value;
  return true;
}

int RegisterStreamFile::nearest(StreamRef ref, int position, Cycle now, int distance) const {
  int sign = ref.dir == Direction::East ? 1 : -1;
  const Register *r = line(ref);
  for (int d = 1; d <= distance; ++d) {
    int behind = position - sign * d, ahead = position + sign * d;
    if (ahead >= -reach && ahead <= reach && r[ahead + reach].valid)
      return -d;
    if (behind >= -reach && behind <= reach && r[behind + reach].valid)
      return d;
  }
  return 0;
}

void RegisterStreamFile::reset() {
  for (Register &r : registers)
    r = Register();
  for (auto &list : pending)
    list.clear();
  passed = {};
}

} // namespace lpu::sim
