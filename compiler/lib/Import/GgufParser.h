// One pass over a GGUF file's header; internal to GgufFile.
#pragma once

#include "lpu/compiler/Import/GgufFile.h"

namespace lpu::compiler {

/// Reads counts, metadata and tensor table front to back. Nothing read from the
/// file is trusted: `need` guards every access, so the position never passes the end.
class GgufParser {
public:
  explicit GgufParser(GgufFile &target) : gguf(target), bytes(target.file->bytes()) {}
  Status parse();

private:
  Status header(std::uint64_t &tensorCount, std::uint64_t &keyCount);
  Status entry();
  Status array(GgufEntry &entry);
  Status skip(GgufKind kind, std::uint64_t count, int depth);
  Status tensor();
  Status finishEntries();
  Status alignment(std::uint64_t &align);
  Status placeTensors();
  Status overlaps() const;

  template <typename T> Status read(T &value, std::string_view what);
  Status readString(std::string_view &text, std::string_view what, std::uint64_t max);
  Status readKind(GgufKind &kind);
  Status need(std::uint64_t count, std::string_view what) const;
  Error fail(std::uint64_t at, const std::string &message) const;

  GgufFile &gguf;
  std::span<const std::uint8_t> bytes;
  std::uint64_t position = 0;
  std::string current; ///< what is being read, for errors: `key "x"` or `tensor "x"`
};

} // namespace lpu::compiler
