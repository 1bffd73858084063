// Keys and ranges of machine descriptions. Upper bounds come from the widths of
// instruction fields where there is one, else they keep derived sizes sane.
#include "MachineKeys.h"

#include <fmt/format.h>

namespace lpu::isa {
namespace {

using M = Machine;
using L = Latencies;

constexpr double kMaxCycles = 65535;

const MachineKey kKeys[] = {
    {"clock", "ghz", &M::clockGHz, 0.001, 100},

    {"lanes", "superlanes", &M::superlanes, 1, 32},
    {"lanes", "per_superlane", &M::lanesPerSuperlane, 16, 16},
    {"streams", "per_direction", &M::streamsPerDirection, 32, 32},

    {"mem", "slices_per_side", &M::memSlicesPerSide, 1, 1024},
    {"mem", "slices_per_position", &M::memSlicesPerPosition, 1, 64},
    {"mem", "banks", &M::memBanks, 2, 2},
    {"mem", "rows_per_bank", &M::memRowsPerBank, 1, 4096},

    {"vxm", "alus", &M::vxmAlus, 1, 32},

    {"mxm", "planes_per_side", &M::mxmPlanesPerSide, 1, 8},
    {"mxm", "activation_rows", &M::mxmActivationRows, 1, 256},
    {"mxm", "accumulator_rows", &M::mxmAccumulatorRows, 1, 1024},
    {"mxm", "int4_expand", &M::mxmInt4Expand, 0, 1, true},

    {"sxm", "transpose_queues", &M::sxmTransposeQueues, 0, 16},
    {"sxm", "permute_queues", &M::sxmPermuteQueues, 0, 16},
    {"sxm", "distribute_queues", &M::sxmDistributeQueues, 0, 16},
    {"sxm", "select_queues", &M::sxmSelectQueues, 0, 16},

    {"c2c", "links", &M::c2cLinks, 0, 64},
    {"c2c", "east_links", &M::c2cEastLinks, 0, 64},
    {"c2c", "vector_interval", &M::c2cVectorInterval, 1, kMaxCycles},
    {"c2c", "fifo_vectors", &M::c2cFifoVectors, 1, 65535},

    {"queues", "words", &M::queueWords, 1, 65535},
    {"queues", "preload_words", &M::queuePreloadWords, 1, 65535},

    {"host", "latency_us", &M::hostLatencyUs, 0, 1e6},
    {"host", "gb_per_second", &M::hostGBps, 0.001, 1e6},

    {"latency", "mem_read", &L::MemRead, 1, kMaxCycles},
    {"latency", "mem_write", &L::MemWrite, 1, kMaxCycles},
    {"latency", "mem_gather", &L::MemGather, 1, kMaxCycles},
    {"latency", "mem_scatter", &L::MemScatter, 1, kMaxCycles},
    {"latency", "vxm_simple", &L::VxmSimple, 1, kMaxCycles},
    {"latency", "vxm_special", &L::VxmSpecial, 1, kMaxCycles},
    {"latency", "mxm_load_weights", &L::MxmLoadWeights, 1, kMaxCycles},
    {"latency", "mxm_load", &L::MxmLoad, 1, kMaxCycles},
    {"latency", "mxm_install", &L::MxmInstall, 1, kMaxCycles},
    {"latency", "mxm_play", &L::MxmPlay, 1, kMaxCycles},
    {"latency", "mxm_emit", &L::MxmEmit, 1, kMaxCycles},
    {"latency", "sxm_within", &L::SxmWithin, 1, kMaxCycles},
    {"latency", "sxm_across", &L::SxmAcross, 1, kMaxCycles},
    {"latency", "sxm_transpose", &L::SxmTranspose, 1, kMaxCycles},
    {"latency", "c2c_send", &L::C2cSend, 1, kMaxCycles},
    {"latency", "c2c_receive", &L::C2cReceive, 1, kMaxCycles},
    {"latency", "barrier", &L::Barrier, 2, kMaxCycles},
    {"latency", "ifetch", &L::IFetch, 1, kMaxCycles},
};

} // namespace

std::span<const MachineKey> machineKeys() { return kKeys; }

std::optional<KeyConflict> conflictOf(const Machine &machine) {
  if (machine.c2cEastLinks > machine.c2cLinks)
    return KeyConflict{
        "c2c", "east_links",
        fmt::format("'c2c.east_links' is {}, more than the {} of 'c2c.links'", machine.c2cEastLinks, machine.c2cLinks)};
  if (machine.queuePreloadWords > machine.queueWords)
    return KeyConflict{"queues", "preload_words",
                       fmt::format("'queues.preload_words' is {}, more than the {} of 'queues.words'",
                                   machine.queuePreloadWords, machine.queueWords)};
  return std::nullopt;
}

} // namespace lpu::isa
