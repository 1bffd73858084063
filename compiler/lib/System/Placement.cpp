// Placement by depth-first search. Chips are placed in the order of their distance
// from the first one, so each has a placed partner, and only the free places cabled
// to all its partners come into question. Near ones are tried first, and of those the
// ones with the fewest ways on (Warnsdorff's rule), which keeps a node's exits for
// last. In the presets the first choice is nearly always right; the limit on steps is
// for topologies in which the partition has no place.

#include "lpu/compiler/System/Placement.h"

#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/breadth_first_search.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <tuple>

namespace lpu::compiler {

namespace {

constexpr int kMostSteps = 500'000, kFree = -1;

class Search {
public:
  Search(const Topology &topology, const PlacementProblem &problem)
      : topology(topology), problem(problem), partners(problem.chips.size()),
        neighbours(static_cast<std::size_t>(topology.places)), placeOf(problem.chips.size(), kFree),
        chipAt(static_cast<std::size_t>(topology.places), kFree) {
    for (auto [a, b] : problem.wires) {
      ++wiresBetween[std::minmax(a, b)];
      partners[a].push_back(b), partners[b].push_back(a);
    }
    for (auto [a, b] : topology.cables) {
      ++cablesBetween[std::minmax(a, b)];
      neighbours[a].push_back(b), neighbours[b].push_back(a);
    }
  }

  Result<std::vector<int>> run() {
    if (problem.chips.size() > chipAt.size())
      return Error{topology.name,
                   fmt::format("the partition has {} chips, this topology {}; take a larger one or fewer chips",
                               problem.chips.size(), chipAt.size())};
    orderChips();
    if (place(0))
      return placeOf;
    return failure();
  }

private:
  /// Breadth first from the first chip; parts that no wire joins to it follow.
  void orderChips() {
    using Graph = boost::adjacency_list<boost::vecS, boost::vecS, boost::undirectedS>;
    Graph wired(problem.wires.begin(), problem.wires.end(), problem.chips.size());
    std::vector<boost::default_color_type> colour(problem.chips.size(), boost::white_color);
    auto note =
        boost::write_property(boost::identity_property_map(), std::back_inserter(order), boost::on_discover_vertex());
    boost::queue<std::size_t> waiting;
    auto visit = [&](std::size_t chip) {
      if (colour[chip] == boost::white_color)
        boost::breadth_first_visit(wired, chip, waiting, boost::make_bfs_visitor(note), colour.data());
    };
    if (!problem.chips.empty())
      visit(static_cast<std::size_t>(problem.first));
    for (std::size_t chip = 0; chip < problem.chips.size(); ++chip)
      visit(chip);
  }

  bool joins(int place, int chip, int partner) const {
    auto cables = cablesBetween.find(std::minmax(place, placeOf[partner]));
    return cables != cablesBetween.end() && cables->second >= wiresBetween.at(std::minmax(chip, partner));
  }

  /// Free places that are cabled to all placed partners of a chip: those of the partner's node first, then those of
  /// later nodes.
  std::vector<int> candidates(int chip) {
    auto anchor = std::find_if(partners[chip].begin(), partners[chip].end(),
                               [&](int partner) { return placeOf[partner] != kFree; });
    std::vector<int> found;
    auto consider = [&](int place) {
      if (chipAt[place] != kFree)
        return;
      for (int partner : partners[chip])
        if (placeOf[partner] != kFree && !joins(place, chip, partner)) {
          stuck(chip, partner, place);
          return;
        }
      found.push_back(place);
    };
    int home = 0;
    if (anchor == partners[chip].end()) {
      for (int place = 0; place < topology.places; ++place)
        consider(place);
    } else {
      home = topology.nodeOf(placeOf[*anchor]);
      for (int place : neighbours[placeOf[*anchor]])
        consider(place);
      if (found.empty())
        stuck(chip, *anchor, firstFree());
    }
    auto key = [&](int place) {
      int nodes = topology.nodeOf(place) - home;
      return std::tuple(nodes >= 0 ? nodes : topology.places - nodes, waysOn(place), place);
    };
    std::sort(found.begin(), found.end(), [&](int a, int b) { return key(a) < key(b); });
    found.erase(std::unique(found.begin(), found.end()), found.end());
    return found;
  }

  std::ptrdiff_t waysOn(int place) const {
    return std::count_if(neighbours[place].begin(), neighbours[place].end(),
                         [&](int next) { return chipAt[next] == kFree; });
  }

  /// Remembers, for the error, the first pair that kept the search from going deeper than it ever was.
  void stuck(int chip, int partner, int place) {
    if (depth <= deepest)
      return;
    deepest = depth, apart = {chip, partner}, apartPlaces = {place, placeOf[partner]};
  }

  int firstFree() const { return static_cast<int>(std::find(chipAt.begin(), chipAt.end(), kFree) - chipAt.begin()); }

  bool place(std::size_t at) {
    if (at == order.size())
      return true;
    depth = static_cast<int>(at);
    int chip = order[at];
    for (int candidate : candidates(chip)) {
      if (++steps > kMostSteps)
        return false;
      placeOf[chip] = candidate, chipAt[candidate] = chip;
      if (place(at + 1))
        return true;
      placeOf[chip] = kFree, chipAt[candidate] = kFree;
    }
    return false;
  }

  Error failure() const {
    std::vector<int> route = shortestRoute(topology, apartPlaces.first, apartPlaces.second);
    std::string what =
        fmt::format("no link joins the chips of {} and {}", problem.chips[apart.first], problem.chips[apart.second]);
    std::string between =
        fmt::format("{} and {}", topology.placeName(apartPlaces.first), topology.placeName(apartPlaces.second));
    std::string how = route.empty()
                          ? "there is no route between " + between
                          : fmt::format("the shortest route between {} has {} hops", between, route.size() - 1);
    return {topology.name, fmt::format("{}: {}; choose another --topology, --tp or --pp", what, how)};
  }

  const Topology &topology;
  const PlacementProblem &problem;
  std::vector<std::vector<int>> partners, neighbours; ///< of chips by wires, of places by cables
  std::map<std::pair<int, int>, int> wiresBetween, cablesBetween;
  std::vector<int> placeOf, chipAt, order;
  int depth = 0, deepest = -1;
  std::pair<int, int> apart, apartPlaces;
  int steps = 0;
};

} // namespace

Result<std::vector<int>> placeChips(const Topology &topology, const PlacementProblem &problem) {
  return Search(topology, problem).run();
}

} // namespace lpu::compiler
