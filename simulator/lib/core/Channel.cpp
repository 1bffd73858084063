// The sender stores what it sends before it moves `safeBefore`, the receiver reads
// `safeBefore` before it takes: so all that is safe is also there. A receiver that
// waits stores its target before it looks at `safeBefore` once more, the sender
// looks at the target after it has moved it: so one of them notices.
#include "Channel.h"

namespace lpu::sim {

void Channel::begin(const LinkTraffic &link, Cycle senderRelease, Cycle cyclesUnderWay) {
  traffic = &link;
  release = senderRelease;
  flight = cyclesUnderWay;
  sent = 0;
  parcels.clear();
  bytes.clear();
  holds = false;
  target = kNever;
  safeBefore = !link.known ? release + flight : link.sends.empty() ? kNever : release + link.sends[0] + flight;
}

void Channel::send(LinkFifo::Entry entry) {
  const std::uint8_t *row = entry.value.hasPayload() ? entry.value.data() : nullptr;
  {
    std::lock_guard lock(mutex);
    parcels.push_back({entry.arrival, entry.sender, entry.chip});
    if (row)
      bytes.insert(bytes.end(), row, row + rowBytes);
  }
  holds = true;
  if (!traffic->known)
    return;
  ++sent;
  advance(sent < traffic->sends.size() ? release + traffic->sends[sent] + flight : kNever);
}

void Channel::reach(Cycle clock) {
  if (!traffic->known)
    advance(clock + flight);
}

void Channel::advance(Cycle safe) {
  safeBefore = safe;
  if (safe >= target)
    wake();
}

void Channel::take(VectorPool &rows, const std::function<void(LinkFifo::Entry)> &taken) {
  if (!holds.exchange(false))
    return;
  taking.clear();
  takingBytes.clear();
  {
    std::lock_guard lock(mutex);
    taking.swap(parcels);
    takingBytes.swap(bytes);
  }
  const std::uint8_t *row = takingBytes.empty() ? nullptr : takingBytes.data();
  for (const Parcel &parcel : taking) {
    VectorValue value;
    if (row) {
      value = VectorValue::allocate(rows);
      std::copy_n(row, rowBytes, value.writable());
      row += rowBytes;
    }
    taken({parcel.arrival, std::move(value), parcel.sender, parcel.chip});
  }
}

} // namespace lpu::sim
