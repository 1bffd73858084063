// The container as rows of offset | bytes | field | meaning, in file order:
// header, every scalar, string and array of the metadata, and every instruction
// word with the bits of its fields.
#include "Objdump.h"
#include "ToolSupport.h"
#include "lpu/isa/Assembler.h"

#include "../lib/ProgramFormat.h"
#include "Program_generated.h"

#include <algorithm>
#include <fmt/format.h>

namespace lpu::tools {
namespace {

using namespace isa;
namespace fb = isa::fb;

struct Row {
  std::size_t offset, size;
  std::string field, meaning;
};

class Annotator {
public:
  explicit Annotator(const std::string &f) : file(f) {}

  void run() {
    header();
    program(*fb::GetProgram(file.data() + sizeof(FileHeader)));
    std::ranges::stable_sort(rows, {}, &Row::offset);
    fmt::print("{:<10} | {:<47} | {:<36} | {}\n", "offset", "bytes", "field", "meaning");
    for (const Row &row : rows)
      print(row);
  }

private:
  const std::string &file;
  std::vector<Row> rows;

  std::string bytes(std::size_t offset, std::size_t size) const {
    std::string text;
    for (std::size_t i = 0; i < std::min<std::size_t>(size, 16); ++i)
      text += fmt::format("{}{:02x}", i ? " " : "", static_cast<unsigned char>(file[offset + i]));
    return text;
  }

  void print(const Row &row) const {
    fmt::print("0x{:08x} | {:<47} | {:<36} | {}{}\n", row.offset, bytes(row.offset, row.size), row.field, row.meaning,
               row.size > 16 ? fmt::format(" ({} bytes in all)", row.size) : "");
    if (row.field.ends_with(']') && row.size == sizeof(Word))
      printFields(row);
  }

  /// The bits of an instruction word's fields that are not zero.
  void printFields(const Row &row) const {
    Word word;
    std::copy_n(file.begin() + static_cast<std::ptrdiff_t>(row.offset), word.size(), word.begin());
    const Result<Instruction> decoded = decode(word);
    if (!decoded)
      return;
    for (const FieldInfo &f : info(decoded->opcode).fields)
      if (const std::int64_t value = decoded->get(f.field); value != 0)
        fmt::print("0x{:08x} |   bits {:<40} |   {:<34} | {}\n", row.offset + f.lsb / 8,
                   fmt::format("{}..{}", f.lsb, f.lsb + f.width - 1), fieldName(f.field), value);
  }

  std::size_t offsetOf(const void *p) const {
    return static_cast<std::size_t>(static_cast<const char *>(p) - file.data());
  }

  void header() {
    FileHeader h;
    std::memcpy(&h, file.data(), sizeof h);
    const auto row = [&](const void *member, std::size_t size, const char *name, std::string meaning) {
      const auto offset = static_cast<const char *>(member) - reinterpret_cast<const char *>(&h);
      rows.push_back({static_cast<std::size_t>(offset), size, std::string("header.") + name, std::move(meaning)});
    };
    row(h.magic, 4, "magic", "'LPUX'");
    row(&h.version, 4, "version", fmt::format("container format {}", h.version));
    row(&h.headerBytes, 4, "headerBytes", fmt::format("{}", h.headerBytes));
    row(&h.reserved, 4, "reserved", "zero");
    row(&h.metadataBytes, 8, "metadataBytes",
        fmt::format("{} bytes of FlatBuffers from 0x{:x}", h.metadataBytes, sizeof h));
    row(&h.metadataHash, 8, "metadataHash", "checksum of the metadata");
    row(&h.imageOffset, 8, "imageOffset", fmt::format("the image starts at 0x{:x}", h.imageOffset));
    row(&h.imageBytes, 8, "imageBytes", fmt::format("{}", h.imageBytes));
    row(&h.imageHash, 8, "imageHash", "checksum of the image");
    row(&h.headerHash, 8, "headerHash", "checksum of the bytes before");
    if (h.imageBytes != 0)
      rows.push_back({h.imageOffset, h.imageBytes, "image", "initial contents of the constant regions"});
    const std::size_t end = h.imageOffset + h.imageBytes;
    if (end == file.size())
      return;
    const std::size_t text = end + sizeof(ProvenanceHeader);
    rows.push_back({end, 4, "provenance.magic", "'LPUV'"});
    rows.push_back({end + 4, 4, "provenance.bytes", fmt::format("{}", file.size() - text)});
    rows.push_back({text, file.size() - text, "provenance.text", quote(file.substr(text))});
  }

