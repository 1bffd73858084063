// The precisions a model can be compiled to, by the names users give them.
#pragma once

#include "lpu/isa/Result.h"

#include <span>
#include <string>
#include <string_view>

namespace lpu::compiler {

/// A precision and what it means, as help texts say it.
struct PrecisionName {
  std::string_view name, meaning;
};
inline constexpr PrecisionName kWeightTypes[] = {{"int8", "a scale per row"}};
inline constexpr PrecisionName kActivationTypes[] = {{"a16", "two int8 digits"}};
inline constexpr PrecisionName kKVTypes[] = {{"int16", "16 bits each, keys as integers of a static scale, values fp16"}};

/// Chosen by --weight-type, --activation-type and --kv-type.
struct PrecisionOptions {
  std::string weights = "int8", activations = "a16", kv = "int16";
};

/// "int8 (a scale per row), …"
std::string precisionNames(std::span<const PrecisionName> names);
/// Error when a name is not in its list.
Status checkPrecision(const PrecisionOptions &options);

} // namespace lpu::compiler
