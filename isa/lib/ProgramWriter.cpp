// Writes program containers (docs/spec/program-format.md). The bytes depend on
// the program alone: tables are built in a fixed order, nothing is stamped with
// time or host. The file appears under its name only when it is complete.
#include "ProgramFormat.h"
#include "lpu/isa/Files.h"
#include "lpu/isa/Hash.h"
#include "lpu/isa/Provenance.h"

#include "Program_generated.h"

#include <fmt/format.h>

namespace lpu::isa {
namespace {

using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;

/// The parts of Instructions.def that decide what a word means.
constexpr std::string_view kIsaText =
#define INSTRUCTION(ENUM, MNEMONIC, UNIT, LATENCY, DOC) "I " #ENUM " " MNEMONIC " " #UNIT " " #LATENCY "\n"
#define VXM_OP(ENUM, MNEMONIC, LATENCY, OPERANDS, DOC) "V " #ENUM " " MNEMONIC " " #LATENCY " " #OPERANDS "\n"
#define FIELD(NAME, LSB, WIDTH, SIGN) "F " #NAME " " #LSB " " #WIDTH " " #SIGN "\n"
#define LPU_VXM_FIELDS
#include "lpu/isa/Instructions.def"
    ;

/// Children before parents, as FlatBuffers wants it.
class Builder {
  const Program &p;
  const std::string &yaml;
  FlatBufferBuilder b;

  template <typename Range, typename Make> auto table(const Range &range, Make make) {
    std::vector<decltype(make(*range.begin()))> offsets;
    for (const auto &item : range)
      offsets.push_back(make(item));
    return b.CreateVector(offsets);
  }
  auto strings(const std::vector<std::string> &values) {
    return table(values, [&](const std::string &s) { return b.CreateString(s); });
  }

public:
  Builder(const Program &program, const std::string &yaml) : p(program), yaml(yaml) {}

  std::span<const std::uint8_t> build() {
    const auto model = buildModel();
    const auto tokenizer = buildTokenizer();
    const auto topology = b.CreateString(p.topology);
    const auto classes = table(p.classes, [&](const ChipClass &c) { return buildClass(c); });
    const auto chips = table(p.chips, [&](const Chip &c) { return buildChip(c); });
    std::vector<fb::Wire> cables;
    for (const Wire &w : p.wires)
      cables.emplace_back(w.chipA, w.linkA, w.chipB, w.linkB);
    const auto wires = b.CreateVectorOfStructs(cables);
    const auto steps = table(p.steps, [&](const SystemStep &s) {
      const auto name = b.CreateString(s.name);
      return fb::CreateSystemStep(b, name, number(s.kind), s.tokens, s.context, s.users, s.predictedCycles);
    });
    const auto text = b.CreateString(yaml);
    b.Finish(fb::CreateProgram(b, kFormatVersion, isaHash(), text, hash64(yaml), model, tokenizer, p.tp, p.pp, topology,
                               classes, chips, wires, steps, p.residentCode, p.hasWeights));
    return {b.GetBufferPointer(), b.GetSize()};
  }

private:
  template <typename Enum> static std::uint8_t number(Enum value) { return static_cast<std::uint8_t>(value); }

  Offset<fb::ModelInfo> buildModel() {
    const auto name = b.CreateString(p.model.name), architecture = b.CreateString(p.model.architecture);
    return fb::CreateModelInfo(b, name, architecture, p.model.vocabulary, p.model.maxContext, p.model.layers,
                               p.model.tokenTypes);
  }

  Offset<fb::Tokenizer> buildTokenizer() {
    const Tokenizer &t = p.tokenizer;
    const auto model = b.CreateString(t.model), pre = b.CreateString(t.pre);
    const auto tokens = strings(t.tokens);
    const auto scores = b.CreateVector(t.scores);
    const auto types = b.CreateVector(t.types);
    const auto merges = strings(t.merges);
    const auto pipeline = b.CreateString(t.pipeline), chatTemplate = b.CreateString(t.chatTemplate);
    const auto mergePairs = b.CreateVector(t.mergePairs), ends = b.CreateVector(t.ends);
    return fb::CreateTokenizer(b, model, pre, tokens, scores, types, merges, t.bos, t.eos, t.unknown, t.addBos,
                               t.addSpacePrefix, pipeline, mergePairs, ends, chatTemplate);
  }

  Offset<fb::Region> buildRegion(const Region &r) {
    const auto name = b.CreateString(r.name);
    return fb::CreateRegion(b, name, number(r.kind), number(r.side), r.slice0, r.slices, r.bank, r.row0, r.rows,
                            r.imageOffset);
  }

  Offset<fb::Binding> buildBinding(const Binding &x) {
    const auto name = b.CreateString(x.name);
    return fb::CreateBinding(b, name, x.width, x.items, x.vectors, x.lanesUsed, x.elements, number(x.side), x.slice0,
                             x.bank, x.row0);
  }

