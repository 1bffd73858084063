// Points of a study as indices of their parameters' values, and random numbers that are the same everywhere: what
// samplers and NSGA-II share.
#pragma once

#include "lpu/explore/Search.h"

#include <random>
#include <set>

namespace lpu::explore {

using Genome = std::vector<std::size_t>; ///< index of a value for each parameter

/// mt19937_64 by integer arithmetic alone: the standard does not fix what its distributions make of it.
class Random {
public:
  explicit Random(std::uint64_t seed) : engine(seed) {}
  std::size_t below(std::size_t n) {
    return static_cast<std::size_t>((static_cast<unsigned __int128>(engine()) * n) >> 64);
  }
  std::uint64_t bits() { return engine(); }

private:
  std::mt19937_64 engine;
};

/// All points of a study's parameters.
class Grid {
public:
  explicit Grid(const Study &study) : study(study) {}

  std::size_t dimensions() const { return study.parameters.size(); }
  std::size_t valuesOf(std::size_t d) const { return study.parameters[d].values.size(); }
  std::uint64_t size() const { return study.gridSize(); }

  Values valuesOf(const Genome &genome) const;
  std::vector<Values> valuesOf(const std::vector<Genome> &genomes) const;
  /// The last parameter runs fastest.
  Genome atIndex(std::uint64_t index) const;

  Genome any(Random &random) const;
  /// Distinct points, none of `taken`; fewer than `count` if there are no more.
  std::vector<Genome> randomSample(std::uint64_t count, Random &random, std::set<Genome> taken = {}) const;
  /// Distinct points of a Sobol' sequence, shifted digit by digit with the seed. Coarse grids repeat themselves; what
  /// is missing in the end is filled at random.
  std::vector<Genome> sobolSample(std::uint64_t count, Random &random) const;

private:
  const Study &study;
};

/// Indices of points with objectives, best first: by fronts, and in a front those that stand alone.
std::vector<std::size_t> ranked(const std::vector<Score> &scores);

/// NSGA-II over a grid, `budget` points. False: `evaluate` said to stop.
bool evolve(const Grid &grid, std::size_t budget, std::size_t population, Random random, const Evaluate &evaluate);

} // namespace lpu::explore
