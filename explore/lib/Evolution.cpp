// NSGA-II with two differences that suit expensive points on a grid. Parents come from everything that was computed.
// And half of a generation are neighbours of the best points, one parameter one value further: on a coarse grid most
// children of crossover were computed before, and what is near the frontier is what it lacks.
#include "Grid.h"

#include <pagmo/utils/genetic_operators.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace lpu::explore {
namespace {

constexpr std::size_t kPerPlace = 2; ///< children bred for each place in a generation
constexpr std::size_t kUnjudged = 4; ///< a part of a generation that the model has no say in
constexpr int kPasses = 8;           ///< of fitting

/// Objectives of one sign as logarithms, in the same order.
std::vector<Score> logarithms(std::vector<Score> scores) {
  std::size_t objectives = 0;
  for (const Score &score : scores)
    objectives = std::max(objectives, score.size());
  for (std::size_t o = 0; o < objectives; ++o) {
    bool arePositive = true, areNegative = true;
    for (const Score &score : scores)
      if (!score.empty())
        arePositive &= score[o] > 0, areNegative &= score[o] < 0;
    for (Score &score : scores)
      if (!score.empty() && (arePositive || areNegative))
        score[o] = arePositive ? std::log(score[o]) : -std::log(-score[o]);
  }
  return scores;
}

/// What to expect of a point: each objective a mean and an effect of each parameter's value, fitted to what was
/// computed. On logarithms they are factors, and times, energies and areas of machines nearly are products of such.
class MainEffects {
public:
  /// Points without a score say nothing.
  MainEffects(const Grid &grid, const std::vector<Genome> &seen, const std::vector<Score> &scores) {
    std::vector<std::size_t> known;
    for (std::size_t i = 0; i < scores.size(); ++i)
      if (!scores[i].empty())
        known.push_back(i);
    for (std::size_t o = 0; !known.empty() && o < scores[known.front()].size(); ++o) {
      std::vector<double> rest;
      for (const std::size_t i : known)
        rest.push_back(scores[i][o]);
      Effects own;
      for (std::size_t d = 0; d < grid.dimensions(); ++d)
        own.of.emplace_back(grid.valuesOf(d), 0.0);
      for (int pass = 0; pass < kPasses; ++pass) {
        const double mean = std::accumulate(rest.begin(), rest.end(), 0.0) / static_cast<double>(rest.size());
        own.mean += mean;
        for (double &r : rest)
          r -= mean;
        for (std::size_t d = 0; d < grid.dimensions(); ++d)
          move(d, seen, known, rest, own.of[d]);
      }
      effects.push_back(std::move(own));
    }
  }

  Score expected(const Genome &genome) const {
    Score score;
    for (const Effects &own : effects) {
      double value = own.mean;
      for (std::size_t d = 0; d < genome.size(); ++d)
        value += own.of[d][genome[d]];
      score.push_back(value);
    }
    return score;
  }

private:
  struct Effects {
    double mean = 0;
    std::vector<std::vector<double>> of; ///< by parameter and value
  };
  std::vector<Effects> effects; ///< by objective

  /// Moves what the values of one parameter explain from `rest` into `of`; a value seen once gets half of it.
  static void move(std::size_t d, const std::vector<Genome> &seen, const std::vector<std::size_t> &known,
                   std::vector<double> &rest, std::vector<double> &of) {
    std::vector<double> sum(of.size(), 0), count(of.size(), 1);
    for (std::size_t k = 0; k < known.size(); ++k)
      sum[seen[known[k]][d]] += rest[k], ++count[seen[known[k]][d]];
    for (std::size_t v = 0; v < of.size(); ++v)
      of[v] += sum[v] / count[v];
    for (std::size_t k = 0; k < known.size(); ++k)
      rest[k] -= sum[seen[known[k]][d]] / count[seen[known[k]][d]];
  }
};

class Evolution {
public:
  Evolution(const Grid &grid, std::size_t population, Random random)
      : grid(grid), population(population), random(std::move(random)) {}

