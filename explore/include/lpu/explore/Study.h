// A study: which machines and mappings to look at, for which models, and what is wanted of them
// (docs/howto/explore.md has the format).
#pragma once

#include "lpu/isa/Energy.h"
#include "lpu/isa/Formula.h"
#include "lpu/isa/Machine.h"
#include "lpu/isa/Result.h"
#include "lpu/isa/Unpublished.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace lpu::explore {

/// Chosen values by key: "lanes.superlanes" → "20", "mapping.kv_type" → "int8". Numbers are written as fmt writes them.
using Values = std::map<std::string, std::string>;

/// Where the files of a study come from: the disk when it runs, its store afterwards.
class StudyFiles {
public:
  virtual ~StudyFiles() = default;
  /// Texts of a machine and of a table of energy. `spelled` is what the study says: a preset, or relative to its
  /// folder.
  virtual Result<std::string> machine(const std::string &spelled) = 0;
  virtual Result<std::string> energy(const std::string &spelled) = 0;
  /// Hash over the contents of a model: a file, or all files of a folder.
  virtual Result<std::string> digest(const std::string &spelled) = 0;
  /// Where the compiler finds it.
  virtual std::string path(const std::string &spelled) const = 0;
};

struct Workload {
  std::string name;     ///< in reasons and reports; the model's file name unless given
  std::string model;    ///< as spelled
  std::string path;     ///< where the compiler finds it
  bool isShape = false; ///< a shape (`arch`), or a model with weights (`model`)
  std::string digest;   ///< of its contents
  double weight = 1;    ///< of its costs per token in the sums
  std::vector<std::string> steps;
  Values mapping; ///< by mapping key without "mapping."; what parameters do not choose
  int line = 0;
};

struct Parameter {
  std::string key;
  std::vector<std::string> values;
  int line = 0;
};
struct Derived {
  std::string key, expression;
  int line = 0;
};
struct Constraint {
  std::string expression;
  std::vector<std::string> names;
  int line = 0;
};
struct Objective {
  std::string column; ///< without unit: "token_us", "j_per_token"
  bool maximize = false;
};

enum class Method { Grid, Random, Sobol, Oat, Morris, Halving, Nsga2 };

/// Of a study: all of them are held in memory.
constexpr std::uint64_t kMostPoints = 1000000;
/// Larger grids are told apart no more.
constexpr std::uint64_t kMostGridSize = std::uint64_t{1} << 63;

struct SearchPlan {
  Method method = Method::Grid;
  std::uint64_t seed = 1;
  std::uint64_t budget = 0;      ///< points at most; 0: all of a grid, 100 of others
  std::uint64_t population = 12; ///< parents of a generation
  bool prune = false;            ///< skip points that their lower bounds prove to be dominated
};

struct Sensitivity {
  std::vector<isa::Unpublished> keys; ///< with the range to try where its author gave one
  std::vector<double> factors;        ///< else the value times these
};

struct Study {
  std::string file, name, text;
  isa::Machine base;
  isa::Variables baseNumbers; ///< its keys
  isa::EnergyModel energy;
  bool voltageFromClock = false; ///< the supply follows clock.ghz
  std::vector<Workload> workloads;
  Values topologies; ///< that are files: hash of the contents by path
  std::vector<Parameter> parameters;
  std::vector<Derived> derived; ///< in order of evaluation
  std::vector<Constraint> constraints;
  std::vector<Objective> objectives;
  SearchPlan search;
  Sensitivity sensitivity;

  /// Points of the full product of all parameters; at most kMostGridSize.
  std::uint64_t gridSize() const;
};

/// Error: FILE:LINE, with key, cause and remedy.
Result<Study> parseStudy(const std::string &file, const std::string &text, StudyFiles &files);

/// Keys "mapping.NAME" and what lpucc calls them ("--kv-type"); whole numbers or words.
struct MappingKey {
  std::string_view name, option;
  bool isNumber;
  std::vector<std::string_view> words; ///< that may be chosen; empty: any
};
const std::vector<MappingKey> &mappingKeys();

/// Columns that are computed for a point: name, unit, and what it is.
struct Measure {
  std::string_view name, unit, meaning;
  bool hasBand; ///< three columns: _low, _typ, _high
};
const std::vector<Measure> &measures();

/// The unit of a parameter's values; empty: none, or a plain number.
std::string unitOf(const std::string &key);

} // namespace lpu::explore
