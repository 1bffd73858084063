// Files that a run leaves for viewers: Perfetto's protobuf, read back here field by
// field, curves in it, and waveforms.
#include "Activity.h"
#include "AnchorPrograms.h"
#include "Bench.h"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

namespace lpu::test {
namespace {

/// What a run writes to the file that `ask` names to the simulator.
std::string fileOf(const isa::Program &program, sim::Options options,
                   const std::function<void(sim::Options &, const std::string &)> &ask) {
  const std::string path = testing::TempDir() + "/" + std::to_string(getpid()) + ".out";
  ask(options, path);
  const std::string done = inSimulator(program, options, [&](sim::Simulator &simulator) {
    for (std::size_t step = 0; step < program.steps.size(); ++step)
      simulator.run(step);
    return std::string("run");
  });
  EXPECT_EQ(done, "run");
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  std::filesystem::remove(path);
  return text.str();
}

std::string perfettoOf(const isa::Program &program, const sim::Options &options) {
  return fileOf(program, options, [](sim::Options &o, const std::string &path) {
    o.tracePath = path;
    o.traceFormat = sim::TraceFormat::Perfetto;
  });
}

std::string vcdOf(const isa::Program &program, const sim::Options &options, isa::Cycle from = 0,
                  isa::Cycle to = INT64_MAX, const std::vector<std::string> &streams = {}) {
  return fileOf(program, options, [&](sim::Options &o, const std::string &path) { o.vcd = {path, from, to, streams}; });
}

/// A protobuf message: numbers and nested bytes by field.
struct Fields {
  std::multimap<int, std::uint64_t> numbers;
  std::multimap<int, std::string> texts;

  explicit Fields(const std::string &bytes) {
    std::size_t at = 0;
    const auto varint = [&] {
      std::uint64_t value = 0;
      for (int shift = 0; at < bytes.size(); shift += 7) {
        const auto byte = static_cast<unsigned char>(bytes[at++]);
        value |= std::uint64_t{byte & 0x7Fu} << shift;
        if (!(byte & 0x80))
          break;
      }
      return value;
    };
    while (at < bytes.size()) {
      const std::uint64_t key = varint();
      const int field = static_cast<int>(key >> 3);
      if ((key & 7) == 0) {
        numbers.emplace(field, varint());
      } else if ((key & 7) == 1) {
        std::uint64_t value = 0;
        std::memcpy(&value, bytes.data() + at, 8);
        at += 8;
        numbers.emplace(field, value);
      } else {
        const std::uint64_t size = varint();
        texts.emplace(field, bytes.substr(at, size));
        at += size;
      }
    }
    EXPECT_EQ(at, bytes.size());
  }
  bool has(int field) const { return numbers.contains(field) || texts.contains(field); }
  std::uint64_t number(int field) const { return numbers.find(field)->second; }
  std::string text(int field) const { return texts.contains(field) ? texts.find(field)->second : ""; }
};

struct PerfettoFile {
  std::map<std::uint64_t, std::string> tracks;                                    ///< threads and counters by uuid
  std::map<std::string, std::vector<std::tuple<std::string, long, long>>> slices; ///< by track: name, begin, end
  std::map<std::string, std::vector<std::pair<long, double>>> counters;

