// Step programs as an assembly file. Everything StepProgram holds is written;
// defaults are left out only where the parser restores the same value.
#include "lpu/isa/Assembler.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <map>

namespace lpu::isa {

std::string quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte == 0x7f) {
      char buffer[8];
      std::snprintf(buffer, sizeof buffer, "\\x%02x", byte);
      out += buffer;
    } else {
      out += c;
    }
  }
  return out += '"';
}

namespace {

void pair(std::string &out, const char *key, std::int64_t value) {
  out.append(" ").append(key).append("=").append(std::to_string(value));
}
/// Hexadecimal floating point: exact for every double.
void pair(std::string &out, const char *key, double value) {
  char buffer[40];
  std::snprintf(buffer, sizeof buffer, "%a", value);
  out.append(" ").append(key).append("=").append(buffer);
}

void writeBinding(std::string &out, const char *directive, const Binding &b) {
  out.append(directive).append(" ").append(quote(b.name));
  pair(out, "width", std::int64_t{b.width});
  pair(out, "items", std::int64_t{b.items});
  pair(out, "vectors", std::int64_t{b.vectors});
  pair(out, "lanesused", std::int64_t{b.lanesUsed});
  pair(out, "elements", std::int64_t{b.elements});
  out += b.side == Side::East ? " side=e" : " side=w";
  pair(out, "slice0", std::int64_t{b.slice0});
  pair(out, "bank", std::int64_t{b.bank});
  pair(out, "row0", std::int64_t{b.row0});
  out += '\n';
}

void writeStep(std::string &out, const SystemStep &step) {
  out.append(".step ").append(quote(step.name));
  out.append(" kind=").append(stepKindName(step.kind));
  pair(out, "tokens", std::int64_t{step.tokens});
  pair(out, "context", std::int64_t{step.context});
  if (step.users != 1)
    pair(out, "users", std::int64_t{step.users});
  pair(out, "predicted", step.predictedCycles);
  out += '\n';
}

void writeHead(std::string &out, const StepProgram &step) {
  out += ".bounds";
  pair(out, "weightstream", step.weightStreamBoundCycles);
  pair(out, "resource", step.resourceBoundCycles);
  pair(out, "criticalpath", step.criticalPathCycles);
  pair(out, "lower", step.lowerBoundCycles);
  out += "\n.utilization";
  const Utilization &u = step.utilization;
  pair(out, "mxm", u.mxm);
  pair(out, "vxm", u.vxm);
  pair(out, "sxm", u.sxm);
  pair(out, "mem", u.mem);
  pair(out, "streams", u.streams);
  out += '\n';
  for (const Binding &b : step.inputs)
    writeBinding(out, ".input", b);
  for (const Binding &b : step.outputs)
    writeBinding(out, ".output", b);
  for (const std::string &label : step.labels)
    out.append(".name ").append(quote(label)).append("\n");
}

/// The fp32 reading of an immediate that takes part in an fp32 operation.
std::string immediateComment(const Instruction &i) {
  const std::string_view mnemonic = info(i.opcode).mnemonic;
  if (!isVxm(i.opcode) || i.get(Field::Imm) == 0 || !mnemonic.ends_with('f'))
    return "";
  char buffer[40];
  std::snprintf(buffer, sizeof buffer, "  # %.9g", std::bit_cast<float>(static_cast<std::uint32_t>(i.get(Field::Imm))));
  return buffer;
}

/// Words no instruction has (only a damaged or foreign program holds them).
std::string rawWord(const Word &word) {
  std::string out = ".word ";
  for (const std::uint8_t byte : word) {
    char buffer[4];
    std::snprintf(buffer, sizeof buffer, "%02x", byte);
    out += buffer;
  }
  return out;
}

class QueueWriter {
public:
  QueueWriter(std::string &o, const StepProgram &step) : out(o), labels(step.labels) {
    for (std::size_t i = 0; i < labels.size(); ++i)
      first.emplace(labels[i], i);
  }

  void run(const QueueCode &code) {
    out.append("\n.queue ").append(queueName(code.queue)).append("\n");
    std::uint16_t current = 0;
    for (std::size_t i = 0; i < code.words.size(); ++i) {
      const std::uint16_t label = i < code.labels.size() ? code.labels[i] : 0;
      if (label != current)
        writeLabel(current = label);
      const Result<Instruction> decoded = decode(code.words[i]);
      out += "  ";
      out += decoded ? disassemble(*decoded) + immediateComment(*decoded) : rawWord(code.words[i]);
      out += '\n';
    }
  }

private:
  std::string &out;
  const std::vector<std::string> &labels;
  std::map<std::string_view, std::size_t> first;

  /// By name; by number when the name does not identify the entry.
  void writeLabel(std::uint16_t label) {
    const bool named = label < labels.size() && first.at(labels[label]) == label;
    out.append(".label ").append(named ? quote(labels[label]) : std::to_string(label)).append("\n");
  }
};

void writeProgram(std::string &out, const StepProgram &step) {
  writeHead(out, step);
  QueueWriter writer(out, step);
  for (const QueueCode &code : step.queues)
    writer.run(code);
}

/// Steps first, then the programs of each class, then chips and wires.
void writeSystem(std::string &out, const Program &program) {
  out += '\n';
  for (const SystemStep &step : program.steps)
    writeStep(out, step);
  for (const ChipClass &chipClass : program.classes) {
    out.append("\n.class ").append(quote(chipClass.name));
    pair(out, "layers", std::int64_t{chipClass.layerCount});
    out += '\n';
    for (std::size_t i = 0; i < program.steps.size(); ++i) {
      out.append("\n.program ").append(quote(program.steps[i].name));
      pair(out, "predicted", chipClass.programs[i].predictedCycles);
      out += '\n';
      writeProgram(out, chipClass.programs[i]);
    }
  }
  out += '\n';
  for (const Chip &chip : program.chips) {
    out.append(".chip ").append(quote(program.classes[chip.chipClass].name));
    for (std::size_t i = 0; i < chip.start.size(); ++i)
      out.append(i == 0 ? " start=" : ",").append(std::to_string(chip.start[i]));
    pair(out, "stage", std::int64_t{chip.stage});
    pair(out, "shard", std::int64_t{chip.shard});
    pair(out, "firstlayer", std::int64_t{chip.firstLayer});
    out += '\n';
  }
  for (const Wire &w : program.wires)
    out.append(".wire " + std::to_string(w.chipA) + " " + std::to_string(w.linkA) + " " + std::to_string(w.chipB) +
               " " + std::to_string(w.linkB) + "\n");
}

} // namespace

std::string writeAssembly(const Program &program) {
  std::string out = "# lpu assembly, machine " + program.machine.name + "; see docs/isa.md\n";
  const bool late = std::ranges::any_of(program.chips[0].start, [](Cycle start) { return start != 0; });
  if (program.classes.size() > 1 || program.chips.size() > 1 || late) {
    writeSystem(out, program);
    return out;
  }
  for (std::size_t i = 0; i < program.steps.size(); ++i) {
    out += '\n';
    writeStep(out, program.steps[i]);
    writeProgram(out, program.classes[0].programs[i]);
  }
  return out;
}

} // namespace lpu::isa
