// The precisions a model can be compiled to, by the names users give them.
#pragma once

#include "lpu/compiler/Support/WeightType.h"
#include "lpu/isa/Result.h"

#include <span>
#include <string>
#include <string_view>

namespace lpu::compiler {

/// A precision and what it means, as help texts say it.
struct PrecisionName {
  std::string_view name, meaning;
};
inline constexpr PrecisionName kWeightTypes[] = {
    {"int8", "a scale per row"},
    {"int8-group", "a scale per 32 columns, Q8_0 and Q4_0 blocks of the file as they are"},
    {"int4-group", "the same with values of 4 bits, stored in 8 but where the machine expands them on load"},
    {"keep", "int4-group where the file has Q4_0 blocks, else int8-group"},
    {"fp16", "on MXM's fp16 mode, a quarter of the rate; goes with activations fp16"}};
inline constexpr PrecisionName kActivationTypes[] = {
    {"a16", "two int8 digits"}, {"a8", "one int8 digit; wants --calibration"}, {"fp16", "goes with weights fp16"}};
inline constexpr PrecisionName kKVTypes[] = {{"int16", "16 bits each, keys as integers of a static scale, values fp16"},
                                             {"int8", "integers of a static scale"},
                                             {"fp16", "fp16 keys and values"}};

/// Chosen by --weight-type, --activation-type, --kv-type and --quant-config.
struct PrecisionOptions {
  std::string weights = "int8", activations = "a16", kv = "int16";
  std::string config = {}; ///< a file with precisions of single layers, see PrecisionPlan; empty: none
};

/// Its name in kWeightTypes.
std::string_view weightTypeName(WeightType type);
/// "int8 (a scale per row), …"
std::string precisionNames(std::span<const PrecisionName> names);
/// Error when `name` is none of `known`; `option` is its place.
Status checkName(const char *option, const std::string &name, std::span<const PrecisionName> known);
/// The same for all three.
Status checkPrecision(const PrecisionOptions &options);

} // namespace lpu::compiler
