// Queue names, the dense numbering and positions.
#include "lpu/isa/Instruction.h"
#include "lpu/isa/Machine.h"

#include <gtest/gtest.h>

#include <set>

using namespace lpu::isa;

namespace {

QueueId parsed(std::string_view text) {
  auto q = parseQueueName(text);
  EXPECT_TRUE(q) << text;
  return q ? *q : QueueId{};
}

TEST(Queues, NamesOfTheDocumentation) {
  EXPECT_EQ(parsed("mem.e12"), (QueueId{UnitKind::Mem, Side::East, 12}));
  EXPECT_EQ(parsed("mem.w0"), (QueueId{UnitKind::Mem, Side::West, 0}));
  EXPECT_EQ(parsed("vxm.3"), (QueueId{UnitKind::Vxm, Side::East, 3}));
  EXPECT_EQ(parsed("mxm.e0.w"), (QueueId{UnitKind::MxmW, Side::East, 0}));
  EXPECT_EQ(parsed("mxm.w1.a"), (QueueId{UnitKind::MxmA, Side::West, 1}));
  EXPECT_EQ(parsed("mxm.w1.r"), (QueueId{UnitKind::MxmR, Side::West, 1}));
  EXPECT_EQ(parsed("sxm.e5"), (QueueId{UnitKind::Sxm, Side::East, 5}));
  EXPECT_EQ(parsed("c2c.4"), (QueueId{UnitKind::C2c, Side::East, 4}));
}

TEST(Queues, RefusedNames) {
  for (std::string_view text :
       {"",          "m",          "mem",    "mem.",   "mem.e",  "mem.12",  "mem.n1", "mem.e12x", "mem.e-1",
        "mem.e012",  "mem.e99999", "MEM.e1", "vxm.",   "vxm.e1", "vxm. 1",  "mxm.e0", "mxm.e0.",  "mxm.e0.x",
        "mxm.e0.ww", "mxm.0.w",    "sxm.5",  "c2c.e1", "icu.0",  "mem.e1 ", " mem.e1"}) {
    auto q = parseQueueName(text);
    EXPECT_FALSE(q) << text;
    if (!q) {
      EXPECT_EQ(q.error().place, text);
    }
  }
}

TEST(Queues, NumberingIsDenseOrderedAndNamed) {
  for (const std::string &preset : presetNames()) {
    const Machine m = *loadMachine(preset);
    std::set<std::string> names;
    for (int n = 0; n < queueCount(m); ++n) {
      const QueueId q = queueAt(m, n);
      EXPECT_EQ(queueNumber(m, q), n);
      EXPECT_EQ(parsed(queueName(q)), q);
      EXPECT_TRUE(names.insert(queueName(q)).second);
      EXPECT_LE(std::abs(queuePosition(m, q)), m.maxPosition());
    }
  }
}

TEST(Queues, Tsp1HasThePublishedQueues) {
  const Machine m;
  EXPECT_EQ(queueCount(m), 144 + 11);
  EXPECT_EQ(queueName(queueAt(m, 0)), "mem.e0");
  EXPECT_EQ(queueName(queueAt(m, 44)), "mem.w0");
  EXPECT_EQ(queueName(queueAt(m, 88)), "vxm.0");
  EXPECT_EQ(queueName(queueAt(m, 104)), "mxm.e0.w");
  EXPECT_EQ(queueName(queueAt(m, 105)), "mxm.e0.a");
  EXPECT_EQ(queueName(queueAt(m, 109)), "mxm.e1.r");
  EXPECT_EQ(queueName(queueAt(m, 110)), "mxm.w0.w");
  EXPECT_EQ(queueName(queueAt(m, 116)), "sxm.e0");
  EXPECT_EQ(queueName(queueAt(m, 130)), "sxm.w0");
  EXPECT_EQ(queueName(queueAt(m, 144)), "c2c.0");
  EXPECT_EQ(queueName(queueAt(m, 154)), "c2c.10");
}

TEST(Queues, Positions) {
  const Machine m;
  const auto position = [&](std::string_view name) { return queuePosition(m, parsed(name)); };
  EXPECT_EQ(position("vxm.7"), 0);
  EXPECT_EQ(position("mem.e0"), 1);
  EXPECT_EQ(position("mem.e3"), 1);
  EXPECT_EQ(position("mem.e4"), 2);
  EXPECT_EQ(position("mem.w43"), -11);
  EXPECT_EQ(position("sxm.e13"), 12);
  EXPECT_EQ(position("mxm.w1.r"), -13);
  EXPECT_EQ(position("c2c.5"), 12);
  EXPECT_EQ(position("c2c.6"), -12);
}

} // namespace
