// Text form of instructions and step programs (the grammar is in
// `lpu-as --help`). Writing and parsing are exact inverses: assembling what was
// written for a program gives back every bit of its step programs.
#pragma once

#include "lpu/isa/Program.h"
#include "lpu/isa/Result.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lpu::isa {

/// "mem rd=1 rdrow=5 rdstream=w3": the mnemonic and every field that is not
/// zero. A stream field is written with its direction ("w3"); VXM operands are
/// "a=e4:4" (direction, stream, bytes), "a=alu3", "a=imm", "a=acc".
std::string disassemble(const Instruction &instruction);

/// Inverse of disassemble; also takes every field by its plain name, `nop 5`,
/// hexadecimal numbers and fp32 immediates ("imm=1.5f"). The error's place is empty.
Result<Instruction> assembleInstruction(std::string_view text);

/// Contents of an assembly file. predictedCycles is -1 where it gave no `predicted=`.
struct AssemblyFile {
  std::vector<SystemStep> steps;
  /// As declared with `.class`; without one, the class "all" of a single chip.
  std::vector<ChipClass> classes{{"all", {}, 0, {}, {}, 0}};
  bool hasClasses = false;
  std::vector<Chip> chips; ///< empty without `.class`
  std::vector<Wire> wires;
  /// Per class: contents of its Constant regions (`.row`), the same for all its chips.
  std::vector<std::vector<std::uint8_t>> images{1};
  bool residentCode = true;
  /// Line of the first declaration of memory, maps or a loop-back; 0 when there is none.
  int firstDeclaration = 0;
};

/// Parses a file; the error's place is "file:line".
Result<AssemblyFile> parseAssembly(std::string_view text, const std::string &fileName, const Machine &machine);

/// All step programs of a program; of several chips, their starts and wires too.
std::string writeAssembly(const Program &program);

/// A complete program from a hand-written file: model and tokenizer stay empty;
/// a step without `predicted=` claims the length the legality checker computes.
Result<Program> assembleProgram(std::string_view text, const std::string &fileName, const Machine &machine);

/// `program` with its step programs replaced by those of the file, and the starts
/// and wires of its chips where the file has classes.
Result<Program> assembleOnto(Program program, std::string_view text, const std::string &fileName);

/// A C-like quoted string: \" \\ \n \xHH are the only escapes.
std::string quote(std::string_view text);

} // namespace lpu::isa
