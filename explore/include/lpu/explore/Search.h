// Which points of a study to look at. A search asks for points in batches and may wait for their
// objectives; the same study and seed ask for the same points, whoever computes them and when.
#pragma once

#include "lpu/explore/Study.h"

#include <functional>
#include <optional>
#include <vector>

namespace lpu::explore {

/// Objectives, smaller is better; empty: the point has none (infeasible, failed, pruned).
using Score = std::vector<double>;

enum class Fidelity { Bounds, Schedule };

/// Objectives of a batch, in its order; nothing: the run stops here.
using Evaluate = std::function<std::optional<std::vector<Score>>(const std::vector<Values> &, Fidelity)>;
/// Points that the search has looked at by bounds only and will not schedule, best first, with a reason.
using Screen = std::function<void(const Values &, const std::string &reason)>;

/// Runs the study's search to its end, or until `evaluate` returns nothing. True: to its end.
bool search(const Study &study, const Evaluate &evaluate, const Screen &screen);
/// The points of the study's `sensitivity`: the base, then one key at a time.
std::vector<Values> sensitivityPoints(const Study &study);
/// Parameters with a single value have it; others are the base machine's and the workload's own.
Values baseValues(const Study &study);

/// Does what points a search asks for depend on results?
bool isAdaptive(Method method);

/// Indices of the points that no other dominates, in order; equal points are all in it.
std::vector<std::size_t> frontier(const std::vector<Score> &scores);
/// Volume between the points and the worst value of each axis, with all axes scaled to 0 to 1 by best and worst of
/// `all`, which holds the points as well. Points without objectives do not count.
double hypervolume(const std::vector<Score> &points, const std::vector<Score> &all);
/// `a` is nowhere worse and somewhere better.
bool dominates(const Score &a, const Score &b);

} // namespace lpu::explore
