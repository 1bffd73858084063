// The public interface: bindings, state, digest, several steps, traces, errors.
#include "Bench.h"

#include <cstdio>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace lpu::test {
namespace {

using isa::Binding;
using isa::Region;

class Simulators : public BothEngines {};
LPU_BOTH_ENGINES(Simulators);

std::string asText(const std::vector<std::uint8_t> &bytes) { return {bytes.begin(), bytes.end()}; }

Binding binding(int width, unsigned items, unsigned vectors, unsigned lanesUsed, unsigned elements) {
  Binding b;
  b.name = "x";
  b.width = static_cast<std::uint8_t>(width);
  b.items = items, b.vectors = vectors, b.lanesUsed = lanesUsed, b.elements = elements;
  b.slice0 = 2, b.bank = 1, b.row0 = 10;
  return b;
}

/// `program` with this input and output.
isa::Program with(isa::Program program, const Binding &b) {
  program.classes[0].programs[0].inputs = program.classes[0].programs[0].outputs = {b};
  return program;
}

isa::Program emptyProgram() { return Bench().at(0, "mem.e0", "config").finish(); }

// Element v · lanesUsed + l of item k is lane l of row row0 + k · vectors + v, byte b in slice0 + b.
TEST_P(Simulators, BindingsPlaceElements) {
  Binding b = binding(2, 2, 2, 50, 80);
  std::vector<std::uint8_t> data(2 * 80 * 2);
  for (std::size_t i = 0; i < data.size(); ++i)
    data[i] = static_cast<std::uint8_t>(i * 7 + 1);
  std::string out = inSimulator(with(emptyProgram(), b), options(), [&](sim::Simulator &s) {
    s.writeInput(0, "x", data);
    return asText(s.readOutput(0, "x")) + asText(s.peek(0, kEast, 3, 1, 13));
  });
  ASSERT_EQ(out.size(), data.size() + 64);
  EXPECT_EQ(out.substr(0, data.size()), asText(data));
  for (int l = 0; l < 64; ++l) { // item 1, vector 1, high bytes: elements 50..79
    int expected = l < 30 ? data[(80 + 50 + l) * 2 + 1] : 0;
    EXPECT_EQ(static_cast<std::uint8_t>(out[data.size() + l]), expected) << l;
  }
}

TEST_P(Simulators, BroadcastInputsFillAllLanes) {
  Binding b = binding(4, 2, 1, 64, 1);
  std::int32_t values[2] = {0x01020304, -5};
  std::vector<std::uint8_t> data(8);
  std::memcpy(data.data(), values, 8);
  std::string out = inSimulator(with(emptyProgram(), b), options(), [&](sim::Simulator &s) {
    s.writeInput(0, "x", data);
    return asText(s.peek(0, kEast, 4, 1, 10)) + asText(s.peek(0, kEast, 5, 1, 11));
  });
  EXPECT_EQ(out, std::string(64, '\x02') + std::string(64, '\xff'));
}

// Inputs are readable by the program, and a Zero region is zeros again after clearState.
TEST_P(Simulators, StateLivesAcrossStepsUntilCleared) {
  Bench c; // adds the input to a sum kept in a Zero row
  c.region(Region::Kind::Zero, kEast, 0, 0, 0).region(Region::Kind::Scratch, kEast, 4, 0, 0);
  c.at(1, "mem.e0", "mem rd=1 rdrow=0 rdstream=w0"); // VXM at 7
  c.at(0, "mem.e4", "mem rd=1 rdrow=0 rdstream=w1"); // VXM at 7
  c.at(7, "vxm.0", "addi a=w0:1 b=w1:1 out=e1:1");
  c.at(12, "mem.e0", "mem wr=1 wrrow=0 wrstream=e1");
  Binding in = binding(1, 1, 1, 64, 64);
  in.slice0 = 4, in.bank = 0, in.row0 = 0;
  std::string out = inSimulator(with(c.finish(), in), options(), [&](sim::Simulator &s) {
    std::string text;
    s.writeInput(0, "x", std::vector<std::uint8_t>(64, 5));
    for (int i = 0; i < 3; ++i) {
      sim::StepResult r = s.run(0);
      text += r.violation ? r.violation->str() : std::to_string(r.cycles) + " ";
    }
    text += std::to_string(s.peek(0, kEast, 0, 0, 0)[9]);
    s.clearState();
    text += " " + std::to_string(s.peek(0, kEast, 0, 0, 0)[9]) + " " + std::to_string(s.peek(0, kEast, 4, 0, 0)[9]);
    s.run(0);
    return text + " " + std::to_string(s.peek(0, kEast, 0, 0, 0)[9]);
  });
  EXPECT_EQ(out, "17 17 17 15 0 5 5"); // 12 + 2 + 4 - 1 cycles
}

// Without its input a step reads rows never written.
TEST_P(Simulators, MissingInputIsAHazard) {
  Bench b;
  b.at(0, "mem.e4", "mem rd=1 rdrow=0 rdstream=w1");
  illegal(b.finish(), "read-before-write", 0, "mem.e4");
}

// After a hazard the run is over: later steps report it again and do nothing.
TEST_P(Simulators, NothingRunsAfterAHazard) {
  Bench b;
  b.at(3, "mem.e4", "mem rd=1 rdrow=0 rdstream=w1");
  b.nextStep().at(0, "mem.e0", "config");
  std::string out = inSimulator(b.finish(), options(), [&](sim::Simulator &s) {
    std::string first = s.run(0).violation->str();
    sim::StepResult next = s.run(1);
    return first == next.violation->str() && next.instructions == 0 ? "same" : "differs";
  });
  EXPECT_EQ(out, "same");
}

// The digest is SHA-256 over all rows in (side, slice, bank, row) order: here all zero
// but for one lane, against a digest computed with another implementation.
TEST(Simulator, DigestCoversEveryRow) {
  Bench b;
  Row row = b.fill(0);
  row[1] = 0xAB;
  b.constant(kWest, 27, 1, 1023, row);
  b.at(0, "mem.e0", "config");
  Outcome o = simulate(b.finish(), {});
  std::string hex;
  for (unsigned char c : o.digest) {
    char text[3];
    std::snprintf(text, sizeof text, "%02x", c);
    hex += text;
  }
  EXPECT_EQ(hex, "f7ec5644230c897bb860be00a63e1ea7f17957f0456c8ca750ea549ca5dbd6c6");
}

TEST(Simulator, OnePerProcess) {
  isa::Program program = emptyProgram();
  std::string out = inSimulator(program, {}, [&](sim::Simulator &) {
    auto second = sim::Simulator::create(program, {});
    return second ? std::string("created") : second.error().str();
  });
  EXPECT_NE(out.find("error: a process can hold one simulator"), std::string::npos) << out;
}

TEST(Simulator, UnusableProgramsAreErrors) {
  auto errorOf = [](const isa::Program &p) { return simulate(p, {}).error; };
  isa::Program rows = Bench().region(Region::Kind::Zero, kEast, 0, 0, 1000, 100).at(0, "mem.e0", "config").finish();
  EXPECT_NE(errorOf(rows).find("region0: error: region lies outside"), std::string::npos) << errorOf(rows);
  isa::Program image = Bench().region(Region::Kind::Constant, kEast, 0, 0, 0, 2).at(0, "mem.e0", "config").finish();
  EXPECT_NE(errorOf(image).find("error: region needs image bytes 0..128, the image has 0"), std::string::npos);
  isa::Program queue = emptyProgram();
  queue.classes[0].programs[0].queues[0].queue.index = 28;
  EXPECT_NE(errorOf(queue).find("error: the machine has no queue mem.e28"), std::string::npos) << errorOf(queue);
  isa::Program twice = emptyProgram();
  twice.classes[0].programs[0].queues.push_back(twice.classes[0].programs[0].queues[0]);
  EXPECT_NE(errorOf(twice).find("has code twice"), std::string::npos);
  isa::Program output = emptyProgram();
  output.classes[0].programs[0].outputs.push_back(binding(4, 1, 1015, 64, 64));
  EXPECT_NE(errorOf(output).find("binding 'x' lies outside"), std::string::npos);
  isa::Program link = emptyProgram();
  link.wires = {{0, 0, 0, 11}};
  EXPECT_NE(errorOf(link).find("error: wire from chip 0, link 0 to chip 0, link 11"), std::string::npos);
  sim::Options trace;
  trace.tracePath = "/nonexistent/trace.json";
  EXPECT_NE(simulate(emptyProgram(), trace).error.find("/nonexistent/trace.json: error: cannot write"),
            std::string::npos);
}

nlohmann::json traceOf(const isa::Program &program, sim::Options options) {
  std::string path = testing::TempDir() + "lpu-trace-" + std::to_string(::getpid()) + ".json";
  options.tracePath = path;
  simulate(program, options);
  std::ifstream file(path);
  nlohmann::json trace = nlohmann::json::parse(file, nullptr, false);
  std::remove(path.c_str());
  return trace;
}

nlohmann::json slicesOf(const nlohmann::json &trace, const std::string &track) {
  int tid = -1;
  for (const auto &e : trace["traceEvents"])
    if (e["name"] == "thread_name" && e["args"]["name"] == track)
      tid = e["tid"];
  nlohmann::json slices = nlohmann::json::array();
  for (const auto &e : trace["traceEvents"])
    if (e["ph"] == "X" && e["tid"] == tid)
      slices.push_back({e["name"], e["ts"], e["dur"]});
  return slices;
}

// One track per queue; a run of dispatches of one label is one slice; steps lie one after the other.
TEST_P(Simulators, TraceShowsOperationsPerQueue) {
  Bench b;
  b.region(Region::Kind::Zero, kEast, 0, 0, 0);
  b.label("layer \"0\"").append("mem.e0", {"mem rd=1", "repeat count=4 interval=2 window=1"}, 9);
  b.label("layer 1").at(12, "mem.e0", "mem rd=1");
  b.at(3, "vxm.2", "move a=imm");
  b.nextStep().label("later").at(5, "vxm.2", "move a=imm");
  nlohmann::json trace = traceOf(b.finish(), options());
  ASSERT_FALSE(trace.is_discarded());
  EXPECT_EQ(slicesOf(trace, "mem.e0"), nlohmann::json::parse(R"([["layer \"0\"", 0, 9], ["layer 1", 12, 1]])"));
  // The first step is 12 + 5 + 4 - 1 = 20 cycles long.
  EXPECT_EQ(slicesOf(trace, "vxm.2"), nlohmann::json::parse(R"([["layer 1", 3, 1], ["later", 25, 1]])"));
  EXPECT_EQ(slicesOf(trace, "steps"), nlohmann::json::parse(R"([["step0", 0, 20], ["step1", 20, 12]])"));
  EXPECT_NE(trace["otherData"]["time"].get<std::string>().find("cycle"), std::string::npos);
}

TEST_P(Simulators, TraceIsValidAfterAHazard) {
  Bench b;
  b.label("bad").at(5, "vxm.2", "move a=w1:1");
  nlohmann::json trace = traceOf(b.finish(), options());
  ASSERT_FALSE(trace.is_discarded());
  EXPECT_EQ(slicesOf(trace, "vxm.2").size(), 1u);
}

} // namespace
} // namespace lpu::test
