// The order in which chips run: players with schedules of their own, that note
// what they received when, on one thread and on several, and in windows. Whatever
// the split, each receives the same, and nobody waits forever.
#include "Conductor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <random>

namespace lpu::test {
namespace {

using sim::Channel;
using sim::Conductor;
using sim::Cycle;
using sim::EarliestHazard;
using sim::LinkTraffic;
using sim::Player;

constexpr Cycle kFlight = 20;

/// Sends and receives on its channels in cycles known beforehand, and keeps a protocol of what arrived.
class Scripted final : public Player {
public:
  struct End {
    Channel *channel;
    LinkTraffic traffic;
  };
  explicit Scripted(EarliestHazard &hazard) : hazard(hazard) {}

  void take(Cycle) override {
    for (std::size_t i = 0; i < inputs.size(); ++i)
      inputs[i].channel->take(pool, [&](sim::LinkFifo::Entry entry) { waiting[i].push_back(entry.arrival); });
  }
  Cycle play(Cycle now, Cycle limit) override {
    ++turns;
    EXPECT_GE(now, clock);
    for (auto at = script.lower_bound(now); at != script.end(); ++at) {
      if (at->first > hazard.at)
        return clock = kNever;
      if (at->first >= limit)
        return clock = at->first;
      for (const auto &[sends, end] : at->second)
        sends ? send(at->first, end) : receive(at->first, end);
    }
    return clock = kNever;
  }
  /// Reads the cycles of its ends into one list.
  void write() {
    for (std::size_t i = 0; i < inputs.size(); ++i)
      for (Cycle t : inputs[i].traffic.receives)
        script[t].push_back({false, i});
    for (std::size_t i = 0; i < outputs.size(); ++i)
      for (Cycle t : outputs[i].traffic.sends)
        script[t].push_back({true, i});
    waiting.resize(inputs.size());
  }

  std::vector<End> inputs, outputs;
  std::string protocol;
  Cycle failsAt = kNever; ///< sends nothing from here on, which is a hazard
  int turns = 0;

private:
  void send(Cycle now, std::size_t end) {
    if (now < failsAt)
      return outputs[end].channel->send({now + kFlight, {}, {0, now, nullptr}, 0});
    hazard.note(now);
    protocol += fmt::format("fails at {}\n", now);
  }
  void receive(Cycle now, std::size_t end) {
    std::vector<Cycle> &fifo = waiting[end];
    const bool there = !fifo.empty() && fifo.front() <= now;
    protocol += fmt::format("{}: {} from {}\n", now, there ? fifo.front() : -1, end);
    if (there)
      fifo.erase(fifo.begin());
  }

