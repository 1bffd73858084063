// Internals of the program container shared by its writer and its reader
// (docs/spec/program-format.md).
#pragma once

#include "lpu/isa/Program.h"

#include <bit>
#include <cstdint>
#include <string>

namespace lpu::isa {

static_assert(std::endian::native == std::endian::little, "container fields are stored as they are in memory");

inline constexpr std::uint32_t kFormatVersion = 3;
inline constexpr std::uint64_t kImageAlignment = 4096;
/// Offsets in the metadata are 32-bit signed; this leaves a margin.
inline constexpr std::uint64_t kMaxMetadataBytes = 0x7FF00000;

/// The first bytes of a container; P2 of the specification.
struct FileHeader {
  char magic[4] = {'L', 'P', 'U', 'X'};
  std::uint32_t version = kFormatVersion;
  std::uint32_t headerBytes = 64;
  std::uint32_t reserved = 0;
  std::uint64_t metadataBytes = 0, metadataHash = 0;
  std::uint64_t imageOffset = 0, imageBytes = 0, imageHash = 0;
  std::uint64_t headerHash = 0; ///< of all bytes before this field
};
static_assert(sizeof(FileHeader) == 64);

/// Opens the section behind the image; P7 of the specification. `bytes` of text follow, up to the end of the file.
struct ProvenanceHeader {
  char magic[4] = {'L', 'P', 'U', 'V'};
  std::uint32_t bytes = 0;
};
static_assert(sizeof(ProvenanceHeader) == 8);
inline constexpr std::size_t kMaxProvenanceBytes = 4096;

/// Hash of the header's bytes up to headerHash.
std::uint64_t headerHash(const FileHeader &header);

inline std::uint64_t alignUp(std::uint64_t value, std::uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

/// Checks that everything in the program stays inside the machine, the image
/// and its own tables. Errors have `file` as their place.
Status checkProgram(const Program &program, const std::string &file);

} // namespace lpu::isa
