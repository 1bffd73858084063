// Which precision every tensor gets: the options for all of them, and on top the
// rules of a --quant-config file for single layers and tensors.
#pragma once

#include "lpu/compiler/Support/Precision.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lpu::compiler {

/// What a rule of the file says; the last rule that matches a tensor and names a precision decides.
struct PrecisionRule {
  int line = 0;
  std::string tensors = "*"; ///< a tensor's name, `*` for any characters and `?` for any one
  std::optional<std::pair<std::uint32_t, std::uint32_t>> layers; ///< first and last
  std::string weights, activations;                              ///< empty: not said
  bool matches(std::string_view tensor) const;
};

class PrecisionPlan {
public:
  /// Reads the file that `options` name, if any. Error: file and line, or the option that is wrong.
  static Result<PrecisionPlan> create(const PrecisionOptions &options);
  /// The same from a file's text; `file` is for errors.
  static Result<PrecisionPlan> parse(const PrecisionOptions &options, std::string_view yaml, const std::string &file);

  /// Of the weights of the linear whose weights are `tensor`, and of what it is fed.
  const std::string &weights(std::string_view tensor) const;
  const std::string &activations(std::string_view tensor) const;
  const std::string &kv() const { return defaults.kv; }
  /// Every rule must concern one of the model's linears: one that does not is a mistake in writing.
  Status checkRules(const std::vector<std::string> &tensors) const;

private:
  PrecisionOptions defaults;
  std::string file;
  std::vector<PrecisionRule> rules;
};

} // namespace lpu::compiler
