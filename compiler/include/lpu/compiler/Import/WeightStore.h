// A model as the compiler sees it: its shape, tokenizer and weights by name.
// Weights stay where they come from; what leaves is decoded to fp32 or quantized on demand.
#pragma once

#include "lpu/compiler/Import/EncoderGraph.h"
#include "lpu/compiler/Import/GgufFile.h"
#include "lpu/compiler/Support/WeightType.h"
#include "lpu/isa/Program.h"
#include "lpu/isa/Result.h"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace lpu::compiler {

/// Llama 3's rope scaling: slow frequencies are divided by `factor`, fast ones kept, those between blended.
struct Llama3Rope {
  double factor, lowFactor, highFactor, originalContext;
  /// Divisor of a frequency in radians per position.
  double divisor(double frequency) const;
};

/// Hyperparameters of a Llama model or an encoder. Sizes in elements.
struct ModelShape {
  std::string name, architecture;
  std::string origin; ///< of a shape file: where its numbers come from
  std::uint32_t layers = 0, hidden = 0, heads = 0, kvHeads = 0, headDim = 0, ffn = 0, vocabulary = 0, context = 0;
  std::uint32_t tokenTypes = 0; ///< of an encoder
  float eps = 0;
  double ropeBase = 10000;
  bool tied = false;    ///< no output.weight: token_embd.weight serves for both
  double ropeScale = 1; ///< linear rope scaling: positions are divided by it
  std::optional<Llama3Rope> llama3;
  bool ropeFreqs = false; ///< WeightStore::kRopeFreqs divides the frequencies

  bool ropeHalves =
      false; ///< the source pairs rows i and i + headDim/2 of a head; rows leave the store as pairs (2i, 2i+1)

  bool hasBias = false;            ///< queries, keys and values have biases
  bool hasHeadNorms = false;       ///< queries and keys are normed head by head before rope
  bool isFused = false;            ///< the source has queries, keys and values in one tensor, gate and up in another
  std::vector<bool> isStill;       ///< layers that rope passes over; empty: none
  std::uint32_t rotary = 0;        ///< elements of a head that rope turns, the first ones; 0: all
  std::vector<float> ropeDivisors; ///< of the frequencies of the pairs that turn; empty: ones
  std::vector<float> longDivisors; ///< the same where sequences may have more than `original` positions; empty: those
  std::uint32_t original = 0;      ///< context of the first training, with longDivisors
  double ropeMagnitude = 1;        ///< factor of what rope turns
  double embeddingFactor = 1, residualFactor = 1, logitsDivisor = 1; ///< of embeddings, of branches, of logits
  double scoreFactor = 0;                                            ///< what scores are multiplied by; 0: 1/√headDim
  bool hasPreNorms = true;            ///< norms of what attention and feed-forward part are fed
  bool hasPostNorms = false;          ///< norms of what they add to the residual
  bool hasWideNorms = false;          ///< norms over all queries and over all keys before rope, not head by head
  bool gatesByGelu = false;           ///< in place of SiLU
  bool gainsFromOne = false;          ///< the source has gains of norms less 1
  std::uint32_t window = 0;           ///< positions that windowed layers look back on, the own one among them
  std::vector<bool> isWindowed;       ///< layers that have a window; empty: none
  double windowRopeBase = 0;          ///< of those layers, whose frequencies nothing divides; 0: they turn as others do
  double scoreCap = 0, logitsCap = 0; ///< c of c·tanh(x/c) for scores and logits; 0: none
  std::string outputName() const { return tied ? "token_embd.weight" : "output.weight"; }
};

/// Integers with scales: W[n][k] ≈ values[n·cols + k] · scale(n, k).
struct QuantizedMatrix {
  std::uint32_t rows = 0, cols = 0;
  std::vector<std::int8_t> values;
  std::vector<float> scales; ///< [rows][groups()]; 0 where all values are
  std::uint32_t group = 0;   ///< columns that share a scale; 0: the whole row
  int exponent = 0;          ///< with groups: e of N12, sums are counted in steps of 2^-e
  std::uint32_t groups() const { return group ? (cols + group - 1) / group : 1; }
  float scale(std::uint32_t n, std::uint32_t k) const {
    return scales[std::size_t{n} * groups() + (group ? k / group : 0)];
  }
  std::span<const std::int8_t> row(std::uint32_t n) const {
    return std::span(values).subspan(std::size_t{n} * cols, cols);
  }
};

