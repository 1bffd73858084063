// The machine description: every number that says what the hardware is.
// Values come from a YAML file (isa/arch); which of them are published and
// which are assumptions is marked there.
#pragma once

#include "lpu/isa/Instruction.h"
#include "lpu/isa/Result.h"

#include <string>
#include <string_view>
#include <vector>

namespace lpu::isa {

/// Dispatch to result, in cycles (d_func of docs/spec/timing.md).
struct Latencies {
  Cycle MemRead = 5, MemWrite = 2, MemGather = 7, MemScatter = 4;
  Cycle VxmSimple = 4, VxmSpecial = 12;
  Cycle MxmLoadWeights = 1, MxmLoad = 1, MxmInstall = 1, MxmPlay = 44, MxmEmit = 1;
  Cycle SxmWithin = 4, SxmAcross = 24, SxmTranspose = 20;
  Cycle C2cSend = 216, C2cReceive = 1;
  Cycle Barrier = 35, IFetch = 1;
};

struct Machine {
  std::string name = "tsp1";
  double clockGHz = 0.9;

  int superlanes = 20;          ///< at most 32 (play mask)
  int lanesPerSuperlane = 16;   ///< fixed at 16
  int streamsPerDirection = 32; ///< fixed at 32

  int memSlicesPerSide = 44;
  int memSlicesPerPosition = 4;
  int memBanks = 2;          ///< fixed at 2
  int memRowsPerBank = 4096; ///< at most 4096 (12-bit map words)

  int vxmAlus = 16;

  int mxmPlanesPerSide = 2;
  int mxmActivationRows = 128;
  int mxmAccumulatorRows = 512;
  int mxmInt4Expand = 0; ///< 1: lw can expand packed int4 to two row groups (timing.md T5.8)

  int sxmTransposeQueues = 2, sxmPermuteQueues = 4, sxmDistributeQueues = 4,
      sxmSelectQueues = 4; ///< per side, in this order

  int c2cLinks = 11;
  int c2cEastLinks = 6;       ///< links 0..n-1 stand on the east side, the others west
  int c2cVectorInterval = 24; ///< cycles between sends on one link
  int c2cFifoVectors = 64;

  int queueWords = 80; ///< instruction queue capacity under IFETCH
  int queuePreloadWords = 40;

  double hostLatencyUs = 10.0;
  double hostGBps = 24.0;

  Latencies latency;

  int lanes() const { return superlanes * lanesPerSuperlane; }
  int rowBytes() const { return lanes(); }
  int memPosition(Side side, int slice) const {
    int p = 1 + slice / memSlicesPerPosition;
    return side == Side::East ? p : -p;
  }
  int sxmPosition() const { return (memSlicesPerSide + memSlicesPerPosition - 1) / memSlicesPerPosition + 1; }
  int mxmPosition() const { return sxmPosition() + 1; }
  int maxPosition() const { return mxmPosition(); }
  int sxmQueues() const { return sxmTransposeQueues + sxmPermuteQueues + sxmDistributeQueues + sxmSelectQueues; }
  std::int64_t memoryBytes() const {
    return std::int64_t{2} * memSlicesPerSide * memBanks * memRowsPerBank * rowBytes();
  }
};

/// Parses a description; unknown, missing, wrong-typed or out-of-range keys are
/// errors whose place is "file:line" and whose message names the key.
Result<Machine> parseMachine(std::string_view yaml, std::string_view fileName);
/// A preset by name ("tsp1", "small") or a path to a YAML file.
Result<Machine> loadMachine(const std::string &nameOrPath);
/// Canonical YAML of a description (parse(write(m)) == m); what a program carries and hashes.
std::string writeMachine(const Machine &machine);
std::vector<std::string> presetNames();

} // namespace lpu::isa
