// Samplers and NSGA-II over grids of indices. Random numbers come from mt19937_64 by integer
// arithmetic alone: the standard does not fix what its distributions make of them.
#include "lpu/explore/Search.h"

#include <boost/random/sobol.hpp>
#include <pagmo/utils/genetic_operators.hpp>
#include <pagmo/utils/hypervolume.hpp>
#include <pagmo/utils/multi_objective.hpp>

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <numeric>
#include <random>
#include <set>

namespace lpu::explore {
namespace {

constexpr std::uint64_t kUsualBudget = 100;

using Genome = std::vector<std::size_t>; ///< index of a value for each parameter

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

class Searcher {
public:
  Searcher(const Study &study, const Evaluate &evaluate, const Screen &screen)
      : study(study), evaluate(evaluate), screen(screen), random(study.search.seed) {}

  bool run() {
    switch (study.search.method) {
    case Method::Grid:
      return schedule(grid());
    case Method::Random:
      return schedule(randomSample(budget()));
    case Method::Sobol:
      return schedule(sobolSample(budget()));
    case Method::Oat:
      return evaluate(oneAtATime(), Fidelity::Schedule).has_value();
    case Method::Morris:
      return schedule(trajectories());
    case Method::Halving:
      return halve();
    case Method::Nsga2:
      return evolve();
    }
    return true;
  }

private:
  const Study &study;
  const Evaluate &evaluate;
  const Screen &screen;
  Random random;

  std::size_t dimensions() const { return study.parameters.size(); }
  std::size_t valuesOf(std::size_t d) const { return study.parameters[d].values.size(); }
  std::uint64_t budget() const {
    const std::uint64_t asked = study.search.budget ? study.search.budget : kUsualBudget;
    return std::min(asked, study.gridSize());
  }

  Values valuesOf(const Genome &genome) const {
    Values values;
    for (std::size_t d = 0; d < dimensions(); ++d)
      values[study.parameters[d].key] = study.parameters[d].values[genome[d]];
    return values;
  }
  std::vector<Values> valuesOf(const std::vector<Genome> &genomes) const {
    std::vector<Values> list;
    for (const Genome &g : genomes)
      list.push_back(valuesOf(g));
    return list;
  }
  bool schedule(const std::vector<Genome> &genomes) {
    return evaluate(valuesOf(genomes), Fidelity::Schedule).has_value();
  }

  /// The last parameter runs fastest.
  Genome atIndex(std::uint64_t index) const {
    Genome genome(dimensions());
    for (std::size_t d = dimensions(); d-- > 0; index /= valuesOf(d))
      genome[d] = static_cast<std::size_t>(index % valuesOf(d));
    return genome;
  }
  std::vector<Genome> grid() const {
    const std::uint64_t size = study.gridSize(),
                        count = study.search.budget ? std::min(study.search.budget, size) : size;
    std::vector<Genome> genomes;
    for (std::uint64_t i = 0; i < count; ++i)
      genomes.push_back(atIndex(i));
    return genomes;
  }

  Genome anyGenome() {
    Genome genome(dimensions());
    for (std::size_t d = 0; d < dimensions(); ++d)
      genome[d] = random.below(valuesOf(d));
    return genome;
  }
  /// Distinct points, none of `taken`.
  std::vector<Genome> randomSample(std::uint64_t count, std::set<Genome> taken = {}) {
    std::vector<Genome> genomes;
    count = std::min<std::uint64_t>(count, study.gridSize() - taken.size());
    while (genomes.size() < count)
      if (const Genome genome = anyGenome(); taken.insert(genome).second)
        genomes.push_back(genome);
    return genomes;
  }

  /// Distinct points of a Sobol' sequence, shifted digit by digit with the seed. Coarse grids repeat themselves; what
  /// is missing in the end is filled at random.
  std::vector<Genome> sobolSample(std::uint64_t count) {
    if (dimensions() == 0)
      return {Genome{}};
    boost::random::sobol sequence(dimensions());
    std::vector<std::uint64_t> shift(dimensions());
    for (std::uint64_t &s : shift)
      s = random.bits();
    std::vector<Genome> genomes;
    std::set<Genome> taken;
    for (std::uint64_t tries = 0; genomes.size() < count && tries < 20 * count; ++tries) {
      Genome genome(dimensions());
      for (std::size_t d = 0; d < dimensions(); ++d)
        genome[d] =
            static_cast<std::size_t>((static_cast<unsigned __int128>(sequence() ^ shift[d]) * valuesOf(d)) >> 64);
      if (taken.insert(genome).second)
        genomes.push_back(genome);
    }
    for (const Genome &genome : randomSample(count - genomes.size(), taken))
      genomes.push_back(genome);
    return genomes;
  }