  bool run(std::size_t budget, const Evaluate &evaluate) {
    std::vector<Genome> batch = grid.sobolSample(std::min(population, budget), random);
    taken.insert(batch.begin(), batch.end());
    while (true) {
      const std::optional<std::vector<Score>> more = evaluate(grid.valuesOf(batch), Fidelity::Schedule);
      if (!more)
        return false;
      seen.insert(seen.end(), batch.begin(), batch.end());
      scores.insert(scores.end(), more->begin(), more->end());
      if (seen.size() >= budget)
        return true;
      batch = breed(std::min(population / 2 + 1, budget - seen.size()));
    }
  }

private:
  const Grid &grid;
  std::size_t population;
  Random random;
  std::vector<Genome> seen;
  std::vector<Score> scores;
  std::set<Genome> taken; ///< seen, or about to be

  void take(const Genome &genome, std::vector<Genome> &to) {
    if (taken.insert(genome).second)
      to.push_back(genome);
  }

  /// Children and neighbours of the best, those first that the model expects to be best; one in kUnjudged unjudged.
  std::vector<Genome> breed(std::size_t count) {
    const std::vector<std::size_t> best = ranked(scores);
    std::vector<Genome> candidates, next;
    addChildren(best, kPerPlace * count, candidates);
    const std::size_t unjudged = std::min(candidates.size(), count / kUnjudged);
    next.assign(candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(unjudged));
    for (std::size_t i = 0; i < std::min(best.size(), population); ++i)
      addNeighbours(seen[best[i]], candidates);
    for (const std::size_t i : promising(candidates))
      if (next.size() < count && i >= unjudged)
        next.push_back(candidates[i]);
    for (const Genome &genome : candidates)
      taken.erase(genome);
    taken.insert(next.begin(), next.end());
    for (const Genome &genome : grid.randomSample(count - next.size(), random, taken)) // nothing new near the best
      take(genome, next);
    return next;
  }

  /// Crossover and mutation of parents from the best; less than `count` if nearly all children were seen.
  void addChildren(const std::vector<std::size_t> &best, std::size_t count, std::vector<Genome> &children) {
    const std::size_t most = std::min(best.size(), population);
    pagmo::detail::random_engine_type engine(static_cast<unsigned>(random.bits()));
    const auto parent = [&] { return seen[best[std::min(random.below(most), random.below(most))]]; };
    for (std::size_t tries = 0; children.size() < count && most > 1 && tries < 2 * count; ++tries)
      for (const Genome &child : cross(parent(), parent(), engine))
        take(child, children);
  }

  /// One parameter one value further.
  void addNeighbours(const Genome &of, std::vector<Genome> &to) {
    for (std::size_t d = 0; d < of.size(); ++d)
      for (const bool isUp : {false, true})
        if (isUp ? of[d] + 1 < grid.valuesOf(d) : of[d] > 0) {
          Genome moved = of;
          moved[d] = isUp ? of[d] + 1 : of[d] - 1;
          take(moved, to);
        }
  }

  /// Candidates by their places among all that was computed, best first.
  std::vector<std::size_t> promising(const std::vector<Genome> &candidates) const {
    std::vector<Score> all = logarithms(scores);
    const MainEffects model(grid, seen, all);
    for (const Genome &genome : candidates)
      all.push_back(model.expected(genome));
    std::vector<std::size_t> order;
    for (const std::size_t i : ranked(all))
      if (i >= seen.size())
        order.push_back(i - seen.size());
    return order;
  }

  std::vector<Genome> cross(const Genome &a, const Genome &b, pagmo::detail::random_engine_type &engine) const {
    const std::size_t n = grid.dimensions();
    const pagmo::vector_double first(a.begin(), a.end()), second(b.begin(), b.end());
    pagmo::vector_double low(n, 0), high;
    for (std::size_t d = 0; d < n; ++d)
      high.push_back(static_cast<double>(grid.valuesOf(d) - 1));
    auto [one, other] = pagmo::sbx_crossover(first, second, {low, high}, n, 0.9, 10, engine);
    std::vector<Genome> children;
    for (pagmo::vector_double *child : {&one, &other}) {
      pagmo::polynomial_mutation(*child, {low, high}, n, 1.0 / static_cast<double>(n), 20, engine);
      Genome genome;
      for (const double index : *child)
        genome.push_back(static_cast<std::size_t>(index));
      children.push_back(std::move(genome));
    }
    return children;
  }
};

} // namespace

bool evolve(const Grid &grid, std::size_t budget, std::size_t population, Random random, const Evaluate &evaluate) {
  return Evolution(grid, population, std::move(random)).run(budget, evaluate);
}

} // namespace lpu::explore
