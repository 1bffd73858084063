// A GGUF file, or all parts of a split one. Internal to the importer.
#pragma once

#include "lpu/compiler/Import/GgufFile.h"

#include <functional>
#include <map>

namespace lpu::compiler {

class GgufParts {
public:
  /// Opens a file; if it is the first part of a split one, the others beside it as well. Error: also another part, or
  /// parts that do not belong together.
  static Result<GgufParts> open(const std::string &path);

  /// The file with the metadata.
  const GgufFile &first() const { return *files.front(); }
  /// Name and place of a tensor.
  struct Located {
    const GgufFile *file = nullptr;
    const GgufTensor *tensor = nullptr;
    std::span<const std::uint8_t> data() const { return file->data(*tensor); }
  };
  /// Of every tensor, by name.
  const std::map<std::string_view, Located> &tensors() const { return table; }
  const GgufTensor *findTensor(std::string_view name) const {
    auto it = table.find(name);
    return it == table.end() ? nullptr : it->second.tensor;
  }

private:
  Status addOthers();
  Status add(std::shared_ptr<const GgufFile> part);

  std::vector<std::shared_ptr<const GgufFile>> files;
  std::map<std::string_view, Located> table;
};

} // namespace lpu::compiler
