// One instruction from text. Field values are checked against the instruction
// table here, so that a message can say what the field would take.
#include "lpu/isa/Assembler.h"

#include "AssemblerText.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <optional>
#include <unordered_map>

namespace lpu::isa {
namespace {

using text::OperandFields;

std::optional<std::int64_t> parseNumber(std::string_view s) {
  const bool negative = s.starts_with('-');
  if (negative)
    s.remove_prefix(1);
  int base = 10;
  if (s.starts_with("0x") || s.starts_with("0X")) {
    base = 16;
    s.remove_prefix(2);
  }
  std::uint64_t value = 0;
  auto [end, ec] = std::from_chars(s.data(), s.data() + s.size(), value, base);
  if (ec != std::errc() || end != s.data() + s.size() || s.empty() || value > 0x7fffffffffffffffull)
    return std::nullopt;
  return negative ? -static_cast<std::int64_t>(value) : static_cast<std::int64_t>(value);
}

const std::unordered_map<std::string_view, Opcode> &mnemonics() {
  static const auto map = [] {
    std::unordered_map<std::string_view, Opcode> m;
    for (const InstructionInfo &i : instructions())
      m.emplace(i.mnemonic, i.opcode);
    return m;
  }();
  return map;
}

struct StreamText {
  std::int64_t dir, stream;
  std::optional<std::int64_t> bytes;
};

/// "w3" or "e4:2".
std::optional<StreamText> parseStream(std::string_view s) {
  if (s.size() < 2 || (s[0] != 'e' && s[0] != 'w') || s[1] < '0' || s[1] > '9')
    return std::nullopt;
  StreamText result{s[0] == 'w', 0, std::nullopt};
  std::string_view number = s.substr(1);
  if (const auto colon = number.find(':'); colon != number.npos) {
    result.bytes = parseNumber(number.substr(colon + 1));
    if (!result.bytes)
      return std::nullopt;
    number = number.substr(0, colon);
  }
  const auto stream = parseNumber(number);
  if (!stream)
    return std::nullopt;
  result.stream = *stream;
  return result;
}

class Parser {
public:
  Parser(std::string_view t) : rest(t) {}

  Result<Instruction> run() {
    const std::string_view mnemonic = word();
    if (mnemonic.empty())
      return Error{"", "no instruction; write a mnemonic followed by field=value"};
    const auto found = mnemonics().find(mnemonic);
    if (found == mnemonics().end())
      return Error{"", "unknown mnemonic '" + std::string(mnemonic) + "'; docs/isa.md lists all instructions"};
    desc = &info(found->second);
    result.opcode = found->second;
    for (std::string_view w = word(); !w.empty(); w = word())
      if (!item(w))
        return Error{"", message};
    return result;
  }

private:
  std::string_view rest;
  const InstructionInfo *desc = nullptr;
  Instruction result;
  std::array<bool, kFieldCount> given{};
  std::string message;

  std::string_view word() {
    const auto begin = rest.find_first_not_of(" \t\r");
    if (begin == rest.npos)
      return {};
    const auto end = std::min(rest.find_first_of(" \t\r", begin), rest.size());
    const std::string_view w = rest.substr(begin, end - begin);
    rest = rest.substr(end);
    return w;
  }
  bool fail(std::string m) { return message = std::move(m), false; }
  std::string mnemonic() const { return std::string(desc->mnemonic); }

  bool item(std::string_view w) {
    const auto equal = w.find('=');
    if (equal == w.npos) {
      if (result.opcode == Opcode::Nop && parseNumber(w))
        return set(Field::Count, *parseNumber(w));
      return fail("'" + std::string(w) + "' of " + mnemonic() + " has no value; write field=value");
    }
    const std::string_view name = w.substr(0, equal), value = w.substr(equal + 1);
    if (isVxm(result.opcode)) {
      for (const OperandFields &o : text::kOperands)
        if (name == std::string_view(&o.name, 1))
          return operand(o, value);
      if (name == "out" && parseStream(value))
        return output(*parseStream(value));
    }
    for (const FieldInfo &f : desc->fields)
      if (fieldName(f.field) == name)
        return field(f.field, value);
    return fail("unknown field '" + std::string(name) + "' of " + mnemonic() + "; it has " + fieldList());
  }