  std::vector<Values> oneAtATime() const {
    const Values base = baseValues(study);
    std::vector<Values> points = {base};
    for (const Parameter &p : study.parameters)
      for (const std::string &value : p.values) {
        Values changed = base;
        changed[p.key] = value;
        points.push_back(std::move(changed));
      }
    return points;
  }

  /// Morris: from a random point one parameter after the other moves by half of its values, in random order.
  std::vector<Genome> trajectories() {
    std::vector<Genome> genomes;
    const std::uint64_t count = std::max<std::uint64_t>(1, budget() / (dimensions() + 1));
    for (std::uint64_t t = 0; t < count; ++t) {
      Genome genome = anyGenome();
      genomes.push_back(genome);
      std::vector<std::size_t> order(dimensions());
      std::iota(order.begin(), order.end(), std::size_t{0});
      for (std::size_t i = order.size(); i > 1; --i)
        std::swap(order[i - 1], order[random.below(i)]);
      for (const std::size_t d : order) {
        const std::size_t n = valuesOf(d), step = std::max<std::size_t>(1, n / 2);
        genome[d] = n == 1 ? 0 : genome[d] + step < n ? genome[d] + step : genome[d] >= step ? genome[d] - step : n - 1;
        genomes.push_back(genome);
      }
    }
    return genomes;
  }

  /// Bounds for all, schedules for the best third.
  bool halve() {
    const std::vector<Values> points = valuesOf(sobolSample(budget()));
    const std::optional<std::vector<Score>> bounds = evaluate(points, Fidelity::Bounds);
    if (!bounds)
      return false;
    const std::vector<std::size_t> order = ranked(*bounds);
    const std::size_t kept = (order.size() + 2) / 3;
    std::vector<Values> best;
    for (std::size_t i = 0; i < order.size(); ++i)
      if (i < kept)
        best.push_back(points[order[i]]);
      else
        screen(points[order[i]], fmt::format("halving: place {} of {} by bounds, {} go on", i + 1, order.size(), kept));
    return evaluate(best, Fidelity::Schedule).has_value();
  }

