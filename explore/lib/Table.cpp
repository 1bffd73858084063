// points.csv: the same bytes for the same study, whoever computed it. No times, no hosts.
#include "lpu/explore/Session.h"

#include <algorithm>
#include <fmt/format.h>

namespace lpu::explore {
namespace {

std::string withUnit(const std::string &name, const std::string &unit) {
  return unit.empty() ? name : fmt::format("{}[{}]", name, unit);
}

/// Quoted where RFC 4180 asks for it.
std::string cell(const std::string &text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos)
    return text;
  std::string quoted = "\"";
  for (const char c : text)
    quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

std::vector<std::string> measuredColumns(const Measure &m) {
  std::vector<std::string> names;
  if (!m.hasBand)
    return {std::string(m.name)};
  for (const char *which : {"low", "typ", "high"})
    names.push_back(fmt::format("{}_{}", m.name, which));
  return names;
}

std::string csv(const Study &study, const std::vector<Row> &rows, const RunOptions &options, bool withMeasured) {
  std::string text = "point,key";
  const std::vector<std::string> keys = shownKeys(study);
  for (const std::string &key : keys)
    text += "," + withUnit(key, unitOf(key));
  if (withMeasured)
    for (const Measure &m : measures())
      for (const std::string &name : measuredColumns(m))
        text += "," + withUnit(name, std::string(m.unit));
  text += ",state,reason\n";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!options.isOurs(i))
      continue;
    const Row &row = rows[i];
    text += fmt::format("{},{}", i, row.key.substr(0, 16));
    const auto isChosen = [&](const std::string &key) { return row.values.contains(key); };
    Point point;
    if (std::ranges::all_of(keys, isChosen)) // no machine is needed to tell
      point.values = row.values;
    else
      point = makePoint(study, row.values, "");
    for (const std::string &key : keys)
      text += "," + cell(shownValue(study, point, key));
    if (withMeasured)
      for (const Measure &m : measures())
        for (const std::string &name : measuredColumns(m)) {
          const std::optional<double> value = row.costs ? row.costs->value(name) : std::nullopt;
          text += value ? fmt::format(",{}", *value) : ",";
        }
    text += fmt::format(",{},{}\n", stateName(row.state), cell(row.reason));
  }
  return text;
}

} // namespace

std::string pointsCsv(const Study &study, const std::vector<Row> &rows) { return csv(study, rows, {}, true); }
std::string plannedCsv(const Study &study, const std::vector<Row> &rows, const RunOptions &options) {
  return csv(study, rows, options, false);
}

} // namespace lpu::explore
