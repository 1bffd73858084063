// Reads program containers (docs/spec/program-format.md). The file is untrusted:
// header, sizes, hashes and the FlatBuffers structure are verified before
// anything is looked at, ranges before the program is handed out.
#include "ProgramFormat.h"
#include "lpu/isa/Hash.h"
#include "lpu/isa/Provenance.h"

#include "Program_generated.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lpu::isa {
namespace {

/// A whole file mapped read-only; an empty or unreadable one has no bytes.
class Mapping {
public:
  explicit Mapping(const std::string &path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat info {};
    if (fd >= 0 && ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0)
      map(fd, static_cast<std::size_t>(info.st_size));
    else if (fd >= 0)
      reason = S_ISREG(info.st_mode) ? "the file is empty" : "not a regular file";
    else
      reason = std::strerror(errno);
    if (fd >= 0)
      ::close(fd);
  }
  ~Mapping() {
    if (data)
      ::munmap(data, size);
  }
  Mapping(const Mapping &) = delete;
  Mapping &operator=(const Mapping &) = delete;

  std::span<const std::uint8_t> bytes() const { return {static_cast<const std::uint8_t *>(data), size}; }
  std::string reason;

private:
  void *data = nullptr;
  std::size_t size = 0;

  void map(int fd, std::size_t length) {
    void *address = ::mmap(nullptr, length, PROT_READ, MAP_PRIVATE, fd, 0);
    if (address == MAP_FAILED)
      reason = std::strerror(errno);
    else
      data = address, size = length;
  }
};

constexpr const char *kDamaged = "the file is damaged or incomplete; copy or compile it again";

/// Whether what follows the image may do so: nothing, or a whole section.
bool isProvenance(std::span<const std::uint8_t> bytes) {
  if (bytes.empty())
    return true;
  ProvenanceHeader h;
  if (bytes.size() < sizeof h)
    return false;
  std::memcpy(&h, bytes.data(), sizeof h);
  return std::memcmp(h.magic, ProvenanceHeader{}.magic, sizeof h.magic) == 0 && h.bytes <= kMaxProvenanceBytes &&
         h.bytes == bytes.size() - sizeof h;
}

/// Header and layout; on success the header is trusted.
Result<FileHeader> readHeader(std::span<const std::uint8_t> bytes, const std::string &path) {
  FileHeader h;
  if (bytes.size() < sizeof h)
    return Error{path, fmt::format("{} bytes are too few for a program; {}", bytes.size(), kDamaged)};
  std::memcpy(&h, bytes.data(), sizeof h);
  if (std::memcmp(h.magic, FileHeader{}.magic, sizeof h.magic) != 0)
    return Error{path, "not a program: byte 0 does not start 'LPUX'; give a file made by lpucc or lpu-as"};
  if (h.version != kFormatVersion)
    return Error{path, fmt::format("container format version {}, this build reads version {}; compile it again",
                                   h.version, kFormatVersion)};
  if (h.headerHash != headerHash(h) || h.headerBytes != sizeof h || h.reserved != 0)
    return Error{path, fmt::format("header checksum mismatch in bytes 0 to {}; {}", sizeof h - 1, kDamaged)};
  if (h.metadataBytes > kMaxMetadataBytes || h.imageOffset != alignUp(sizeof h + h.metadataBytes, kImageAlignment) ||
      h.imageOffset > bytes.size() || h.imageBytes > bytes.size() - h.imageOffset ||
      !isProvenance(bytes.subspan(h.imageOffset + h.imageBytes)))
    return Error{path, fmt::format("{} bytes long, the header asks for {}; {}", bytes.size(),
                                   h.imageOffset + h.imageBytes, kDamaged)};
  return h;
}

/// Hashes of everything behind the header, padding included.
Status checkContents(std::span<const std::uint8_t> bytes, const FileHeader &h, const std::string &path) {
  if (hash64(bytes.subspan(sizeof h, h.metadataBytes)) != h.metadataHash)
    return Error{path, fmt::format("metadata checksum mismatch at byte {}; {}", sizeof h, kDamaged)};
  for (std::uint64_t i = sizeof h + h.metadataBytes; i < h.imageOffset; ++i)
    if (bytes[i] != 0)
      return Error{path, fmt::format("padding byte {} is not zero; {}", i, kDamaged)};
  if (hash64(bytes.subspan(h.imageOffset, h.imageBytes)) != h.imageHash)
    return Error{path, fmt::format("image checksum mismatch at byte {}; {}", h.imageOffset, kDamaged)};
  return Ok{};
}

std::string text(const flatbuffers::String *s) { return s ? s->str() : std::string(); }

template <typename T> std::vector<T> numbers(const flatbuffers::Vector<T> *v) {
  return v ? std::vector<T>(v->begin(), v->end()) : std::vector<T>();
}

/// Elements of a vector of tables or strings, converted one by one.
template <typename Vector, typename Convert> auto list(const Vector *v, Convert convert) {
  std::vector<decltype(convert(*v->Get(0)))> out;
  if (v) {
    out.reserve(v->size());
    for (const auto *item : *v)
      out.push_back(convert(*item));
  }
  return out;
}

using StringList = flatbuffers::Vector<flatbuffers::Offset<flatbuffers::String>>;
std::vector<std::string> strings(const StringList *v) {
  return list(v, [](const flatbuffers::String &s) { return s.str(); });
}

ModelInfo unpack(const fb::ModelInfo &m) {
  return {text(m.name()), text(m.architecture()), m.vocabulary(), m.max_context(), m.layers(), m.token_types()};
}

Tokenizer unpack(const fb::Tokenizer &t) {
  return {text(t.model()),
          text(t.pre()),
          strings(t.tokens()),
          numbers(t.scores()),
          numbers(t.types()),
          strings(t.merges()),
          t.bos(),
          t.eos(),
          t.unknown(),
          t.add_bos(),
          t.add_space_prefix(),
          text(t.pipeline()),
          numbers(t.merge_pairs()),
          numbers(t.ends()),
          text(t.chat_template())};
}

Region unpack(const fb::Region &r) {
  return {text(r.name()),
          static_cast<Region::Kind>(r.kind()),
          static_cast<Side>(r.side()),
          r.slice0(),
          r.slices(),
          r.bank(),
          r.row0(),
          r.rows(),
          r.image_offset()};
}

Binding unpack(const fb::Binding &b) {
  return {text(b.name()), b.width(), b.items(), b.vectors(), b.lanes_used(), b.elements(), static_cast<Side>(b.side()),
          b.slice0(),     b.bank(),  b.row0()};
}

QueueCode unpack(const fb::QueueCode &q) {
  QueueCode code;
  code.queue = {static_cast<UnitKind>(q.unit()), static_cast<Side>(q.side()), q.index()};
  const std::vector<std::uint8_t> bytes = numbers(q.words());
  code.words.resize(bytes.size() / sizeof(Word));
  for (std::size_t i = 0; i < code.words.size(); ++i)
    std::memcpy(code.words[i].data(), bytes.data() + i * sizeof(Word), sizeof(Word));
  code.labels = numbers(q.labels());
  return code;
}

StepProgram unpack(const fb::StepProgram &s) {
  StepProgram step;
  step.predictedCycles = s.predicted_cycles();
  step.weightStreamBoundCycles = s.weight_stream_bound_cycles();
  step.resourceBoundCycles = s.resource_bound_cycles();
  step.criticalPathCycles = s.critical_path_cycles();
  step.lowerBoundCycles = s.lower_bound_cycles();
  if (const fb::Utilization *u = s.utilization())
    step.utilization = {u->mxm(), u->vxm(), u->sxm(), u->mem(), u->streams()};
  step.queues = list(s.queues(), [](const fb::QueueCode &q) { return unpack(q); });
  step.labels = strings(s.labels());
  step.inputs = list(s.inputs(), [](const fb::Binding &b) { return unpack(b); });
  step.outputs = list(s.outputs(), [](const fb::Binding &b) { return unpack(b); });
  return step;
}

ChipClass unpack(const fb::ChipClass &c) {
  return {text(c.name()),
          list(c.regions(), [](const fb::Region &r) { return unpack(r); }),
          c.image_bytes(),
          list(c.programs(), [](const fb::StepProgram &s) { return unpack(s); }),
          list(c.sxm_maps(), [](const fb::SxmMap &m) { return numbers(m.lanes()); }),
          c.layer_count()};
}

Chip unpack(const fb::Chip &c) {
  return {c.chip_class(), c.image_offset(), numbers(c.start()), c.stage(), c.shard(), c.first_layer()};
}

Wire unpack(const fb::Wire &w) { return {w.chip_a(), w.link_a(), w.chip_b(), w.link_b()}; }

SystemStep unpack(const fb::SystemStep &s) {
  return {text(s.name()), static_cast<StepKind>(s.kind()), s.tokens(), s.context(), s.users(), s.predicted_cycles()};
}

/// Instruction set and machine: must be the ones this build understands.
Status unpackMachine(const fb::Program &from, Program &to, const std::string &path) {
  if (from.isa_hash() != isaHash())
    return Error{path, fmt::format("compiled for instruction set {:016x}, this build has {:016x}; compile it again",
                                   from.isa_hash(), isaHash())};
  to.machineYaml = text(from.machine_yaml());
  if (from.machine_hash() != hash64(to.machineYaml))
    return Error{path, fmt::format("machine description does not match its hash; {}", kDamaged)};
  Result<Machine> machine = parseMachine(to.machineYaml, path + ":machine");
  if (!machine)
    return machine.error();
  if (writeMachine(*machine) != to.machineYaml)
    return Error{path, "machine description is not in canonical form; compile the program again"};
  to.machine = *machine;
  return Ok{};
}

Status unpackProgram(const fb::Program &from, Program &to, const std::string &path) {
  if (from.format_version() != kFormatVersion)
    return Error{
        path, fmt::format("metadata version {}, expected {}; compile it again", from.format_version(), kFormatVersion)};
  if (Status status = unpackMachine(from, to, path); !status)
    return status;
  if (from.model())
    to.model = unpack(*from.model());
  if (from.tokenizer())
    to.tokenizer = unpack(*from.tokenizer());
  to.tp = from.tp(), to.pp = from.pp();
  to.topology = text(from.topology());
  to.classes = list(from.classes(), [](const fb::ChipClass &c) { return unpack(c); });
  to.chips = list(from.chips(), [](const fb::Chip &c) { return unpack(c); });
  to.wires = list(from.wires(), [](const fb::Wire &w) { return unpack(w); });
  to.steps = list(from.steps(), [](const fb::SystemStep &s) { return unpack(s); });
  to.residentCode = from.resident_code();
  to.hasWeights = from.has_weights();
  return Ok{};
}

/// Queue texts are whole words.
bool wholeWords(const fb::StepProgram &step) {
  for (std::size_t k = 0; step.queues() && k < step.queues()->size(); ++k)
    if (const auto *words = step.queues()->Get(k)->words(); words && words->size() % sizeof(Word) != 0)
      return false;
  return true;
}

bool wholeWords(const fb::Program &program) {
  for (std::size_t c = 0; program.classes() && c < program.classes()->size(); ++c) {
    const auto *programs = program.classes()->Get(c)->programs();
    for (std::size_t i = 0; programs && i < programs->size(); ++i)
      if (!wholeWords(*programs->Get(i)))
        return false;
  }
  return true;
}

bool structureValid(std::span<const std::uint8_t> metadata) {
  constexpr flatbuffers::uoffset_t kMaxDepth = 16, kMaxTables = 1u << 22;
  flatbuffers::Verifier verifier(metadata.data(), metadata.size(), kMaxDepth, kMaxTables);
  return fb::VerifyProgramBuffer(verifier) && wholeWords(*fb::GetProgram(metadata.data()));
}

} // namespace

