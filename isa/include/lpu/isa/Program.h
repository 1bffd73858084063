// The program container (.lpx): what the compiler hands to the runtime and the
// simulator. One file holds the machine it was compiled for, the chips of the
// system and how their links are wired, memory regions with their initial
// contents, and for each kind of chip one program per system step.
#pragma once

#include "lpu/isa/Instruction.h"
#include "lpu/isa/Machine.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace lpu::isa {

/// A block of memory rows. Row (r, i) with 0 <= r < rows, 0 <= i < slices is
/// row `row0 + r` of bank `bank` of slice `slice0 + i` on `side`.
struct Region {
  enum class Kind : std::uint8_t {
    Constant, ///< initial contents from the image; a write is a violation
    Zero,     ///< starts as zeros (KV cache), writable
    Scratch,  ///< starts never written, writable
    Code,     ///< space charged for instruction text; never accessed
  };
  std::string name;
  Kind kind = Kind::Scratch;
  Side side = Side::East;
  std::uint16_t slice0 = 0, slices = 1;
  std::uint8_t bank = 0;
  std::uint16_t row0 = 0, rows = 0;
  /// Constant: byte offset of row (0, 0) in the chip's own image (Chip::imageOffset);
  /// row (r, i) is at imageOffset + (r * slices + i) * machine.rowBytes().
  std::uint64_t imageOffset = 0;
};

/// A named input or output: `items` vectors-of-vectors. Byte b of vector v of
/// item k is row `row0 + k * vectors + v` of slice `slice0 + b`.
/// Lane l of vector v holds element v * lanesUsed + l (broadcast inputs: all lanes equal).
struct Binding {
  std::string name;            ///< "token", "position" (inputs, int32 broadcast), "logits" (output, fp32)
  std::uint8_t width = 4;      ///< bytes per element = slices
  std::uint32_t items = 1;     ///< tokens of the step
  std::uint32_t vectors = 1;   ///< vectors per item
  std::uint32_t lanesUsed = 0; ///< lanes used in each vector (the last may be partial)
  std::uint32_t elements = 0;  ///< elements per item
  Side side = Side::East;
  std::uint16_t slice0 = 0;
  std::uint8_t bank = 0;
  std::uint16_t row0 = 0;
};

struct QueueCode {
  QueueId queue;
  std::vector<Word> words;
  /// Per word: index into StepProgram::labels of the operation it serves.
  std::vector<std::uint16_t> labels;
};

struct Utilization {
  double mxm = 0, vxm = 0, sxm = 0, mem = 0, streams = 0;
};

/// What one kind of chip does in a step, between an opening SYNC and its last
/// effect. Cycles count from this program's own start. Without queues the chip
/// takes no part in the step.
struct StepProgram {
  Cycle predictedCycles = 0;
  Cycle weightStreamBoundCycles = 0, resourceBoundCycles = 0, criticalPathCycles = 0, lowerBoundCycles = 0;
  Utilization utilization;
  std::vector<QueueCode> queues;
  std::vector<std::string> labels; ///< "layer 3: qkv", …; index 0 is "control"
  std::vector<Binding> inputs, outputs;
};

/// One kind of chip: chips of a class share memory layout and programs; they
/// differ in the bytes of their constants, in when their programs start, and in
/// where their links lead.
struct ChipClass {
  std::string name; ///< "all", "layers.4", "embedding", …
  std::vector<Region> regions;
  std::uint64_t imageBytes = 0;      ///< constants of one chip
  std::vector<StepProgram> programs; ///< one per Program::steps
  /// SXM map table: per map, one source lane per lane (-1: zero).
  std::vector<std::vector<std::int16_t>> sxmMaps;
  std::uint32_t layerCount = 0; ///< layers a chip of this class holds
};

struct Chip {
  std::uint16_t chipClass = 0;   ///< index into Program::classes
  std::uint64_t imageOffset = 0; ///< of its constants in Program::image; 0 without weights
  /// Per step: its queues begin this many cycles after the barrier's release.
  std::vector<Cycle> start;
  /// Place in the partition, for reports and for the order of outputs.
  std::uint32_t stage = 0, shard = 0, firstLayer = 0;
};

