// Which points the methods of a study ask for, and what they are worth together.
#include "Grid.h"

#include <pagmo/utils/hypervolume.hpp>

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <numeric>

namespace lpu::explore {
namespace {

constexpr std::uint64_t kUsualBudget = 100;

class Searcher {
public:
  Searcher(const Study &study, const Evaluate &evaluate, const Screen &screen)
      : study(study), grid(study), evaluate(evaluate), screen(screen), random(study.search.seed) {}

  bool run() {
    switch (study.search.method) {
    case Method::Grid:
      return schedule(allPoints());
    case Method::Random:
      return schedule(grid.randomSample(budget(), random));
    case Method::Sobol:
      return schedule(grid.sobolSample(budget(), random));
    case Method::Oat:
      return evaluate(oneAtATime(), Fidelity::Schedule).has_value();
    case Method::Morris:
      return schedule(trajectories());
    case Method::Halving:
      return halve();
    case Method::Nsga2:
      return evolve(grid, budget(), study.search.population, random, evaluate);
    }
    return true;
  }

private:
  const Study &study;
  const Grid grid;
  const Evaluate &evaluate;
  const Screen &screen;
  Random random;

  std::uint64_t budget() const {
    const std::uint64_t asked = study.search.budget ? study.search.budget : kUsualBudget;
    return std::min(asked, grid.size());
  }
  bool schedule(const std::vector<Genome> &genomes) {
    return evaluate(grid.valuesOf(genomes), Fidelity::Schedule).has_value();
  }

  std::vector<Genome> allPoints() const {
    const std::uint64_t count = study.search.budget ? std::min(study.search.budget, grid.size()) : grid.size();
    std::vector<Genome> genomes;
    for (std::uint64_t i = 0; i < count; ++i)
      genomes.push_back(grid.atIndex(i));
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
    const std::uint64_t count = std::max<std::uint64_t>(1, budget() / (grid.dimensions() + 1));
    for (std::uint64_t t = 0; t < count; ++t) {
      Genome genome = grid.any(random);
      genomes.push_back(genome);
      std::vector<std::size_t> order(grid.dimensions());
      std::iota(order.begin(), order.end(), std::size_t{0});
      for (std::size_t i = order.size(); i > 1; --i)
        std::swap(order[i - 1], order[random.below(i)]);
      for (const std::size_t d : order) {
        const std::size_t n = grid.valuesOf(d), step = std::max<std::size_t>(1, n / 2);
        genome[d] = n == 1 ? 0 : genome[d] + step < n ? genome[d] + step : genome[d] >= step ? genome[d] - step : n - 1;
        genomes.push_back(genome);
      }
    }
    return genomes;
  }

  /// Bounds for all, schedules for the best third.
  bool halve() {
    const std::vector<Values> points = grid.valuesOf(grid.sobolSample(budget(), random));
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
