// --max-context, alike in every tool.
#pragma once

#include "lpu/compiler/Dialect/LLM/Context.h"

#include <CLI/CLI.hpp>

#include <charconv>

namespace lpu::compiler {

inline void addContextFlag(CLI::App &app, std::uint64_t &context) {
  app.add_option_function<std::string>(
         "--max-context",
         [&context](const std::string &text) {
           auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), context);
           if (text == "model")
             context = llm::kModelContext;
           else if (failed != std::errc() || end != text.data() + text.size() || context == llm::kUsualContext)
             throw CLI::ValidationError("--max-context", "'" + text + "' is neither a number of positions nor model");
         },
         "positions the KV cache holds, or model: as many as the model's own context (default: its own, at most " +
             std::to_string(llm::kUsualPositions) + "; encoders: at most 128 tokens)")
      ->type_name("N|model");
}

} // namespace lpu::compiler
