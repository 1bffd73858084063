#include "Grid.h"

#include <boost/random/sobol.hpp>
#include <pagmo/utils/multi_objective.hpp>

#include <algorithm>
#include <numeric>

namespace lpu::explore {

Values Grid::valuesOf(const Genome &genome) const {
  Values values;
  for (std::size_t d = 0; d < dimensions(); ++d)
    values[study.parameters[d].key] = study.parameters[d].values[genome[d]];
  return values;
}

std::vector<Values> Grid::valuesOf(const std::vector<Genome> &genomes) const {
  std::vector<Values> list;
  for (const Genome &g : genomes)
    list.push_back(valuesOf(g));
  return list;
}

Genome Grid::atIndex(std::uint64_t index) const {
  Genome genome(dimensions());
  for (std::size_t d = dimensions(); d-- > 0; index /= valuesOf(d))
    genome[d] = static_cast<std::size_t>(index % valuesOf(d));
  return genome;
}

Genome Grid::any(Random &random) const {
  Genome genome(dimensions());
  for (std::size_t d = 0; d < dimensions(); ++d)
    genome[d] = random.below(valuesOf(d));
  return genome;
}

std::vector<Genome> Grid::randomSample(std::uint64_t count, Random &random, std::set<Genome> taken) const {
  std::vector<Genome> genomes;
  count = std::min<std::uint64_t>(count, size() - taken.size());
  while (genomes.size() < count)
    if (const Genome genome = any(random); taken.insert(genome).second)
      genomes.push_back(genome);
  return genomes;
}

std::vector<Genome> Grid::sobolSample(std::uint64_t count, Random &random) const {
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
      genome[d] = static_cast<std::size_t>((static_cast<unsigned __int128>(sequence() ^ shift[d]) * valuesOf(d)) >> 64);
    if (taken.insert(genome).second)
      genomes.push_back(genome);
  }
  for (const Genome &genome : randomSample(count - genomes.size(), random, taken))
    genomes.push_back(genome);
  return genomes;
}

std::vector<std::size_t> ranked(const std::vector<Score> &scores) {
  std::vector<std::size_t> good;
  std::vector<Score> values;
  for (std::size_t i = 0; i < scores.size(); ++i)
    if (!scores[i].empty())
      good.push_back(i), values.push_back(scores[i]);
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (values.empty() || values.front().size() < 2)
    std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  else
    std::ranges::copy(pagmo::sort_population_mo(values), order.begin()); // select_best_N_mo of all would not sort
  for (std::size_t &i : order)
    i = good[i];
  return order;
}

} // namespace lpu::explore
