// Names of precisions, as options, help and errors show them.

#include "lpu/compiler/Support/Precision.h"

#include <algorithm>

namespace lpu::compiler {

Status checkName(const char *option, const std::string &name, std::span<const PrecisionName> known) {
  if (std::ranges::any_of(known, [&](const PrecisionName &k) { return k.name == name; }))
    return Ok{};
  return Error{option, "'" + name + "' is not known; choose one of " + precisionNames(known)};
}

std::string_view weightTypeName(WeightType type) {
  switch (type) {
  case WeightType::Int8:
    return "int8";
  case WeightType::Int8Group:
    return "int8-group";
  case WeightType::Int4Group:
    return "int4-group";
  }
  return "";
}

std::string precisionNames(std::span<const PrecisionName> names) {
  std::string list;
  for (const PrecisionName &p : names)
    list += (list.empty() ? "" : ", ") + std::string(p.name) + " (" + std::string(p.meaning) + ")";
  return list;
}

Status checkPrecision(const PrecisionOptions &options) {
  for (Status status : {checkName("--weight-type", options.weights, kWeightTypes),
                        checkName("--activation-type", options.activations, kActivationTypes),
                        checkName("--kv-type", options.kv, kKVTypes)})
    if (!status)
      return status;
  return Ok{};
}

} // namespace lpu::compiler
