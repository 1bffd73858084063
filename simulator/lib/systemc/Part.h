// The chips of a program that this process simulates, and the host's access to
// their memories.
#pragma once

#include "System.h"

namespace lpu::sim {

class Part {
public:
  /// Elaborates, once per process. `exchange`: with the other processes; null: this one simulates all. Both outlive it.
  static Result<std::unique_ptr<Part>> create(const isa::Program &program, const Options &options, Exchange *exchange);
  ~Part() { system.close(); }

  void write(std::size_t step, std::string_view name, std::span<const std::uint8_t> data);
  PartResult run(std::size_t step) { return system.run(step); }
  /// Is the memory of a chip here?
  bool holds(std::size_t chip) const { return system.rankOf(chip) == system.rank(); }
  int rankOf(std::size_t chip) const { return system.rankOf(chip); }
  /// What chip `chip` holds of an output: items × its elements.
  std::vector<std::uint8_t> read(std::size_t chip, const isa::Binding &binding) const;
  void clearState();
  Status closeFiles() { return system.closeFiles(); }
  /// Chips whose memories a digest is over, in order; those that stand for others.
  const std::vector<std::size_t> &digestOrder() const { return system.chipsWithMemory(); }
  void hash(std::size_t chip, Sha256 &digest) const { system.memory(chip).hash(digest); }
  std::vector<std::uint8_t> peek(std::size_t chip, isa::Side side, int slice, int bank, int row) const;

  const isa::Program &program;

private:
  Part(const isa::Program &program, System &system) : program(program), system(system) {}
  void write(Memory &memory, const isa::Binding &binding, std::span<const std::uint8_t> data) const;

  System &system;
};

/// The binding of that name; null: none.
const isa::Binding *findBinding(const std::vector<isa::Binding> &bindings, std::string_view name);
/// What a chip runs in a step.
inline const isa::StepProgram &programOf(const isa::Program &program, std::size_t chip, std::size_t step) {
  return program.classes[program.chips[chip].chipClass].programs[step];
}

} // namespace lpu::sim
