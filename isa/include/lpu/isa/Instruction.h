// Decoded instructions, their 16-byte words, and the queues they belong to.
#pragma once

#include "lpu/isa/Result.h"

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace lpu::isa {

struct Machine;

/// Chip cycles at superlane 0; cycle 0 of a step is the release of its opening SYNC.
using Cycle = std::int64_t;

/// Direction of travel of a stream. Positions grow eastwards, VXM stands at 0.
enum class Direction : std::uint8_t { East = 0, West = 1 };
/// Hemisphere of a unit.
enum class Side : std::uint8_t { East = 0, West = 1 };

enum class UnitKind : std::uint8_t { Mem, Vxm, MxmW, MxmA, MxmR, Sxm, C2c };

enum class Opcode : std::uint8_t {
#define INSTRUCTION(ENUM, MNEMONIC, UNIT, LATENCY, DOC) ENUM,
#define VXM_OP(ENUM, MNEMONIC, LATENCY, OPERANDS, DOC) ENUM,
#include "lpu/isa/Instructions.def"
};

/// Names of all fields of all instructions; a field means the same everywhere.
enum class Field : std::uint8_t {
  Count,
  Interval,
  Window,
  Mode,
  Dir,
  Stream,
  Rd,
  RdBank,
  RdRow,
  RdStep,
  RdDir,
  RdStream,
  Wr,
  WrBank,
  WrRow,
  WrStep,
  WrDir,
  WrStream,
  Bank,
  MapDir,
  MapStream,
  MapLane,
  AKind,
  AIndex,
  ADir,
  AWidth,
  BKind,
  BIndex,
  BDir,
  BWidth,
  CKind,
  CIndex,
  CDir,
  CWidth,
  Out,
  OutDir,
  OutStream,
  OutWidth,
  AccWrite,
  Imm,
  RowGroup,
  RowStep,
  Load,
  LoadStream,
  LoadRow,
  LoadStep,
  Play,
  PlayRow,
  PlayStep,
  Mask,
  Install,
  Fp16,
  Packed,
  Row,
  AccMode,
  Emit,
  SrcDir,
  SrcStream,
  DstDir,
  DstStream,
  Amount,
  Map,
  Src2Dir,
  Src2Stream,
  Copies,
  Wait,
};
inline constexpr int kFieldCount = static_cast<int>(Field::Wait) + 1;

enum class OperandKind : std::uint8_t { None = 0, Stream = 1, Alu = 2, Immediate = 3, Accumulator = 4 };
enum class AccMode : std::uint8_t { None = 0, Overwrite = 1, Add = 2, AddF = 3 };
/// Width codes of VXM operands and results, and the bytes they stand for.
constexpr int widthBytes(std::int64_t code) { return 1 << code; }
constexpr std::int64_t widthCode(int bytes) { return bytes == 1 ? 0 : bytes == 2 ? 1 : 2; }

struct FieldInfo {
  Field field;
  std::uint8_t lsb, width;
  bool isSigned;
};

struct InstructionInfo {
  Opcode opcode;
  std::string_view mnemonic;
  std::string_view unit;    ///< "Any", "Mem", "Vxm", … as in Instructions.def
  std::string_view latency; ///< member of Latencies, or "None"
  std::string_view doc;
  int operands; ///< VXM: how many of a, b, c it reads; else 0
  std::span<const FieldInfo> fields;
};

/// All instructions in opcode order.
std::span<const InstructionInfo> instructions();
const InstructionInfo &info(Opcode opcode);
/// Field name as the assembler writes it, e.g. "rdrow".
std::string_view fieldName(Field field);
bool isVxm(Opcode opcode);

/// A decoded instruction. Fields an opcode does not have stay 0.
struct Instruction {
  Opcode opcode = Opcode::Nop;
  std::array<std::int64_t, kFieldCount> fields{};

  std::int64_t get(Field f) const { return fields[static_cast<int>(f)]; }
  Instruction &set(Field f, std::int64_t v) {
    fields[static_cast<int>(f)] = v;
    return *this;
  }
  bool operator==(const Instruction &) const = default;
};

/// An encoded instruction, little-endian.
using Word = std::array<std::uint8_t, 16>;

/// Error when a field value does not fit its bits (place: field name).
Result<Word> encode(const Instruction &instruction);
/// Error for an unknown opcode or bits set outside of all fields.
Result<Instruction> decode(const Word &word);

/// One instruction queue of a chip. `index`: MEM slice 0.., ALU 0.., MXM plane
/// of the side, SXM queue of the side, or C2C link. Side is East for VXM and C2C.
struct QueueId {
  UnitKind unit = UnitKind::Mem;
  Side side = Side::East;
  std::uint16_t index = 0;
  auto operator<=>(const QueueId &) const = default;
};

/// "mem.e12", "vxm.3", "mxm.e0.w", "mxm.w1.a", "mxm.w1.r", "sxm.e5", "c2c.4".
std::string queueName(QueueId queue);
Result<QueueId> parseQueueName(std::string_view text);
/// Dense numbering of a machine's queues: MEM east, MEM west, VXM, MXM (plane
/// by plane W, A, R; east first), SXM east, SXM west, C2C.
int queueNumber(const Machine &machine, QueueId queue);
QueueId queueAt(const Machine &machine, int number);
int queueCount(const Machine &machine);
/// Stream register position of the unit behind a queue (VXM 0, east positive).
int queuePosition(const Machine &machine, QueueId queue);
/// Dispatch-to-result latency of an instruction on this machine (0 for "None").
Cycle latencyOf(const Machine &machine, Opcode opcode);
/// May this queue issue this opcode?
bool accepts(UnitKind unit, Opcode opcode);

} // namespace lpu::isa
