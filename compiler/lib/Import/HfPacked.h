// Matrices of small integers with scales, as GPTQ, AWQ and compressed-tensors write them. Internal to the importer.
#pragma once

#include "HuggingFace.h"

#include <functional>

namespace lpu::compiler {

/// A tensor and the file it is in.
struct Located {
  const SafetensorsFile *file = nullptr;
  const SafetensorsTensor *tensor = nullptr;
  explicit operator bool() const { return tensor; }
  /// The word of four bytes with this number.
  std::uint32_t word(std::uint64_t index) const;
};

Error damaged(const Located &at, const std::string &what);
bool isFloat(SafetensorsType type);

/// w = (q - zero) · scale, exact in fp32 for 4 bits and half scales.
class PackedMatrix {
public:
  /// `take` finds a tensor by name and notes that it is used. `stem`: the name without ".weight".
  using Take = std::function<Located(const std::string &)>;
  Status open(const HfConfig &modelConfig, const std::string &folder, const std::string &stem, std::uint32_t rowCount,
              std::uint32_t colCount, const Take &take);
  /// Name of the format.
  std::string typeName() const;
  void readRow(std::uint32_t row, std::span<float> out) const;
  /// For errors about values.
  const Located &scalesAt() const { return scales; }

private:
  Status openPacked(const std::string &stem, const Take &take);
  Status openCodes(const std::string &stem, const Take &take);
  Status openWords(const std::string &stem, const Take &take);
  Status openGroups(const std::string &name, const Take &take);
  Status expect(Located &out, const std::string &name, const Take &take, std::uint64_t partRows, std::uint64_t partCols,
                bool isScale);
  std::uint32_t perWord() const { return 32 / format.bits; }
  std::uint32_t field(std::uint32_t word, std::uint32_t index) const;
  float scale(std::uint32_t row, std::uint32_t group) const;
  int zero(std::uint32_t row, std::uint32_t group) const;
  int value(std::uint32_t row, std::uint32_t column) const;

  struct Format {
    GroupFormat kind = GroupFormat::None;
    std::uint32_t bits = 4, groupSize = 0;
  } format;
  std::string place;
  std::uint32_t rows = 0, cols = 0, count = 1;
  Located words, zeros, scales;
  std::vector<std::uint32_t> groups; ///< of each column
  bool plainZeros = false;           ///< GPTQ: stored as they are meant
};

} // namespace lpu::compiler
