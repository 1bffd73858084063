// Instructions as text. Every bit of an instruction shows: what the readable
// forms (streams with their direction, VXM operands, masks in hexadecimal)
// cannot express is written as plain field=value, so that assembling the text
// always gives back the same word.
#include "AssemblerText.h"
#include "lpu/isa/Assembler.h"

#include <charconv>

namespace lpu::isa {
namespace {

using text::OperandFields;
using text::StreamPair;

void appendNumber(std::string &out, std::int64_t value, int base = 10) {
  char buffer[24];
  auto end = std::to_chars(buffer, buffer + sizeof buffer, value, base).ptr;
  out.append(buffer, end);
}

class Writer {
public:
  explicit Writer(const Instruction &i) : instruction(i), desc(info(i.opcode)) {}

  std::string run() {
    out = desc.mnemonic;
    if (instruction.opcode == Opcode::Nop)
      return out += ' ', appendNumber(out, instruction.get(Field::Count)), out;
    if (isVxm(instruction.opcode)) {
      for (const OperandFields &operand : text::kOperands)
        writeOperand(operand);
      writeOut();
    }
    for (const FieldInfo &field : desc.fields)
      writeField(field.field);
    return out;
  }

private:
  const Instruction &instruction;
  const InstructionInfo &desc;
  std::string out;
  std::array<bool, kFieldCount> written{};

  std::int64_t get(Field f) const { return instruction.get(f); }
  void mark(Field f) { written[static_cast<int>(f)] = true; }
  void key(std::string_view name) { out.append(" ").append(name).append("="); }

  void writeStream(Field dir, Field stream) {
    out += get(dir) ? 'w' : 'e';
    appendNumber(out, get(stream));
  }
  void markAll(const OperandFields &o) { mark(o.kind), mark(o.index), mark(o.dir), mark(o.width); }

  /// Readable form, or nothing: writeField then shows the fields one by one.
  void writeOperand(const OperandFields &o) {
    const std::int64_t kind = get(o.kind), width = get(o.width);
    const bool plain = get(o.dir) == 0 && width == 0;
    const std::string_view name(&o.name, 1);
    if (kind == static_cast<int>(OperandKind::Stream) && width <= 2) {
      key(name);
      writeStream(o.dir, o.index);
      out += ':';
      appendNumber(out, widthBytes(width));
    } else if (kind == static_cast<int>(OperandKind::Alu) && plain) {
      key(name);
      out += "alu";
      appendNumber(out, get(o.index));
    } else if (kind == static_cast<int>(OperandKind::Immediate) && plain && get(o.index) == 0) {
      key(name);
      out += "imm";
    } else if (kind == static_cast<int>(OperandKind::Accumulator) && plain && get(o.index) == 0) {
      key(name);
      out += "acc";
    } else {
      return;
    }
    markAll(o);
  }

  void writeOut() {
    if (get(Field::Out) != 1 || get(Field::OutWidth) > 2)
      return;
    key("out");
    writeStream(Field::OutDir, Field::OutStream);
    out += ':';
    appendNumber(out, widthBytes(get(Field::OutWidth)));
    mark(Field::Out), mark(Field::OutDir), mark(Field::OutStream), mark(Field::OutWidth);
  }

  /// The stream field a direction field is written with, if this instruction has it.
  const StreamPair *pairOf(Field f) const {
    for (const StreamPair &pair : text::kStreamPairs)
      if ((pair.dir == f || pair.stream == f) && text::hasField(desc, pair.dir))
        return &pair;
    return nullptr;
  }

  void writeField(Field f) {
    if (written[static_cast<int>(f)])
      return;
    if (const StreamPair *pair = pairOf(f)) {
      mark(pair->dir), mark(pair->stream);
      const bool idle = pair->enable && get(*pair->enable) == 0;
      if (idle && get(pair->dir) == 0 && get(pair->stream) == 0)
        return;
      key(fieldName(pair->stream));
      return writeStream(pair->dir, pair->stream);
    }
    const std::int64_t value = get(f);
    if (value == 0)
      return;
    key(fieldName(f));
    if (text::isDirection(f) && value == 1) {
      out += 'w';
    } else if (f == Field::AccMode) {
      out += value == 1 ? "overwrite" : value == 2 ? "add" : "addf";
    } else if (f == Field::Imm || f == Field::Mask) {
      out += "0x";
      appendNumber(out, value, 16);
    } else {
      appendNumber(out, value);
    }
  }
};

} // namespace

std::string disassemble(const Instruction &instruction) { return Writer(instruction).run(); }

} // namespace lpu::isa