/// N3; `weights` are rows * cols finite values.
QuantizedMatrix quantizeRows(std::span<const float> weights, std::uint32_t rows, std::uint32_t cols);
/// N3 for one row: fills `values`, returns its scale.
float quantizeRow(std::span<const float> weights, std::span<std::int8_t> values);
/// N12: the finest steps in which no sum over a row leaves the digits of an int32; nothing when steps of 1 do not
/// suffice.
std::optional<int> groupExponent(const QuantizedMatrix &matrix);
/// N12 for up to 32 values of one group: fills `values`, returns the scale, an fp16 value.
float quantizeGroup(std::span<const float> weights, WeightType type, std::span<std::int8_t> values);

class WeightSource;

class WeightStore {
public:
  /// Opens a model by its name: a GGUF file, an ONNX file (.onnx), a Hugging Face folder, or what shapeName() made.
  /// Checked are hyperparameters, presence and shape of every tensor, and tokenizer; values when they are loaded.
  static Result<std::shared_ptr<WeightStore>> open(const std::string &name);
  ~WeightStore();

  /// The name of a shape file (models/arch) together with the weights to make for it: "none" or "random:SEED".
  static std::string shapeName(const std::string &path, const std::string &weights);
  /// Name of an ONNX file of which only these outputs are wanted, separated by commas.
  static std::string outputsName(const std::string &path, const std::string &outputs);
  static bool isWeightsChoice(std::string_view weights);

  /// What open() was given.
  const std::string &name() const { return modelName; }
  /// The file, for errors.
  const std::string &path() const { return filePath; }
  /// False for a shape with weights "none": no value can be loaded.
  bool hasWeights() const;
  const ModelShape &shape() const { return modelShape; }
  const isa::Tokenizer &tokenizer() const { return modelTokenizer; }
  /// The graph of an encoder; null for a decoder of shape().
  const EncoderGraph *encoder() const { return encoderGraph ? &*encoderGraph : nullptr; }

  /// Divisors of the rope frequencies, head_dim/2 of them: the file's tensor of this name (ones without) times those
  /// of the shape's scaling. Exists for a model with shape().ropeFreqs.
  static constexpr std::string_view kRopeFreqs = "rope_freqs.weight";
  /// The same for long contexts, of a model with shape().longDivisors.
  static constexpr std::string_view kLongRopeFreqs = "rope_freqs_long.weight";

  bool has(std::string_view name) const { return dimensions(name).first != 0; }
  /// Rows and columns of a tensor (a vector has one row); {0, 0} when absent.
  std::pair<std::uint32_t, std::uint32_t> dimensions(std::string_view name) const;
  /// "Q8_0", or how values are made; empty when the model has no such tensor.
  std::string typeName(std::string_view name) const;

  /// All values, row-major [rows][cols]. Error: no such tensor, or a NaN or infinite value.
  Result<std::vector<float>> load(std::string_view name) const;
  /// One row into `out` (cols values).
  Status loadRow(std::string_view name, std::uint32_t row, std::span<float> out) const;
  /// A tensor as the machine stores it, computed row by row and kept. Int8 codes that the file has with
  /// a scale a row are taken as they are.
  Result<std::shared_ptr<const QuantizedMatrix>> quantized(std::string_view name, WeightType type = WeightType::Int8);
  /// Whether quantized() takes the file's own blocks as they are.
  bool keepsBlocks(std::string_view name, WeightType type) const;
  /// From here on quantized() gives this: weights rounded with more in view than each value.
  void setQuantized(std::string_view name, WeightType type, QuantizedMatrix matrix);

private:
  WeightStore() = default;
  Result<std::vector<float>> loadRopeFreqs(std::string_view name) const;
  /// Where the source has row `row` of the compiler's order, see ModelShape::ropeHalves.
  std::uint32_t sourceRow(std::string_view name, std::uint32_t row) const;
  /// A row in the order the compiler uses.
  Status readRow(std::string_view name, std::uint32_t row, std::span<float> out) const;
  Status quantizeInto(QuantizedMatrix &matrix, std::string_view name, WeightType type) const;
  /// Error when the tensor is absent or the model has no weights.
  Status expectValues(std::string_view name) const;

  std::string modelName, filePath;
  std::unique_ptr<const WeightSource> source;
  ModelShape modelShape;
  isa::Tokenizer modelTokenizer;
  std::optional<EncoderGraph> encoderGraph;
  /// A quantized tensor has a lock of its own, so that chips whose images are made at once wait only for what both
  /// need.
  struct Entry {
    std::mutex mutex;
    std::shared_ptr<const QuantizedMatrix> matrix;
  };
  Entry &entryOf(std::string_view name, WeightType type);
  std::mutex cacheMutex;
  std::map<std::pair<std::string, WeightType>, std::unique_ptr<Entry>, std::less<>> cache;
};

} // namespace lpu::compiler
