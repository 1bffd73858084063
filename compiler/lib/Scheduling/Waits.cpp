// Longest paths are shortest ones of the negated waits, which Bellman and Ford's relaxation finds whatever their signs.

#include "lpu/compiler/Scheduling/Waits.h"

#include <boost/graph/bellman_ford_shortest_paths.hpp>
#include <boost/graph/edge_list.hpp>
#include <boost/property_map/property_map.hpp>

#include <algorithm>
#include <functional>
#include <utility>

namespace lpu::compiler {

std::optional<std::vector<isa::Cycle>> earliestTimes(std::size_t count, const std::vector<Wait> &waits) {
  using Edges = std::vector<std::pair<std::size_t, std::size_t>>;
  Edges edges;
  std::vector<isa::Cycle> lengths;
  for (const Wait &wait : waits)
    edges.emplace_back(wait.from, wait.to), lengths.push_back(-wait.cycles);
  boost::edge_list<Edges::iterator> graph(edges.begin(), edges.end());
  auto length = boost::make_iterator_property_map(lengths.begin(), boost::get(boost::edge_index, graph));
  std::vector<isa::Cycle> times(count, 0); // each could be the first
  if (!boost::bellman_ford_shortest_paths(graph, count, boost::weight_map(length).distance_map(times.data())))
    return std::nullopt;
  std::transform(times.begin(), times.end(), times.begin(), std::negate<>());
  return times;
}

} // namespace lpu::compiler