  /// Indices of points with objectives, best first.
  static std::vector<std::size_t> ranked(const std::vector<Score> &scores) {
    std::vector<std::size_t> good;
    std::vector<Score> values;
    for (std::size_t i = 0; i < scores.size(); ++i)
      if (!scores[i].empty())
        good.push_back(i), values.push_back(scores[i]);
    std::vector<std::size_t> order;
    for (const auto i : sorted(values))
      order.push_back(good[i]);
    return order;
  }
  static std::vector<std::size_t> sorted(const std::vector<Score> &values) {
    std::vector<std::size_t> order(values.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    if (values.empty() || values.front().size() < 2) {
      std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
      return order;
    }
    order.clear();
    for (const auto i : pagmo::select_best_N_mo(values, values.size()))
      order.push_back(i);
    return order;
  }

  /// NSGA-II with one difference that suits expensive points on a grid: parents come from everything that was computed,
  /// and a child that was computed before is changed until it is new.
  bool evolve() {
    const std::size_t most = budget(), size = std::min<std::size_t>(study.search.population, most);
    std::vector<Genome> seen = sobolSample(size);
    std::set<Genome> taken(seen.begin(), seen.end());
    std::optional<std::vector<Score>> scores = evaluate(valuesOf(seen), Fidelity::Schedule);
    if (!scores)
      return false;
    while (seen.size() < most) {
      const std::vector<Genome> children = breed(seen, *scores, std::min(size / 2 + 1, most - seen.size()), taken);
      const std::optional<std::vector<Score>> more = evaluate(valuesOf(children), Fidelity::Schedule);
      if (!more)
        return false;
      seen.insert(seen.end(), children.begin(), children.end());
      scores->insert(scores->end(), more->begin(), more->end());
    }
    return true;
  }

  std::vector<Genome> breed(const std::vector<Genome> &seen, const std::vector<Score> &scores, std::size_t count,
                            std::set<Genome> &taken) {
    std::vector<std::size_t> order = ranked(scores);
    order.resize(std::min<std::size_t>(order.size(), study.search.population));
    std::vector<Genome> children;
    pagmo::detail::random_engine_type engine(static_cast<unsigned>(random.bits()));
    const auto parent = [&] { return seen[order[std::min(random.below(order.size()), random.below(order.size()))]]; };
    for (int tries = 0; children.size() < count && order.size() > 1 && tries < 1000; ++tries)
      for (const Genome &child : cross(parent(), parent(), engine))
        if (children.size() < count && taken.insert(child).second)
          children.push_back(child);
    // Too few parents, or nothing new near them.
    for (const Genome &genome : randomSample(count - children.size(), taken)) {
      taken.insert(genome);
      children.push_back(genome);
    }
    return children;
  }

  std::vector<Genome> cross(const Genome &a, const Genome &b, pagmo::detail::random_engine_type &engine) const {
    const pagmo::vector_double first(a.begin(), a.end()), second(b.begin(), b.end());
    pagmo::vector_double low(dimensions(), 0), high;
    for (std::size_t d = 0; d < dimensions(); ++d)
      high.push_back(static_cast<double>(valuesOf(d) - 1));
    auto [one, other] = pagmo::sbx_crossover(first, second, {low, high}, dimensions(), 0.9, 10, engine);
    std::vector<Genome> children;
    for (pagmo::vector_double *child : {&one, &other}) {
      pagmo::polynomial_mutation(*child, {low, high}, dimensions(), 1.0 / static_cast<double>(dimensions()), 20,
                                 engine);
      Genome genome;
      for (const double index : *child)
        genome.push_back(static_cast<std::size_t>(index));
      children.push_back(std::move(genome));
    }
    return children;
  }
};

/// The value of a machine key times a factor, whole where the base's is.
std::string timesFactor(double value, double factor) {
  const double product = value * factor;
  return fmt::format("{}", value == std::floor(value) ? std::max(1.0, std::round(product)) : product);
}

} // namespace

bool search(const Study &study, const Evaluate &evaluate, const Screen &screen) {
  return Searcher(study, evaluate, screen).run();
}

Values baseValues(const Study &study) {
  Values base;
  for (const Parameter &p : study.parameters) {
    const bool isMapping = p.key.starts_with("mapping.");
    if (p.values.size() == 1 || (isMapping && !study.workloads.front().mapping.contains(p.key.substr(8))))
      base[p.key] = p.values.front();
  }
  return base;
}

std::vector<Values> sensitivityPoints(const Study &study) {
  if (study.sensitivity.keys.empty())
    return {};
  const Values base = baseValues(study);
  const isa::Variables machine = isa::machineVariables(study.base);
  std::vector<Values> points = {base};
  for (const isa::Unpublished &u : study.sensitivity.keys) {
    const auto chosen = base.find(u.key);
    const double value = chosen == base.end() ? machine.at(u.key) : std::stod(chosen->second);
    std::vector<std::string> tried;
    if (u.low)
      tried = {fmt::format("{}", *u.low), fmt::format("{}", *u.high)};
    else
      for (const double factor : study.sensitivity.factors)
        tried.push_back(timesFactor(value, factor));
    for (const std::string &text : tried)
      if (text != fmt::format("{}", value)) {
        points.push_back(base);
        points.back()[u.key] = text;
      }
  }
  return points;
}

bool isAdaptive(Method method) { return method == Method::Halving || method == Method::Nsga2; }

bool dominates(const Score &a, const Score &b) {
  bool isBetter = false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] > b[i])
      return false;
    isBetter |= a[i] < b[i];
  }
  return isBetter;
}

std::vector<std::size_t> frontier(const std::vector<Score> &scores) {
  // Whoever dominates a point comes before it in lexicographic order.
  std::vector<std::size_t> order, front;
  for (std::size_t i = 0; i < scores.size(); ++i)
    if (!scores[i].empty())
      order.push_back(i);
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
  for (const std::size_t i : order)
    if (std::ranges::none_of(front, [&](std::size_t f) { return dominates(scores[f], scores[i]); }))
      front.push_back(i);
  std::ranges::sort(front);
  return front;
}

double hypervolume(const std::vector<Score> &points, const std::vector<Score> &all) {
  Score low, high;
  for (const Score &s : all)
    for (std::size_t d = 0; d < s.size(); ++d) {
      if (low.size() <= d)
        low.push_back(s[d]), high.push_back(s[d]);
      low[d] = std::min(low[d], s[d]), high[d] = std::max(high[d], s[d]);
    }
  std::vector<Score> scaled;
  for (const std::size_t i : frontier(points)) {
    Score s = points[i];
    for (std::size_t d = 0; d < s.size(); ++d)
      s[d] = high[d] > low[d] ? (s[d] - low[d]) / (high[d] - low[d]) : 0;
    scaled.push_back(std::move(s));
  }
  if (scaled.empty())
    return 0;
  if (low.size() == 1)
    return 1 - scaled.front().front();
  return pagmo::hypervolume(scaled, true).compute(Score(low.size(), 1));
}

} // namespace lpu::explore
