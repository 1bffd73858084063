// Step programs as an assembly file. Everything StepProgram holds is written;
// defaults are left out only where the parser restores the same value.
#include "lpu/isa/Assembler.h"

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
  out.append(" kind=").append(step.kind == StepKind::Prefill ? "prefill" : "decode");
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

} // namespace

std::string writeAssembly(const Program &program) {
  std::string out = "# lpu assembly, machine " + program.machine.name + "; see docs/isa.md\n";
  for (std::size_t i = 0; i < program.steps.size(); ++i) {
    const StepProgram &step = program.classes[0].programs[i];
    out += '\n';
    writeStep(out, program.steps[i]);
    writeHead(out, step);
    QueueWriter writer(out, step);
    for (const QueueCode &code : step.queues)
      writer.run(code);
  }
  return out;
}

} // namespace lpu::isa
