// Messages of a step carry its number: a rank may hear of a step before rank 0's
// word to begin it has come. Messages between two ranks keep their order, so once a
// neighbour's End is here everything it sent is.
#include "Exchange.h"

#include <algorithm>
#include <chrono>

namespace lpu::sim {

using Kind = Message::Kind;

/// The near end of a cable whose far end is on another rank.
class Exchange::RemoteEnd final : public Outlet {
public:
  RemoteEnd(Exchange &exchange, std::size_t cable, int rank) : exchange(exchange), cable(cable), rank(rank) {}

  void send(LinkFifo::Entry entry) override {
    Message message = begin(Kind::Parcel);
    message.put(entry.arrival - exchange.zero).put(entry.sender.issued - exchange.zero);
    message.put(entry.sender.queue).put(entry.chip).put(entry.sender.op->raw);
    const std::uint8_t *row = entry.value.hasPayload() ? entry.value.data() : nullptr;
    message.putBytes({row, row ? static_cast<std::size_t>(exchange.machine.rowBytes()) : 0});
    exchange.tell(rank, std::move(message));
  }
  void reach(Cycle clock) override { exchange.tell(rank, std::move(begin(Kind::Reach).put(clock - exchange.zero))); }
  void close() override { exchange.tell(rank, begin(Kind::Close)); }

private:
  Message begin(Kind kind) {
    Message message = exchange.stepMessage(kind);
    message.put(cable);
    return message;
  }
  Exchange &exchange;
  const std::size_t cable;
  const int rank;
};

void Exchange::addRoute(std::size_t cable, int rank, Channel &channel) {
  Route &route = routes[cable];
  route.channel = &channel;
  route.rank = rank;
  neighbours.insert(rank);
}

Outlet &Exchange::outlet(std::size_t cable, int rank) {
  neighbours.insert(rank);
  return *ends.emplace_back(std::make_unique<RemoteEnd>(*this, cable, rank));
}

Message Exchange::stepMessage(Kind kind) const {
  Message message(kind);
  message.put(step);
  return message;
}

void Exchange::tellAll(const Message &message) {
  for (int to = 0; to < count(); ++to)
    if (to != rank())
      tell(to, message);
}

void Exchange::begin(Cycle cycleZero, EarliestHazard &stepHazard) {
  std::lock_guard lock(delivery);
  ++step;
  zero = cycleZero;
  hazard = &stepHazard;
  known = EarliestHazard::kNone;
  ended.clear();
  for (auto &[cable, route] : routes)
    route.ops.clear();
  running = true;
  std::deque<std::pair<int, Message>> waiting;
  waiting.swap(early);
  for (auto &[from, message] : waiting)
    sort(from, std::move(message));
}

bool Exchange::poll() {
  std::unique_lock lock(delivery, std::try_to_lock);
  if (!lock)
    return false;
  bool any = false;
  int from = 0;
  for (std::vector<std::uint8_t> bytes; ranks.receive(from, bytes); any = true)
    sort(from, Message(std::move(bytes)));
  return any;
}

void Exchange::sort(int from, Message message) {
  if (!message.inStep()) {
    mail.emplace_back(from, std::move(message));
    return;
  }
  Message content = message;
  const auto number = content.get<std::uint32_t>();
  if (number > step)
    early.emplace_back(from, std::move(message));
  else if (running && number == step) // else a hazard elsewhere, in a step that is over here
    deliver(from, content);
}

void Exchange::deliver(int from, Message &message) {
  switch (message.kind()) {
  case Kind::Parcel:
    return deliverParcel(message);
  case Kind::Reach: {
    const auto cable = message.get<std::size_t>();
    return routes.at(cable).channel->reach(message.get<Cycle>() + zero);
  }
  case Kind::Close:
    return routes.at(message.get<std::size_t>()).channel->close();
  case Kind::Hazard: {
    const Cycle at = message.get<Cycle>() + zero;
    if (at < known)
      known = at;
    return hazard->note(at);
  }
  default: // End: also of chips that have never been released
    for (auto &[cable, route] : routes)
      if (route.rank == from)
        route.channel->close();
    ended.insert(from);
  }
}

void Exchange::deliverParcel(Message &message) {
  Route &route = routes.at(message.get<std::size_t>());
  LinkFifo::Entry entry;
  entry.arrival = message.get<Cycle>() + zero;
  entry.sender.issued = message.get<Cycle>() + zero;
  entry.sender.queue = message.get<int>();
  entry.chip = message.get<int>();
  entry.sender.op = opOf(route, entry.sender.queue, message.get<isa::Word>());
  if (const std::span<const std::uint8_t> row = message.getBytes(); !row.empty())
    entry.value = VectorValue::view(row.data()); // the channel copies it
  route.channel->send(std::move(entry));
}

const Op *Exchange::opOf(Route &route, int queue, const isa::Word &word) {
  if (route.ops.empty() || route.word != word) {
    std::vector<Op> decoded;
    decodeOp(machine, isa::queueAt(machine, queue), word, 0, decoded);
    route.ops.push_back(decoded.front());
    route.word = word;
  }
  return &route.ops.back();
}

void Exchange::hazardAt(Cycle cycle) {
  if (cycle >= known)
    return;
  known = cycle;
  tellAll(std::move(stepMessage(Kind::Hazard).put(cycle - zero)));
}

template <typename Until> void Exchange::pollUntil(Until until) {
  for (int idle = 0; !until();) {
    idle = poll() ? 0 : idle + 1;
    if (idle > 200)
      std::this_thread::sleep_for(std::chrono::microseconds(idle < 2000 ? 20 : 500));
  }
}

void Exchange::finish() {
  for (int neighbour : neighbours)
    tell(neighbour, stepMessage(Kind::End));
  pollUntil([&] { return ended.size() == neighbours.size(); });
  running = false;
}

Message Exchange::hear(int from) {
  auto found = mail.end();
  pollUntil([&] {
    found = std::find_if(mail.begin(), mail.end(), [&](const auto &m) { return m.first == from; });
    return found != mail.end();
  });
  Message message = std::move(found->second);
  mail.erase(found);
  return message;
}

} // namespace lpu::sim