/// A full-duplex cable between two links; chipA == chipB loops back to the same chip.
struct Wire {
  std::uint16_t chipA = 0;
  std::uint8_t linkA = 0;
  std::uint16_t chipB = 0;
  std::uint8_t linkB = 0;
  auto operator<=>(const Wire &) const = default;
};

enum class StepKind : std::uint8_t { Prefill, Decode, Encode };
constexpr const char *stepKindName(StepKind kind) {
  return kind == StepKind::Prefill ? "prefill" : kind == StepKind::Decode ? "decode" : "encode";
}

/// A step of the whole system; every chip class has a program for it.
struct SystemStep {
  std::string name;
  StepKind kind = StepKind::Decode;
  std::uint32_t tokens = 1;  ///< tokens fed per user
  std::uint32_t context = 0; ///< positions it can attend to: every fed position must be < context
  std::uint32_t users = 1;   ///< independent sequences
  /// The largest start + predictedCycles of all chips that take part.
  Cycle predictedCycles = 0;
};

/// What the runtime needs to turn text into token ids and back.
struct Tokenizer {
  /// "llama" (SentencePiece scores), "gpt2" (byte-level BPE), "pipeline" (as `pipeline` says), "none"
  std::string model;
  std::string pre;                 ///< pre-tokenizer name for gpt2
  std::vector<std::string> tokens; ///< raw bytes
  std::vector<float> scores;
  std::vector<std::int32_t> types; ///< GGUF token types
  std::vector<std::string> merges; ///< "left right"
  std::int32_t bos = -1, eos = -1, unknown = -1;
  bool addBos = true, addSpacePrefix = true;
  std::string pipeline;                 ///< JSON in the format of tokenizer.json, without what the tables hold
  std::vector<std::int32_t> mergePairs; ///< ids of left, right, left, right, …, of a pipeline; the lowest rank first
  std::vector<std::int32_t> ends;       ///< ids that end a generation, besides eos
  std::string chatTemplate;             ///< Jinja; empty: none
};

struct ModelInfo {
  std::string name, architecture;
  std::uint32_t vocabulary = 0, maxContext = 0, layers = 0;
  std::uint32_t tokenTypes = 0; ///< of encoders
};

struct Program {
  std::string machineYaml; ///< canonical text (writeMachine)
  Machine machine;
  ModelInfo model;
  Tokenizer tokenizer;
  std::uint32_t tp = 1, pp = 1; ///< chips a layer is spread over; stages the layers are dealt to
  std::string topology;         ///< name of the system's wiring; empty for one chip
  std::vector<ChipClass> classes;
  std::vector<Chip> chips;
  std::vector<Wire> wires;
  std::vector<SystemStep> steps;
  /// True: queues hold the whole text (space charged as Code regions). False:
  /// queues start with queuePreloadWords and the rest arrives by IFETCH.
  bool residentCode = true;

  /// False: compiled for timing alone; Constant regions have a place but no contents.
  bool hasWeights = true;

  /// Initial contents of Constant regions, chip by chip; memory-mapped when read from a file.
  std::span<const std::uint8_t> image;
  /// Keeps `image` alive (a mapping, or a std::vector<uint8_t>).
  std::shared_ptr<const void> imageOwner;
};

/// The largest start + predictedCycles of the chips that take part in a step.
Cycle predictedLength(const Program &program, std::size_t step);

/// Identifies this instruction set: a hash over Instructions.def's contents as compiled in.
std::uint64_t isaHash();

/// Writes to `path` atomically (temporary file, then rename): header, page-aligned
/// image, checksums. The same program gives the same bytes.
Status writeProgram(const Program &program, const std::string &path);
/// Reads and checks a container: magic, format version, ISA hash, machine hash,
/// checksums, all ranges. The image is mapped, not copied.
Result<Program> readProgram(const std::string &path);

} // namespace lpu::isa
