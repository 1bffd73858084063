// How a model is mapped, as far as there is a choice, and a --mapping file that makes some of the choices.
#pragma once

#include "lpu/isa/Result.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace lpu::compiler {

/// What linears that share an input are for.
enum class LinearRole { Projections, AttentionOutput, GateUp, Down, Head, Other };

/// How the tiles of such a group come to the planes.
enum class LinearForm {
  Pinned,  ///< the tiles of an output vector keep to a plane, or are spread over all if there are few outputs
  Dealt,   ///< tiles go one by one to the planes; the parts of a sum are added in VXM
  Swept,   ///< dealt, and gate, up and down stream without a pause in one phase
  Grouped, ///< a scale per group of columns: a pass a group
  Half,    ///< fp16, on pairs of planes
};

/// As files and reports spell them: "qkv", "gate-up"; "dealt".
std::string_view nameOf(LinearRole role);
std::string_view nameOf(LinearForm form);
std::optional<LinearForm> formNamed(std::string_view name);

/// What a --mapping file chooses; all else is chosen by cost. docs/howto/choose-a-mapping.md.
struct MappingFile {
  struct Choice {
    LinearForm form = LinearForm::Pinned; ///< pinned or dealt
    int line = 0;
  };
  std::string name; ///< of the file, for errors; empty: there is none
  std::map<LinearRole, Choice> linears;
  std::optional<std::int64_t> prefillTokens; ///< of a prefill step
  int prefillLine = 0;

  /// Nothing is chosen without a name. Error: file and line of an unknown key or a value that cannot be.
  static Result<MappingFile> read(const std::string &name);
  static Result<MappingFile> parse(std::string_view yaml, const std::string &name);
  /// An error of a choice that the model or the machine cannot follow.
  Error error(int line, const std::string &message) const { return {name + ":" + std::to_string(line), message}; }
};

} // namespace lpu::compiler