  Offset<fb::QueueCode> buildQueue(const QueueCode &code) {
    static_assert(sizeof(Word) == 16);
    const auto words =
        b.CreateVector(reinterpret_cast<const std::uint8_t *>(code.words.data()), code.words.size() * sizeof(Word));
    const auto labels = b.CreateVector(code.labels);
    return fb::CreateQueueCode(b, number(code.queue.unit), number(code.queue.side), code.queue.index, words, labels);
  }

  Offset<fb::ChipClass> buildClass(const ChipClass &c) {
    const auto name = b.CreateString(c.name);
    const auto regions = table(c.regions, [&](const Region &r) { return buildRegion(r); });
    const auto programs = table(c.programs, [&](const StepProgram &s) { return buildProgram(s); });
    const auto maps = table(
        c.sxmMaps, [&](const std::vector<std::int16_t> &map) { return fb::CreateSxmMap(b, b.CreateVector(map)); });
    return fb::CreateChipClass(b, name, regions, c.imageBytes, programs, maps, c.layerCount);
  }

  Offset<fb::Chip> buildChip(const Chip &c) {
    const auto start = b.CreateVector(c.start);
    return fb::CreateChip(b, c.chipClass, c.imageOffset, start, c.stage, c.shard, c.firstLayer);
  }

  Offset<fb::StepProgram> buildProgram(const StepProgram &s) {
    const auto queues = table(s.queues, [&](const QueueCode &q) { return buildQueue(q); });
    const auto labels = strings(s.labels);
    const auto inputs = table(s.inputs, [&](const Binding &x) { return buildBinding(x); });
    const auto outputs = table(s.outputs, [&](const Binding &x) { return buildBinding(x); });
    const fb::Utilization use(s.utilization.mxm, s.utilization.vxm, s.utilization.sxm, s.utilization.mem,
                              s.utilization.streams);
    return fb::CreateStepProgram(b, s.predictedCycles, s.weightStreamBoundCycles, s.resourceBoundCycles,
                                 s.criticalPathCycles, s.lowerBoundCycles, &use, queues, labels, inputs, outputs);
  }
};

/// Generous estimate of the metadata's size; the builder aborts beyond 2 GiB.
std::uint64_t metadataEstimate(const Program &p) {
  std::uint64_t bytes = 1 << 16;
  for (const auto *list : {&p.tokenizer.tokens, &p.tokenizer.merges})
    for (const std::string &s : *list)
      bytes += s.size() + 32;
  bytes += p.tokenizer.pipeline.size() + p.tokenizer.chatTemplate.size() + p.tokenizer.mergePairs.size() * 4;
  bytes += p.chips.size() * (64 + 8 * p.steps.size()) + p.wires.size() * 8;
  for (const ChipClass &chipClass : p.classes) {
    bytes += chipClass.regions.size() * 256 + chipClass.sxmMaps.size() * 1024;
    for (const StepProgram &step : chipClass.programs) {
      for (const QueueCode &code : step.queues)
        bytes += code.words.size() * 18 + 64;
      for (const std::string &s : step.labels)
        bytes += s.size() + 32;
    }
  }
  return bytes;
}

} // namespace

std::uint64_t isaHash() {
  static const std::uint64_t value = hash64(kIsaText);
  return value;
}

std::uint64_t headerHash(const FileHeader &header) {
  return hash64(std::span(reinterpret_cast<const std::uint8_t *>(&header), offsetof(FileHeader, headerHash)));
}

Status writeProgram(const Program &program, const std::string &path) { return writeProgram(program, path, ""); }

Status writeProgram(const Program &program, const std::string &path, std::string_view provenance) {
  const std::string yaml = writeMachine(program.machine);
  if (!program.machineYaml.empty() && program.machineYaml != yaml)
    return Error{path, "the program's machine text is not the canonical form of its machine"};
  if (Status status = checkProgram(program, path); !status)
    return status;
  if (metadataEstimate(program) > kMaxMetadataBytes)
    return Error{path, "the program text exceeds 2 GiB; compile fewer steps or a smaller context"};
  Builder builder(program, yaml);
  const std::span<const std::uint8_t> metadata = builder.build();

  FileHeader header;
  header.metadataBytes = metadata.size();
  header.metadataHash = hash64(metadata);
  header.imageOffset = alignUp(sizeof(FileHeader) + metadata.size(), kImageAlignment);
  header.imageBytes = program.image.size();
  header.imageHash = hash64(program.image);
  header.headerHash = headerHash(header);

  PendingFile file(path);
  file.write(&header, sizeof header);
  file.write(metadata.data(), metadata.size());
  file.write(std::string(header.imageOffset - sizeof header - metadata.size(), '\0'));
  file.write(program.image.data(), program.image.size());
  provenance = provenance.substr(0, kMaxProvenanceBytes);
  ProvenanceHeader section;
  section.bytes = static_cast<std::uint32_t>(provenance.size());
  if (!provenance.empty())
    file.write(&section, sizeof section);
  file.write(provenance.data(), provenance.size());
  return file.commit();
}

} // namespace lpu::isa
