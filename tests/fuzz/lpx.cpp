// Fuzzes the reader of program containers, and that of the tokenizer in them. Checksums would stop nearly every
// input at the door, so they are made right first. With LPU_FUZZ_WRITE=FILE the
// repaired bytes are written there: that file is the regression input.

#include "InMemoryFile.h"

#include "ProgramFormat.h"
#include "lpu/isa/Hash.h"

#include "lpu/isa/Program.h"
#include "lpu/text/Tokenizer.h"

#include <cstdio>
#include <cstring>
#include <vector>

namespace {

using lpu::isa::FileHeader;

/// The hashes of what the header says is there.
void repair(std::vector<std::uint8_t> &bytes) {
  FileHeader header;
  if (bytes.size() < sizeof header)
    return;
  std::memcpy(&header, bytes.data(), sizeof header);
  const std::span<const std::uint8_t> all(bytes);
  if (header.metadataBytes <= bytes.size() - sizeof header)
    header.metadataHash = lpu::isa::hash64(all.subspan(sizeof header, header.metadataBytes));
  if (header.imageOffset <= bytes.size() && header.imageBytes <= bytes.size() - header.imageOffset)
    header.imageHash = lpu::isa::hash64(all.subspan(header.imageOffset, header.imageBytes));
  header.headerHash = lpu::isa::headerHash(header);
  std::memcpy(bytes.data(), &header, sizeof header);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  std::vector<std::uint8_t> bytes(data, data + size);
  repair(bytes);
  if (const char *path = std::getenv("LPU_FUZZ_WRITE"))
    if (std::FILE *out = std::fopen(path, "wb")) {
      std::fwrite(bytes.data(), 1, bytes.size(), out);
      std::fclose(out);
    }
  lpu::test::InMemoryFile input(bytes.data(), bytes.size());
  auto program = lpu::isa::readProgram(input.path());
  if (program)
    (void)lpu::text::Tokenizer::create(program->tokenizer);
  return 0;
}
