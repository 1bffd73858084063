// A JSON file of a model, or one line about what is wrong with it.
#pragma once

#include "lpu/isa/Result.h"

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>

namespace lpu::compiler {

inline Result<nlohmann::json> parseJson(std::string_view text, const std::string &path) {
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::parse_error &e) {
    return Error{path, "is not valid JSON at byte " + std::to_string(e.byte) + "; fetch or export the model again"};
  } catch (const nlohmann::json::out_of_range &) {
    return Error{path, "holds a number beyond what a double can be; fetch or export the model again"};
  }
}

} // namespace lpu::compiler