  EarliestHazard &hazard;
  sim::VectorPool pool{64};
  std::map<Cycle, std::vector<std::pair<bool, std::size_t>>> script;
  std::vector<std::vector<Cycle>> waiting; ///< per input
  Cycle clock = 0;
};

/// Everybody sends to everybody, at random; a receive for each send, some cycles after its arrival.
struct Network {
  Network(int size, unsigned seed, int vectors, bool known) {
    std::mt19937 random(seed);
    for (int i = 0; i < size; ++i)
      players.push_back(std::make_unique<Scripted>(hazard));
    for (int from = 0; from < size; ++from)
      for (int to = 0; to < size; ++to)
        if (from != to)
          wire(random, from, to, vectors, known);
    for (auto &player : players)
      player->write();
  }
  void wire(std::mt19937 &random, int from, int to, int vectors, bool known) {
    LinkTraffic sent, received;
    for (Cycle t = static_cast<Cycle>(random() % 50), last = 0; vectors > 0;
         --vectors, t += 3 + static_cast<Cycle>(random() % 40)) {
      sent.sends.push_back(t);
      last = std::max(last + 1, t + kFlight + static_cast<Cycle>(random() % 3 ? 0 : random() % 200));
      received.receives.push_back(last);
    }
    channels.push_back(std::make_unique<Channel>(64));
    players[from]->outputs.push_back({channels.back().get(), sent});
    players[to]->inputs.push_back({channels.back().get(), received});
    links.push_back({from, to, players[from]->outputs.size() - 1, players[to]->inputs.size() - 1});
    told.push_back({known ? sent : LinkTraffic{false, {}, {}}, known ? received : LinkTraffic{false, {}, {}}});
  }
  /// Protocols of all players after a step in windows of `window` cycles.
  std::string run(int threads, Cycle window, Cycle patience = kFlight / 2) {
    Conductor conductor(threads, patience, hazard);
    for (auto &player : players)
      conductor.add(*player);
    for (std::size_t i = 0; i < links.size(); ++i) {
      conductor.addOutput(links[i].from, *channels[i]);
      conductor.addInput(links[i].to, *channels[i]);
    }
    conductor.begin();
    for (std::size_t i = 0; i < links.size(); ++i) {
      channels[i]->begin(told[i].first, 0, kFlight);
      conductor.announce(links[i].from, links[i].output, told[i].first);
      conductor.expect(links[i].to, links[i].input, told[i].second, 0);
    }
    for (std::size_t i = 0; i < players.size(); ++i)
      conductor.enter(static_cast<int>(i), 0);
    for (Cycle at = 0; at != Player::kNever;)
      at = conductor.run(at + window);
    std::string all;
    for (auto &player : players)
      all += player->protocol + "\n";
    return all;
  }
  struct Link {
    int from, to;
    std::size_t output, input;
  };
  EarliestHazard hazard;
  std::vector<std::unique_ptr<Scripted>> players;
  std::vector<std::unique_ptr<Channel>> channels;
  std::vector<Link> links;
  std::vector<std::pair<LinkTraffic, LinkTraffic>> told; ///< what the conductor knows of each
};

TEST(Conductor, EverybodyReceivesTheSameOnAnyNumberOfThreads) {
  for (unsigned seed : {1u, 2u, 3u}) {
    const std::string expected = Network(5, seed, 40, true).run(1, 1);
    EXPECT_EQ(expected.find("-1"), std::string::npos);
    EXPECT_EQ(std::ranges::count(expected, '\n'), 5 * 4 * 40 + 5);
    for (int threads : {1, 2, 3, 8})
      for (Cycle window : {7, 64, 1 << 20})
        for (bool known : {true, false})
          EXPECT_EQ(Network(5, seed, 40, known).run(threads, window), expected)
              << threads << " threads, window " << window;
  }
}

// Waiting for whole flights is the most that cannot end in a circle.
TEST(Conductor, PatienceChangesNothing) {
  const std::string expected = Network(4, 9, 60, true).run(1, 1 << 20, 1);
  for (Cycle patience : {Cycle{3}, kFlight})
    EXPECT_EQ(Network(4, 9, 60, true).run(2, 1 << 20, patience), expected);
}

// With nobody to wait for a player runs to its end in one go.
TEST(Conductor, WhoNeedNotWaitDoesNot) {
  Network network(1, 1, 0, true);
  network.run(2, 1 << 20);
  EXPECT_EQ(network.players[0]->turns, 1);
  Network pair(2, 4, 50, true);
  pair.run(1, 1 << 20);
  // Vectors are some 20 cycles apart, a turn is at least 10 cycles long.
  EXPECT_LT(pair.players[0]->turns, 120);
}

// What would have come from a player that fails is not waited for, and all that is before the hazard is still done.
TEST(Conductor, AHazardEndsTheWait) {
  std::string first;
  for (int threads : {1, 2, 4})
    for (bool known : {true, false}) {
      Network network(4, 5, 40, known);
      network.players[2]->failsAt = 300;
      network.run(threads, 1 << 20);
      const Cycle at = network.hazard.at;
      ASSERT_GE(at, 300);
      ASSERT_LT(at, 400);
      std::string before; // later ones may differ
      for (auto &player : network.players)
        for (std::size_t i = 0, end; i < player->protocol.size(); i = end + 1) {
          end = player->protocol.find('\n', i);
          const std::string line = player->protocol.substr(i, end - i);
          if (line.starts_with("fails") || std::stoll(line) <= at)
            before += line + "\n";
        }
      if (first.empty())
        first = before;
      EXPECT_EQ(before, first);
    }
  EXPECT_NE(first.find("fails"), std::string::npos);
}

TEST(Conductor, WhoNeverEntersIsNotWaitedFor) {
  EarliestHazard hazard;
  Scripted player(hazard), absent(hazard);
  Channel channel(64);
  LinkTraffic sent, received;
  sent.sends = {5};
  received.receives = {30};
  player.inputs.push_back({&channel, received});
  player.write();
  Conductor conductor(1, kFlight, hazard);
  conductor.add(player), conductor.add(absent);
  conductor.addInput(0, channel), conductor.addOutput(1, channel);
  conductor.begin();
  channel.begin(sent, 0, kFlight);
  conductor.expect(0, 0, received, 0);
  conductor.enter(0, 0);
  conductor.leave(1);
  EXPECT_EQ(conductor.run(1000), Player::kNever);
  EXPECT_EQ(player.protocol, "30: -1 from 0\n");
}

} // namespace
} // namespace lpu::test
