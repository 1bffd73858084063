// The options that choose a precision, alike in every tool.
#pragma once

#include "lpu/compiler/Support/Precision.h"

#include <CLI/CLI.hpp>

namespace lpu::compiler {

inline void addPrecisionFlags(CLI::App &app, PrecisionOptions &options) {
  app.add_option("--weight-type", options.weights, "precision of the weights: " + precisionNames(kWeightTypes))
      ->capture_default_str();
  app.add_option("--activation-type", options.activations,
                 "precision of what linears are fed: " + precisionNames(kActivationTypes))
      ->capture_default_str();
  app.add_option("--quant-config", options.config,
                 "YAML file with precisions of single layers and tensors, on top of the options");
  app.add_option("--kv-type", options.kv, "precision of cached keys and values: " + precisionNames(kKVTypes))
      ->capture_default_str();
}

} // namespace lpu::compiler
