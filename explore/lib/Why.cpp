// Why a point is as it is: what binds it, where its energy goes, and what another point has that it has not.
#include "lpu/explore/Session.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>

namespace lpu::explore {
namespace {

std::string withBand(const isa::Estimate &e, double times, const char *unit) {
  return fmt::format("{:.4g} {} (low {:.4g}, high {:.4g})", e.typical * times, unit, e.low * times, e.high * times);
}

double share(double part, double whole) { return whole > 0 ? 100 * part / whole : 0; }

std::string boundsOf(const Workload &workload, const Measured &m) {
  const double cycles = static_cast<double>(m.cycles);
  std::string text =
      fmt::format("\n{}: step {}, {} chips (tp {}, pp {})\n", workload.name, m.step, m.chips, m.tp, m.pp);
  text += fmt::format("  {:<34}{:>12} cycles\n", "from the first to the last effect", m.cycles);
  for (const auto &[name, value] : {std::pair("no schedule can be below", m.boundCycles),
                                    {"chains of values alone", m.criticalPath},
                                    {"the busiest resources alone", m.resources},
                                    {"weights once through all planes", m.weightStream}})
    text += fmt::format("  {:<34}{:>12} cycles {:5.1f} %\n", name, value, share(static_cast<double>(value), cycles));
  double all = 0;
  std::vector<std::pair<double, std::string>> bounds;
  for (const auto &[bound, own] : m.cyclesByBound)
    bounds.emplace_back(static_cast<double>(own), bound), all += static_cast<double>(own);
  std::ranges::sort(bounds, std::greater<>());
  text += "  time of phases, by what binds them\n";
  for (const auto &[own, bound] : bounds)
    text += fmt::format("    {:<32}{:>12.0f} cycles {:5.1f} %\n", bound, own, share(own, all));
  const double capacity = static_cast<double>(m.memory.at("capacity"));
  text += "  memory of the fullest chip\n";
  for (const auto &[kind, bytes] : m.memory)
    if (kind != "capacity")
      text +=
          fmt::format("    {:<32}{:>12} bytes  {:5.1f} %\n", kind, bytes, share(static_cast<double>(bytes), capacity));
  return text;
}

Result<std::string> energyOfPoint(Session &session, const Row &row) {
  const Result<std::vector<Measured>> jobs = measuredOf(session, row);
  if (!jobs)
    return jobs.error();
  const Point point = makePoint(*session.study, row.values, session.build);
  Result<std::vector<EnergyShare>> shares = energyShares(*session.study, point, *jobs);
  if (!shares)
    return shares.error();
  std::ranges::stable_sort(*shares, std::greater<>(), &EnergyShare::typical);
  double all = 0;
  for (const EnergyShare &s : *shares)
    all += s.typical;
  std::string text =
      fmt::format("\nenergy of a token, one user alone, typical values of {}\n", session.study->energy.name);
  for (const EnergyShare &s : *shares)
    if (s.typical > 0)
      text += fmt::format("    {:<20}{:<12}{:>12.4g} J {:5.1f} %\n", s.entry, s.part, s.typical, share(s.typical, all));
  return text;
}

std::string difference(const Study &study, const Row &a, const Row &b, const std::string &name) {
  std::string text = fmt::format("\nagainst {}\n", name);
  const Point own = makePoint(study, a.values, ""), other = makePoint(study, b.values, "");
  for (const std::string &key : shownKeys(study))
    if (const std::string x = shownValue(study, own, key), y = shownValue(study, other, key); x != y)
      text += fmt::format("  {:<28}{:>14} instead of {}\n", key, x.empty() ? "unset" : x, y.empty() ? "unset" : y);
  if (!a.costs || !b.costs)
    return text + fmt::format("  {}\n", !b.costs ? "it has no costs: " + b.reason : "this point has no costs");
  for (const Measure &m : measures()) {
    const std::optional<double> x = a.costs->value(std::string(m.name)), y = b.costs->value(std::string(m.name));
    if (x && y && *y != 0)
      text += fmt::format("  {:<28}{:>14.6g} instead of {:.6g} {} ({:+.2f} %)\n", m.name, *x, *y, m.unit,
                          100 * (*x / *y - 1));
  }
  return text;
}

Result<std::size_t> numberOf(const Session &session, const std::string &against) {
  const std::vector<Row> &rows = session.end.rows;
  if (against == "base") {
    const std::string key = makePoint(*session.study, baseValues(*session.study), session.build).key;
    const auto base = std::ranges::find(rows, key, &Row::key);
    return base == rows.end() ? std::size_t{0} : static_cast<std::size_t>(base - rows.begin());
  }
  std::size_t number = 0, used = 0;
  try {
    number = std::stoul(against, &used);
  } catch (const std::exception &) {
  }
  if (used != against.size() || number >= rows.size())
    return Error{"--against", fmt::format("'{}' is neither base nor a point from 0 to {}", against, rows.size() - 1)};
  return number;
}

} // namespace

Result<std::string> whyText(Session &session, std::size_t number, const std::string &against) {
  const std::vector<Row> &rows = session.end.rows;
  if (number >= rows.size())
    return Error{session.store->path(),
                 fmt::format("has no point {}; its points are 0 to {}", number, rows.size() - 1)};
  const Row &row = rows[number];
  std::string text = fmt::format("point {} of {}: {}", number, session.study->name, stateName(row.state));
  text += row.reason.empty() ? "\n" : fmt::format(", {}\n", row.reason);
  const Point point = makePoint(*session.study, row.values, "");
  for (const std::string &key : shownKeys(*session.study))
    text += fmt::format("  {:<28}{:>14} {}\n", key, shownValue(*session.study, point, key), unitOf(key));
  if (row.costs) {
    const Costs &c = *row.costs;
    text += fmt::format("\n  {:.6g} us a token of one user, {:.6g} tokens/s\n", c.tokenUs, c.tokensPerSecond);
    text += fmt::format("  energy of a token, one user alone  {}\n", withBand(c.jPerToken, 1, "J"));
    text += fmt::format("  energy of a token, pipeline full   {}\n", withBand(c.jPerTokenFull, 1, "J"));
    text += fmt::format("  power of a chip, pipeline full     {}\n", withBand(c.watts, 1, "W"));
    text += fmt::format("  area of a chip                     {}\n", withBand(c.areaMm2, 1, "mm2"));
    const Result<std::vector<Measured>> jobs = measuredOf(session, row);
    if (!jobs)
      return jobs.error();
    for (std::size_t i = 0; i < jobs->size(); ++i)
      text += boundsOf(session.study->workloads[i], (*jobs)[i]);
    const Result<std::string> energy = energyOfPoint(session, row);
    if (!energy)
      return energy.error();
    text += *energy;
  }
  const Result<std::size_t> other = numberOf(session, against);
  if (!other)
    return other.error();
  if (*other != number)
    text += difference(*session.study, row, rows[*other], fmt::format("point {}", *other));
  return text;
}

} // namespace lpu::explore