  std::string fieldList() const {
    std::string list;
    if (isVxm(result.opcode))
      list = "a, b, c, out, ";
    for (const FieldInfo &f : desc->fields)
      list.append(fieldName(f.field)).append(", ");
    return list.empty() ? "no fields" : list.substr(0, list.size() - 2);
  }

  bool operand(const OperandFields &o, std::string_view value) {
    if (const auto s = parseStream(value))
      return kind(o, OperandKind::Stream) && set(o.index, s->stream) && set(o.dir, s->dir) &&
             width(o.width, s->bytes.value_or(4));
    if (value == "imm")
      return kind(o, OperandKind::Immediate);
    if (value == "acc")
      return kind(o, OperandKind::Accumulator);
    if (value.starts_with("alu"))
      if (const auto n = parseNumber(value.substr(3)))
        return kind(o, OperandKind::Alu) && set(o.index, *n);
    return fail("operand '" + std::string(value) + "' of " + mnemonic() +
                " is not a stream (e4:4), an ALU (alu3), imm or acc");
  }
  bool kind(const OperandFields &o, OperandKind k) { return set(o.kind, static_cast<int>(k)); }
  bool width(Field f, std::int64_t bytes) {
    if (bytes != 1 && bytes != 2 && bytes != 4)
      return fail("width " + std::to_string(bytes) + " of " + mnemonic() + " is not 1, 2 or 4 bytes");
    return set(f, widthCode(static_cast<int>(bytes)));
  }
  bool output(const StreamText &s) {
    return set(Field::Out, 1) && set(Field::OutStream, s.stream) && set(Field::OutDir, s.dir) &&
           width(Field::OutWidth, s.bytes.value_or(4));
  }

  bool field(Field f, std::string_view value) {
    if (text::isDirection(f) && (value == "e" || value == "w"))
      return set(f, value == "w");
    static constexpr std::string_view kAccModes[] = {"none", "overwrite", "add", "addf"};
    if (const auto mode = std::ranges::find(kAccModes, value); f == Field::AccMode && mode != std::end(kAccModes))
      return set(f, mode - kAccModes);
    if (const auto s = parseStream(value))
      for (const text::StreamPair &pair : text::kStreamPairs)
        if (pair.stream == f && text::hasField(*desc, pair.dir) && !s->bytes)
          return set(f, s->stream) && set(pair.dir, s->dir);
    if (f == Field::Imm)
      return immediate(value);
    const auto n = parseNumber(value);
    if (!n)
      return fail("value '" + std::string(value) + "' of field " + std::string(fieldName(f)) + " of " + mnemonic() +
                  " is not a number");
    return set(f, *n);
  }

  bool immediate(std::string_view value) {
    if (const auto n = parseNumber(value))
      return set(Field::Imm, *n < 0 && *n >= INT32_MIN ? std::int64_t{static_cast<std::uint32_t>(*n)} : *n);
    float number = 0;
    const char *last = value.data() + value.size() - 1;
    if (value.ends_with('f'))
      if (auto [end, ec] = std::from_chars(value.data(), last, number); ec == std::errc() && end == last)
        return set(Field::Imm, std::bit_cast<std::uint32_t>(number));
    return fail("immediate '" + std::string(value) + "' is neither an integer nor an fp32 number such as 1.5f");
  }

  bool set(Field f, std::int64_t value) {
    if (given[static_cast<int>(f)])
      return fail("field " + std::string(fieldName(f)) + " of " + mnemonic() + " is given twice; remove one");
    given[static_cast<int>(f)] = true;
    for (const FieldInfo &i : desc->fields) {
      if (i.field != f)
        continue;
      const std::int64_t lo = i.isSigned ? -(std::int64_t{1} << (i.width - 1)) : 0;
      const std::int64_t hi = (std::int64_t{1} << (i.isSigned ? i.width - 1 : i.width)) - 1;
      if (value < lo || value > hi)
        return fail("field " + std::string(fieldName(f)) + " of " + mnemonic() + " takes " + std::to_string(lo) +
                    " to " + std::to_string(hi) + ", not " + std::to_string(value));
      result.set(f, value);
      return true;
    }
    return fail(mnemonic() + " has no field " + std::string(fieldName(f)));
  }
};

} // namespace

Result<Instruction> assembleInstruction(std::string_view text) { return Parser(text).run(); }

} // namespace lpu::isa