  /// A scalar of a table, when it is stored (defaults are not).
  template <typename T>
  void scalar(const flatbuffers::Table *table, flatbuffers::voffset_t slot, const std::string &field, T value) {
    if (const std::uint8_t *at = table->GetAddressOf(slot))
      rows.push_back({offsetOf(at), sizeof(T), field, fmt::format("{}", value)});
  }
  void text(const flatbuffers::String *s, const std::string &field) {
    if (!s)
      return;
    const std::string value = s->str();
    rows.push_back(
        {offsetOf(s->data()), s->size(), field, quote(value.substr(0, 40)) + (value.size() > 40 ? "…" : "")});
  }
  template <typename Vector> void array(const Vector *v, const std::string &field, const char *what) {
    if (v && v->size() != 0)
      rows.push_back({offsetOf(v->Data()), v->size() * sizeof(typename Vector::value_type), field,
                      fmt::format("{} {}", v->size(), what)});
  }

#define SCALAR(TABLE, PTR, SLOT, NAME)                                                                                 \
  scalar(reinterpret_cast<const flatbuffers::Table *>(PTR), fb::TABLE::SLOT, prefix + #NAME, (PTR)->NAME())

  void program(const fb::Program &p) {
    const std::string prefix;
    SCALAR(Program, &p, VT_FORMAT_VERSION, format_version);
    SCALAR(Program, &p, VT_ISA_HASH, isa_hash);
    SCALAR(Program, &p, VT_MACHINE_HASH, machine_hash);
    SCALAR(Program, &p, VT_RESIDENT_CODE, resident_code);
    text(p.machine_yaml(), "machine_yaml");
    if (p.model()) {
      text(p.model()->name(), "model.name");
      text(p.model()->architecture(), "model.architecture");
    }
    if (const fb::Tokenizer *t = p.tokenizer()) {
      text(t->model(), "tokenizer.model");
      text(t->pre(), "tokenizer.pre");
      array(t->tokens(), "tokenizer.tokens", "offsets of token texts");
      array(t->scores(), "tokenizer.scores", "scores");
      array(t->types(), "tokenizer.types", "token types");
      array(t->merges(), "tokenizer.merges", "offsets of merges");
      text(t->pipeline(), "tokenizer.pipeline");
      array(t->merge_pairs(), "tokenizer.merge_pairs", "ids of merges");
      array(t->ends(), "tokenizer.ends", "ids of end tokens");
      text(t->chat_template(), "tokenizer.chat_template");
    }
    SCALAR(Program, &p, VT_TP, tp);
    SCALAR(Program, &p, VT_PP, pp);
    SCALAR(Program, &p, VT_HAS_WEIGHTS, has_weights);
    text(p.topology(), "topology");
    each(p.classes(), "classes", [&](const fb::ChipClass &c, const std::string &at) { chipClass(c, at); });
    each(p.chips(), "chips", [&](const fb::Chip &c, const std::string &at) { chip(c, at); });
    array(p.wires(), "wires", "pairs of chip and link");
    each(p.steps(), "steps", [&](const fb::SystemStep &s, const std::string &at) { step(s, at); });
  }

  void chipClass(const fb::ChipClass &c, const std::string &prefix) {
    text(c.name(), prefix + "name");
    SCALAR(ChipClass, &c, VT_IMAGE_BYTES, image_bytes);
    SCALAR(ChipClass, &c, VT_LAYER_COUNT, layer_count);
    each(c.regions(), prefix + "regions", [&](const fb::Region &r, const std::string &at) { region(r, at); });
    each(c.sxm_maps(), prefix + "sxm_maps",
         [&](const fb::SxmMap &m, const std::string &at) { array(m.lanes(), at + "lanes", "source lanes"); });
    each(c.programs(), prefix + "programs",
         [&](const fb::StepProgram &s, const std::string &at) { stepProgram(s, at); });
  }

  void chip(const fb::Chip &c, const std::string &prefix) {
    SCALAR(Chip, &c, VT_CHIP_CLASS, chip_class);
    SCALAR(Chip, &c, VT_IMAGE_OFFSET, image_offset);
    array(c.start(), prefix + "start", "start cycles, one per step");
    SCALAR(Chip, &c, VT_STAGE, stage);
    SCALAR(Chip, &c, VT_SHARD, shard);
    SCALAR(Chip, &c, VT_FIRST_LAYER, first_layer);
  }

  template <typename Vector, typename Visit> void each(const Vector *v, const std::string &name, Visit visit) {
    for (flatbuffers::uoffset_t i = 0; v && i < v->size(); ++i)
      visit(*v->Get(i), fmt::format("{}[{}].", name, i));
  }

  void region(const fb::Region &r, const std::string &prefix) {
    text(r.name(), prefix + "name");
    SCALAR(Region, &r, VT_KIND, kind);
    SCALAR(Region, &r, VT_SIDE, side);
    SCALAR(Region, &r, VT_SLICE0, slice0);
    SCALAR(Region, &r, VT_SLICES, slices);
    SCALAR(Region, &r, VT_BANK, bank);
    SCALAR(Region, &r, VT_ROW0, row0);
    SCALAR(Region, &r, VT_ROWS, rows);
    SCALAR(Region, &r, VT_IMAGE_OFFSET, image_offset);
  }

  void binding(const fb::Binding &b, const std::string &prefix) {
    text(b.name(), prefix + "name");
    SCALAR(Binding, &b, VT_WIDTH, width);
    SCALAR(Binding, &b, VT_ITEMS, items);
    SCALAR(Binding, &b, VT_VECTORS, vectors);
    SCALAR(Binding, &b, VT_LANES_USED, lanes_used);
    SCALAR(Binding, &b, VT_ELEMENTS, elements);
    SCALAR(Binding, &b, VT_SIDE, side);
    SCALAR(Binding, &b, VT_SLICE0, slice0);
    SCALAR(Binding, &b, VT_BANK, bank);
    SCALAR(Binding, &b, VT_ROW0, row0);
  }

  void step(const fb::SystemStep &s, const std::string &prefix) {
    text(s.name(), prefix + "name");
    SCALAR(SystemStep, &s, VT_KIND, kind);
    SCALAR(SystemStep, &s, VT_TOKENS, tokens);
    SCALAR(SystemStep, &s, VT_CONTEXT, context);
    SCALAR(SystemStep, &s, VT_USERS, users);
    SCALAR(SystemStep, &s, VT_PREDICTED_CYCLES, predicted_cycles);
  }

  void stepProgram(const fb::StepProgram &s, const std::string &prefix) {
    SCALAR(StepProgram, &s, VT_PREDICTED_CYCLES, predicted_cycles);
    SCALAR(StepProgram, &s, VT_WEIGHT_STREAM_BOUND_CYCLES, weight_stream_bound_cycles);
    SCALAR(StepProgram, &s, VT_RESOURCE_BOUND_CYCLES, resource_bound_cycles);
    SCALAR(StepProgram, &s, VT_CRITICAL_PATH_CYCLES, critical_path_cycles);
    SCALAR(StepProgram, &s, VT_LOWER_BOUND_CYCLES, lower_bound_cycles);
    if (const fb::Utilization *u = s.utilization())
      rows.push_back({offsetOf(u), sizeof *u, prefix + "utilization",
                      fmt::format("mxm {} vxm {} sxm {} mem {} streams {}", u->mxm(), u->vxm(), u->sxm(), u->mem(),
                                  u->streams())});
    for (flatbuffers::uoffset_t i = 0; s.labels() && i < s.labels()->size(); ++i)
      text(s.labels()->Get(i), fmt::format("{}labels[{}]", prefix, i));
    each(s.inputs(), prefix + "inputs", [&](const fb::Binding &b, const std::string &at) { binding(b, at); });
    each(s.outputs(), prefix + "outputs", [&](const fb::Binding &b, const std::string &at) { binding(b, at); });
    each(s.queues(), prefix + "queues", [&](const fb::QueueCode &q, const std::string &at) { queue(q, at); });
  }

  void queue(const fb::QueueCode &q, const std::string &prefix) {
    SCALAR(QueueCode, &q, VT_UNIT, unit);
    SCALAR(QueueCode, &q, VT_SIDE, side);
    SCALAR(QueueCode, &q, VT_INDEX, index);
    array(q.labels(), prefix + "labels", "label numbers, one per word");
    const std::string name = queueName({static_cast<UnitKind>(q.unit()), static_cast<Side>(q.side()), q.index()});
    for (std::size_t i = 0; q.words() && i < q.words()->size() / sizeof(Word); ++i) {
      Word word;
      std::memcpy(word.data(), q.words()->data() + i * sizeof(Word), sizeof word);
      const Result<Instruction> decoded = decode(word);
      rows.push_back({offsetOf(q.words()->data()) + i * sizeof(Word), sizeof(Word), fmt::format("{}[{}]", name, i),
                      decoded ? disassemble(*decoded) : decoded.error().str()});
    }
  }
#undef SCALAR
};

} // namespace

Status printAnnotated(const std::string &path) {
  const Result<std::string> file = readFile(path);
  if (!file)
    return file.error();
  Annotator(*file).run();
  return Ok{};
}

} // namespace lpu::tools
