// A line for each number of systems and each series: colours tell systems apart, dashes series. Times are drawn
// logarithmically, since they are flat up to a wall; rates and shares are not.
#include "LoadDiagrams.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

namespace lpu::serve {
namespace {

struct Series {
  const char *dashes;
  std::function<double(const Figures &)> value;
};

class Diagram {
public:
  enum class Scale { Linear, Logarithmic };

  Diagram(std::string title, const LoadReport &report, Scale scale, std::vector<Series> series)
      : title(std::move(title)), report(report), scale(scale), series(std::move(series)) {
    for (const StudyPoint &point : report.points)
      if (point.load) {
        systems.insert(point.systems);
        right = std::max(right, *point.load);
        for (const Series &one : this->series)
          include(one.value(point.figures));
      }
    if (scale == Scale::Linear)
      setLinear();
    else
      setDecades();
  }

  std::string svg() const {
    std::string out = fmt::format("<figure><figcaption>{0}, against load</figcaption><svg viewBox='0 0 {1} {2}' "
                                  "role='img' aria-label='{0}'>",
                                  title, kWidth + 90, kHeight + 40);
    for (const double mark : marks())
      out += fmt::format("<line x1='60' x2='{}' y1='{:.1f}' y2='{:.1f}' class='grid'/><text x='55' y='{:.1f}' "
                         "text-anchor='end'>{:g}</text>",
                         60 + kWidth, y(mark), y(mark), y(mark) + 4, mark);
    for (double load = 0; load <= right + 0.01; load += 0.2)
      out += fmt::format("<text x='{:.1f}' y='{}' text-anchor='middle'>{:.1f}</text>", x(load), kHeight + 30, load);
    unsigned color = 0;
    for (const unsigned count : systems) {
      const char *const kColors[] = {"#2563eb", "#d97706", "#059669", "#dc2626", "#7c3aed", "#0891b2"};
      const std::string own = kColors[color++ % std::size(kColors)];
      for (const Series &one : series)
        out += line(count, one, own);
      out += fmt::format("<text x='{}' y='{}' fill='{}'>N={}</text>", 70, 10 + 14 * color, own, count);
    }
    return out + "</svg></figure>\n";
  }

private:
  static constexpr double kWidth = 520, kHeight = 260;

  void include(double value) {
    top = std::max(top, value);
    if (value > 0)
      bottom = std::min(bottom, value);
  }

  void setDecades() {
    bottom = std::pow(10, std::floor(std::log10(std::min(bottom, top))));
    top = std::pow(10, std::ceil(std::log10(std::max(top, bottom * 10))));
  }

  /// From 0 to a round number, in about five parts.
  void setLinear() {
    bottom = 0;
    const double rough = top / 5, power = std::pow(10, std::floor(std::log10(rough)));
    const double steps[] = {1, 2, 5, 10};
    step = power * *std::ranges::find_if(steps, [&](double factor) { return power * factor >= rough * 0.999; });
    top = step * std::ceil(top / step - 1e-9);
  }

  std::vector<double> marks() const {
    std::vector<double> out;
    if (scale == Scale::Linear)
      for (int i = 0; i * step <= top * 1.001; ++i)
        out.push_back(i * step);
    else
      for (double decade = bottom; decade <= top * 1.01; decade *= 10)
        out.push_back(decade);
    return out;
  }

  double x(double load) const { return 60 + kWidth * load / right; }
  double y(double value) const {
    const double share = scale == Scale::Linear ? value / top : std::log(value / bottom) / std::log(top / bottom);
    return 10 + kHeight * (1 - share);
  }

  std::string line(unsigned count, const Series &one, const std::string &color) const {
    std::string points;
    for (const StudyPoint &point : report.points)
      if (point.load && point.systems == count)
        points += fmt::format("{:.1f},{:.1f} ", x(*point.load), y(std::max(one.value(point.figures), bottom)));
    return fmt::format("<polyline points='{}' fill='none' stroke='{}' stroke-dasharray='{}'/>", points, color,
                       one.dashes);
  }

  std::string title;
  const LoadReport &report;
  Scale scale;
  std::vector<Series> series;
  std::set<unsigned> systems;
  double bottom = 1e18, top = 1e-3, right = 0.1, step = 1;
};

constexpr const char *kSolid = "6 0", *kDashed = "6 3", *kDotted = "2 3";

std::string timeDiagram(const char *title, const LoadReport &report, Percentiles Figures::*times) {
  constexpr double kNsPerUs = 1e3;
  const auto of = [times](std::int64_t Percentiles::*which) {
    return [times, which](const Figures &figures) { return static_cast<double>((figures.*times).*which) / kNsPerUs; };
  };
  return Diagram(title, report, Diagram::Scale::Logarithmic,
                 {{kSolid, of(&Percentiles::p50)}, {kDashed, of(&Percentiles::p99)}, {kDotted, of(&Percentiles::p999)}})
      .svg();
}

double refusedPercent(const Figures &figures) {
  return figures.requests ? 100.0 * static_cast<double>(figures.refused) / static_cast<double>(figures.requests) : 0;
}

} // namespace

std::string diagramsHtml(const LoadReport &report) {
  const auto curve =
      std::ranges::find_if(report.points, [](const StudyPoint &point) { return point.load.has_value(); });
  if (curve == report.points.end())
    return "";
  std::string out = timeDiagram("Time to first token, µs", report, &Figures::ttft) +
                    timeDiagram("Queue, µs", report, &Figures::queue) +
                    timeDiagram("Time per output token, µs", report, &Figures::tpot);
  out += Diagram("Goodput: requests a second that kept to the objective", report, Diagram::Scale::Linear,
                 {{kSolid, [](const Figures &figures) { return figures.goodputPerSecond; }}})
             .svg();
  out += Diagram("Requests in time (solid) and refused (dashed), %", report, Diagram::Scale::Linear,
                 {{kSolid, [](const Figures &figures) { return 100 * figures.attained; }}, {kDashed, refusedPercent}})
             .svg();
  if (curve->figures.joules)
    out += Diagram("Energy of a token: typical (solid), low and high (dotted), J", report, Diagram::Scale::Linear,
                   {{kSolid, [](const Figures &figures) { return figures.joules ? figures.joules->typical : 0; }},
                    {kDotted, [](const Figures &figures) { return figures.joules ? figures.joules->low : 0; }},
                    {kDotted, [](const Figures &figures) { return figures.joules ? figures.joules->high : 0; }}})
               .svg();
  return out;
}

} // namespace lpu::serve