  explicit PerfettoFile(const std::string &bytes) {
    std::map<std::uint64_t, std::string> names;
    bool first = true;
    for (const auto &[field, text] : Fields(bytes).texts) {
      const Fields packet(text);
      EXPECT_EQ(field, 1);
      EXPECT_EQ(packet.number(10), 1u) << "sequence";
      EXPECT_EQ(packet.number(13), first ? 3u : 2u) << "state is cleared once";
      first = false;
      if (packet.has(60)) {
        const Fields track(packet.text(60));
        tracks[track.number(1)] = track.has(4) ? Fields(track.text(4)).text(5) : track.text(2);
        continue;
      }
      if (packet.has(12)) {
        const Fields name(Fields(packet.text(12)).text(2));
        names[name.number(1)] = name.text(2);
      }
      const Fields event(packet.text(11));
      const std::string &track = tracks.at(event.number(11));
      const long at = static_cast<long>(packet.number(8));
      if (event.number(9) == 1)
        slices[track].emplace_back(names.at(event.number(10)), at, -1);
      else if (event.number(9) == 2)
        std::get<2>(slices[track].back()) = at;
      else
        counters[track].emplace_back(at, std::bit_cast<double>(event.number(44)));
    }
  }
};

class Traces : public BothEngines {};
LPU_BOTH_ENGINES(Traces);

TEST_P(Traces, PerfettoHasTheSlicesOfEveryQueue) {
  Bench b;
  b.region(isa::Region::Kind::Zero, kEast, 0, 0, 0);
  b.label("layer 0").append("mem.e0", {"mem rd=1", "repeat count=4 interval=2 window=1"}, 9);
  b.label("layer 1").at(12, "mem.e0", "mem rd=1");
  b.nextStep().label("later").at(5, "vxm.2", "move a=imm");
  const PerfettoFile file(perfettoOf(b.finish(), options()));
  using Slices = std::vector<std::tuple<std::string, long, long>>;
  EXPECT_EQ(file.slices.at("mem.e0"), (Slices{{"layer 0", 0, 9000}, {"layer 1", 12000, 13000}}));
  // The first step is 12 + 5 + 4 - 1 = 20 cycles long.
  EXPECT_EQ(file.slices.at("vxm.2"), (Slices{{"later", 25000, 26000}}));
  EXPECT_EQ(file.slices.at("steps"), (Slices{{"step0", 0, 20000}, {"step1", 20000, 32000}}));
}

TEST_P(Traces, CurvesAddUpToTheEnergyOfTheStep) {
  const isa::Program program = allUnitsProgram(400);
  const PerfettoFile file(perfettoOf(program, timing()));
  const auto &steps = file.slices.at("steps");
  const double cycles = static_cast<double>(std::get<2>(steps[0])) / 1000, ghz = program.machine.clockGHz;
  const auto &power = file.counters.at("power, W");
  double joules = 0;
  for (std::size_t i = 0; i < power.size(); ++i) {
    const double until = i + 1 < power.size() ? static_cast<double>(power[i + 1].first) / 1000 : cycles;
    joules += power[i].second * (until - static_cast<double>(power[i].first) / 1000) / (ghz * 1e9);
  }
  isa::StepUse use;
  use.counts = isa::countStep(program, 0);
  use.latencyCycles = static_cast<isa::Cycle>(cycles);
  const auto energy = isa::energyOf(*isa::loadEnergyModel("gf14"), program.machine, use);
  // The last value holds a bin, of which the step may have only a part.
  EXPECT_NEAR(joules / energy->aloneJoules.typical, 1, 0.02);
  for (const auto &[name, values] : file.counters)
    if (name != "power, W") {
      for (const auto &[at, value] : values)
        EXPECT_LE(value, 100.0) << name;
    }
  double most = 0;
  for (const auto &[at, value] : file.counters.at("MXM in use, %"))
    most = std::max(most, value);
  EXPECT_GT(most, 90) << "19 plays in 20 cycles";
}

TEST_P(Traces, WaveformsOfQueues) {
  Bench b;
  b.region(isa::Region::Kind::Zero, kEast, 0, 0, 0);
  b.label("load it").at(3, "mem.e0", "mem rd=1").at(4, "mem.e0", "mem rd=1");
  const std::string vcd = vcdOf(b.finish(), options());
  EXPECT_NE(vcd.find("$timescale 1 ns $end"), std::string::npos);
  EXPECT_NE(vcd.find("$scope module mem_e0 $end\n$var reg 8 ! opcode $end\n$var wire 1 \" active $end\n"
                     "$var string 1 # operation $end"),
            std::string::npos);
  const std::string changes = vcd.substr(vcd.find("$dumpvars"));
  // Opcode 6 is mem; the second read's effect is at 4 + 5.
  EXPECT_NE(changes.find("$end\n#3\nb00000110 !\nsload_it #\n1\"\n#4\nb00000110 !\n#5\nbz !\n#9\n0\"\n"),
            std::string::npos)
      << changes.substr(changes.find("$end\n"));
}

TEST_P(Traces, WaveformsOfAWindow) {
  const std::string all = vcdOf(allUnitsProgram(100), timing()), some = vcdOf(allUnitsProgram(100), timing(), 120, 130);
  EXPECT_LT(some.size(), all.size());
  std::istringstream lines(some);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with('#')) {
      EXPECT_GE(std::stoi(line.substr(1)), 120);
      EXPECT_LE(std::stoi(line.substr(1)), 130);
    }
}

TEST(Waveforms, OfStreamRegisters) {
  Bench b;
  b.feed(kEast, 3, "e7", b.fill(5), 6, 30); // at position 6 in cycle 30
  b.store(kEast, 20, "e7", 6, 30);
  const std::string vcd =
      vcdOf(b.finish(), {sim::Engine::Clocked, sim::Mode::Functional, ""}, 0, INT64_MAX, {"e7@6", "w7@6"});
  const std::size_t scope = vcd.find("$scope module stream_e7_at_e6 $end\n$var wire 1 ");
  ASSERT_NE(scope, std::string::npos);
  const std::size_t from = scope + std::strlen("$scope module stream_e7_at_e6 $end\n$var wire 1 ");
  const std::string id = vcd.substr(from, vcd.find(' ', from) - from);
  const std::size_t at = vcd.find("\n1" + id + "\nb0000010100000101");
  ASSERT_NE(at, std::string::npos);
  EXPECT_EQ(vcd.substr(vcd.rfind('#', at), 4), "#30\n");
  EXPECT_EQ(vcd.substr(vcd.rfind('#', vcd.find("\n0" + id + "\n", at)), 4), "#31\n");
  EXPECT_NE(vcd.find("stream_w7_at_e6"), std::string::npos);
}

TEST(Waveforms, OfRegistersThatAreNotThere) {
  for (const auto &[text, message] :
       {std::pair("e7", "'e7' names no stream register; write e4@-3 for stream 4 eastwards at position -3"),
        {"e40@1", "'e40@1' is no register of machine 'small': streams are 0 to 31, positions -9 to 9"},
        {"w1@10", "'w1@10' is no register of machine 'small': streams are 0 to 31, positions -9 to 9"}}) {
    Bench b;
    b.at(1, "vxm.2", "move a=imm");
    sim::Options options{sim::Engine::Clocked, sim::Mode::Timing, ""};
    options.vcd = {"/dev/null", 0, 10, {text}};
    EXPECT_EQ(inSimulator(b.finish(), options, [](sim::Simulator &) { return std::string(); }),
              std::string("error: error: ") + message);
  }
}

} // namespace
} // namespace lpu::test