Result<Program> readProgram(const std::string &path) {
  auto mapping = std::make_shared<const Mapping>(path);
  const std::span<const std::uint8_t> bytes = mapping->bytes();
  if (bytes.empty())
    return Error{path, fmt::format("cannot read the program: {}; check the path", mapping->reason)};
  const Result<FileHeader> header = readHeader(bytes, path);
  if (!header)
    return header.error();
  if (Status status = checkContents(bytes, *header, path); !status)
    return status.error();
  const std::span<const std::uint8_t> metadata = bytes.subspan(sizeof(FileHeader), header->metadataBytes);
  if (!structureValid(metadata))
    return Error{path, fmt::format("metadata at byte {} is malformed; {}", sizeof(FileHeader), kDamaged)};
  Program program;
  program.image = bytes.subspan(header->imageOffset, header->imageBytes);
  program.imageOwner = mapping;
  if (Status status = unpackProgram(*fb::GetProgram(metadata.data()), program, path); !status)
    return status.error();
  if (Status status = checkProgram(program, path); !status)
    return status.error();
  return program;
}

Result<std::string> readProvenance(const std::string &path) {
  const Mapping mapping(path);
  const std::span<const std::uint8_t> bytes = mapping.bytes();
  const Result<FileHeader> header = readHeader(bytes, path);
  if (!header)
    return header.error();
  const auto section = bytes.subspan(header->imageOffset + header->imageBytes);
  if (section.empty())
    return std::string();
  const auto text = section.subspan(sizeof(ProvenanceHeader));
  std::string line(text.begin(), text.end());
  std::replace_if(
      line.begin(), line.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; }, ' ');
  return line;
}

} // namespace lpu::isa
