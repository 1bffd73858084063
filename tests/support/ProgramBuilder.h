// Hand-written step programs for tests: instructions as assembly text, placed at
// cycles counted from the release of the step's barrier. The builder adds the
// opening sync of every queue, the one notify, and nop words between cycles.
#pragma once

#include "lpu/isa/Program.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace lpu::test {

using Row = std::vector<std::uint8_t>;

class ProgramBuilder {
public:
  /// `machine`: preset name. Steps after the first are started by nextStep().
  explicit ProgramBuilder(const std::string &machine = "small");

  isa::Program program;
  isa::Machine &machine = program.machine;
  isa::ChipClass &chip() { return program.classes[0]; }

  /// Places an instruction; cycles of one queue must grow. Throws on bad text.
  ProgramBuilder &at(isa::Cycle cycle, const std::string &queue, const std::string &instruction);
  /// Appends words to a queue without placing them (repeat, ifetch, …). `next`:
  /// the cycle at which the word after them would dispatch.
  ProgramBuilder &append(const std::string &queue, const std::vector<std::string> &instructions, isa::Cycle next);
  /// Label of the words added from here on.
  ProgramBuilder &label(const std::string &name);
  /// Leaves out the sync and notify that finish() adds: the queues' words are all there is.
  ProgramBuilder &bare();
  /// Closes the current step and opens another one.
  ProgramBuilder &nextStep();

  /// Rows with contents, and rows of any other kind.
  ProgramBuilder &constant(isa::Side side, int slice, int bank, int row, const Row &bytes);
  ProgramBuilder &region(isa::Region::Kind kind, isa::Side side, int slice, int bank, int row, int rows = 1);

  /// Every lane the same, or lane l = f(l).
  Row fill(int value) const { return Row(program.machine.lanes(), static_cast<std::uint8_t>(value)); }
  template <class F> Row lanes(F f) const {
    Row row(program.machine.lanes());
    for (int l = 0; l < program.machine.lanes(); ++l)
      row[l] = static_cast<std::uint8_t>(f(l));
    return row;
  }

  /// The finished program.
  isa::Program finish();
  static isa::Word word(const std::string &instruction);

private:
  struct Text {
    std::vector<isa::Word> words;
    std::vector<std::uint16_t> labels;
    isa::Cycle next = 0;
  };
  void add(Text &text, const std::string &instruction);
  void closeStep();

  std::map<std::string, Text> queues;
  std::vector<std::string> labels{"control"};
  std::uint16_t currentLabel = 0;
  bool isBare = false;
  std::vector<std::uint8_t> image;
};

} // namespace lpu::test
