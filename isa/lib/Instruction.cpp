// The instruction table and the encoder and decoder it drives. The table is the
// expansion of Instructions.def: a flat list of rows in which the FIELD rows
// belong to the INSTRUCTION row above them. The fields common to all VXM
// operations come last, then those common to all units, and only when
// LPU_VXM_FIELDS and LPU_UNIT_FIELDS are defined, so they are what the second
// expansion has beyond the first.
#include "lpu/isa/Instruction.h"

#include "lpu/isa/Machine.h"

#include <algorithm>
#include <cctype>
#include <vector>

namespace lpu::isa {
namespace {

enum class Sign : std::uint8_t { U, S };

/// Lets &LatencyNames::X name a member of Latencies, and "None" nothing.
struct LatencyNames : Latencies {
  static constexpr Cycle None = 0;
};
using LatencyMember = Cycle Latencies::*;
constexpr LatencyMember memberOf(LatencyMember member) { return member; }
constexpr LatencyMember memberOf(const Cycle *) { return nullptr; }

struct Row {
  bool isField = false;
  FieldInfo field{};
  Opcode opcode{};
  std::string_view mnemonic, unit, latencyName, doc;
  int operands = 0;
  LatencyMember latency = nullptr;
};

#define INSTRUCTION(ENUM, MNEMONIC, UNIT, LATENCY, DOC)                                                                \
  Row{false, {}, Opcode::ENUM, MNEMONIC, #UNIT, #LATENCY, DOC, 0, memberOf(&LatencyNames::LATENCY)},
#define VXM_OP(ENUM, MNEMONIC, LATENCY, OPERANDS, DOC)                                                                 \
  Row{false, {}, Opcode::ENUM, MNEMONIC, "Vxm", #LATENCY, DOC, OPERANDS, memberOf(&LatencyNames::LATENCY)},
#define FIELD(NAME, LSB, WIDTH, SIGN)                                                                                  \
  Row{true, {Field::NAME, LSB, WIDTH, Sign::SIGN == Sign::S}, {}, {}, {}, {}, {}, 0, nullptr},
constexpr Row kRows[] = {
#include "lpu/isa/Instructions.def"
};

#define INSTRUCTION(ENUM, MNEMONIC, UNIT, LATENCY, DOC) Row{},
#define VXM_OP(ENUM, MNEMONIC, LATENCY, OPERANDS, DOC) Row{},
#define FIELD(NAME, LSB, WIDTH, SIGN)                                                                                  \
  Row{true, {Field::NAME, LSB, WIDTH, Sign::SIGN == Sign::S}, {}, {}, {}, {}, {}, 0, nullptr},
#define LPU_VXM_FIELDS
#define LPU_UNIT_FIELDS
constexpr Row kRowsWithCommonFields[] = {
#include "lpu/isa/Instructions.def"
};
constexpr std::size_t kUnitFields = 2; ///< of them, the last: Copies and Wait
static_assert(kRowsWithCommonFields[std::size(kRowsWithCommonFields) - kUnitFields].field.field == Field::Copies);

constexpr std::string_view kFieldEnumNames[] = {
    "Count",      "Interval", "Window",    "Mode",      "Dir",      "Stream",    "Rd",     "RdBank",     "RdRow",
    "RdStep",     "RdDir",    "RdStream",  "Wr",        "WrBank",   "WrRow",     "WrStep", "WrDir",      "WrStream",
    "Bank",       "MapDir",   "MapStream", "MapLane",   "AKind",    "AIndex",    "ADir",   "AWidth",     "BKind",
    "BIndex",     "BDir",     "BWidth",    "CKind",     "CIndex",   "CDir",      "CWidth", "Out",        "OutDir",
    "OutStream",  "OutWidth", "AccWrite",  "Imm",       "RowGroup", "RowStep",   "Load",   "LoadStream", "LoadRow",
    "LoadStep",   "Play",     "PlayRow",   "PlayStep",  "Mask",     "Install",   "Fp16",   "Packed",     "Row",
    "AccMode",    "Emit",     "SrcDir",    "SrcStream", "DstDir",   "DstStream", "Amount", "Map",        "Src2Dir",
    "Src2Stream", "Copies",   "Wait"};
static_assert(std::size(kFieldEnumNames) == kFieldCount);

/// A 128-bit word as two halves; fields may straddle bit 64.
struct Bits {
  std::uint64_t lo = 0, hi = 0;
};

constexpr std::uint64_t lowMask(unsigned width) {
  return width >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << width) - 1;
}

void deposit(Bits &bits, unsigned lsb, unsigned width, std::uint64_t value) {
  value &= lowMask(width);
  if (lsb >= 64) {
    bits.hi |= value << (lsb - 64);
    return;
  }
  bits.lo |= value << lsb;
  if (lsb + width > 64)
    bits.hi |= value >> (64 - lsb);
}

std::uint64_t extract(const Bits &bits, unsigned lsb, unsigned width) {
  std::uint64_t value = lsb >= 64 ? bits.hi >> (lsb - 64) : bits.lo >> lsb;
  if (lsb < 64 && lsb + width > 64)
    value |= bits.hi << (64 - lsb);
  return value & lowMask(width);
}

Bits load(const Word &word) {
  Bits bits;
  for (int i = 7; i >= 0; --i) {
    bits.lo = bits.lo << 8 | word[i];
    bits.hi = bits.hi << 8 | word[8 + i];
  }
  return bits;
}

Word store(const Bits &bits) {
  Word word;
  for (int i = 0; i < 8; ++i) {
    word[i] = static_cast<std::uint8_t>(bits.lo >> (8 * i));
    word[8 + i] = static_cast<std::uint8_t>(bits.hi >> (8 * i));
  }
  return word;
}

struct Table {
  std::vector<FieldInfo> fields;
  std::vector<InstructionInfo> infos;
  std::vector<LatencyMember> latencies;
  std::vector<Bits> covered; ///< per opcode: bits that belong to the opcode or a field
  std::array<std::string, kFieldCount> fieldNames;

  Table() {
    fields.reserve(std::size(kRowsWithCommonFields) + std::size(kRows) * kUnitFields); // spans into it must stay valid
    addVxmFields();
    for (std::size_t r = 0; r < std::size(kRows); ++r)
      if (!kRows[r].isField)
        addInstruction(r);
    for (int i = 0; i < kFieldCount; ++i)
      for (char c : kFieldEnumNames[i])
        fieldNames[i] += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }

private:
  std::span<const FieldInfo> vxmFields;

  void addVxmFields() {
    for (std::size_t r = std::size(kRows); r < std::size(kRowsWithCommonFields); ++r)
      fields.push_back(kRowsWithCommonFields[r].field);
    vxmFields = fields;
  }

  void addUnitFields() {
    for (std::size_t r = std::size(kRowsWithCommonFields) - kUnitFields; r < std::size(kRowsWithCommonFields); ++r)
      fields.push_back(kRowsWithCommonFields[r].field);
  }

  void addInstruction(std::size_t at) {
    const Row &row = kRows[at];
    const std::size_t first = fields.size();
    for (std::size_t r = at + 1; r < std::size(kRows) && kRows[r].isField; ++r)
      fields.push_back(kRows[r].field);
    if (row.unit != "Any" && row.unit != "Vxm")
      addUnitFields();
    std::span<const FieldInfo> own = std::span(fields).subspan(first);
    if (row.unit == "Vxm")
      own = vxmFields;
    infos.push_back({row.opcode, row.mnemonic, row.unit, row.latencyName, row.doc, row.operands, own});
    latencies.push_back(row.latency);
    Bits bits;
    deposit(bits, 0, 8, 0xff);
    for (const FieldInfo &f : own)
      deposit(bits, f.lsb, f.width, ~std::uint64_t{0});
    covered.push_back(bits);
  }
};

const Table &table() {
  static const Table instance;
  return instance;
}

bool fits(std::int64_t value, const FieldInfo &f) {
  const std::int64_t span = std::int64_t{1} << (f.isSigned ? f.width - 1 : f.width);
  return value < span && value >= (f.isSigned ? -span : 0);
}

/// Bit of the first bit set in `bits` outside of `covered`, or -1.
int strayBit(const Bits &bits, const Bits &covered) {
  if (std::uint64_t stray = bits.lo & ~covered.lo)
    return __builtin_ctzll(stray);
  if (std::uint64_t stray = bits.hi & ~covered.hi)
    return 64 + __builtin_ctzll(stray);
  return -1;
}

} // namespace

std::span<const InstructionInfo> instructions() { return table().infos; }

const InstructionInfo &info(Opcode opcode) { return table().infos[static_cast<std::size_t>(opcode)]; }

std::string_view fieldName(Field field) { return table().fieldNames[static_cast<std::size_t>(field)]; }

bool isVxm(Opcode opcode) { return opcode >= Opcode::Move && opcode <= Opcode::Recip; }

Result<Word> encode(const Instruction &instruction) {
  const auto number = static_cast<std::size_t>(instruction.opcode);
  if (number >= instructions().size())
    return Error{"opcode", "no instruction has opcode " + std::to_string(number)};
  const InstructionInfo &in = info(instruction.opcode);
  Bits bits;
  deposit(bits, 0, 8, number);
  std::array<bool, kFieldCount> known{};
  for (const FieldInfo &f : in.fields) {
    const std::int64_t value = instruction.get(f.field);
    if (!fits(value, f))
      return Error{std::string(fieldName(f.field)),
                   "value " + std::to_string(value) + " of '" + std::string(in.mnemonic) + "' does not fit " +
                       std::to_string(f.width) + (f.isSigned ? " signed bits" : " unsigned bits")};
    deposit(bits, f.lsb, f.width, static_cast<std::uint64_t>(value));
    known[static_cast<std::size_t>(f.field)] = true;
  }
  for (int i = 0; i < kFieldCount; ++i)
    if (!known[i] && instruction.fields[i] != 0)
      return Error{std::string(fieldName(static_cast<Field>(i))),
                   "'" + std::string(in.mnemonic) + "' has no such field, its value must be 0"};
  return store(bits);
}

Result<Instruction> decode(const Word &word) {
  if (word[0] >= instructions().size())
    return Error{"opcode", "no instruction has opcode " + std::to_string(word[0])};
  const InstructionInfo &in = info(static_cast<Opcode>(word[0]));
  const Bits bits = load(word);
  if (int stray = strayBit(bits, table().covered[word[0]]); stray >= 0)
    return Error{"bit " + std::to_string(stray), "set outside of the fields of '" + std::string(in.mnemonic) + "'"};
  Instruction instruction;
  instruction.opcode = in.opcode;
  for (const FieldInfo &f : in.fields) {
    std::uint64_t value = extract(bits, f.lsb, f.width);
    if (f.isSigned && value >> (f.width - 1) & 1)
      value |= ~lowMask(f.width);
    instruction.set(f.field, static_cast<std::int64_t>(value));
  }
  return instruction;
}

Cycle latencyOf(const Machine &machine, Opcode opcode) {
  const LatencyMember member = table().latencies[static_cast<std::size_t>(opcode)];
  return member ? machine.latency.*member : 0;
}

bool accepts(UnitKind unit, Opcode opcode) {
  static constexpr std::string_view kUnits[] = {"Mem", "Vxm", "MxmW", "MxmA", "MxmR", "Sxm", "C2c"};
  const std::string_view owner = info(opcode).unit;
  return owner == "Any" || owner == kUnits[static_cast<std::size_t>(unit)];
}

} // namespace lpu::isa
