// The frontier as a picture of its own: the same bytes for the same points.
#include "lpu/explore/Session.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace lpu::explore {
namespace {

constexpr double kWidth = 720, kHeight = 480, kLeft = 80, kRight = 20, kTop = 40, kBottom = 60;

struct Axis {
  std::string column, label;
  double low = 0, high = 1;

  double share(double value) const { return (value - low) / (high - low); }
};

/// The value of a column and the ends of its bar.
struct Extent {
  double low, value, high;
};
Extent extentOf(const Costs &costs, const std::string &column) {
  const double value = *costs.value(column);
  return {costs.value(column + "_low").value_or(value), value, costs.value(column + "_high").value_or(value)};
}

double x(const Axis &axis, double value) { return kLeft + axis.share(value) * (kWidth - kLeft - kRight); }
double y(const Axis &axis, double value) { return kHeight - kBottom - axis.share(value) * (kHeight - kTop - kBottom); }

std::vector<double> ticks(const Axis &axis) {
  const double rough = (axis.high - axis.low) / 5, power = std::pow(10, std::floor(std::log10(rough)));
  const double step = rough / power < 1.5   ? power
                      : rough / power < 3.5 ? 2 * power
                      : rough / power < 7.5 ? 5 * power
                                            : 10 * power;
  std::vector<double> values;
  for (double k = std::ceil(axis.low / step); k * step <= axis.high; ++k)
    values.push_back(k * step);
  return values;
}

std::string line(double x1, double y1, double x2, double y2, const char *kind) {
  return fmt::format("<line class=\"{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n", kind, x1, y1, x2,
                     y2);
}
std::string text(double px, double py, const std::string &words, const char *anchor, const char *more = "") {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\"{}>{}</text>\n", px, py, anchor, more, words);
}

std::string axes(const Axis &across, const Axis &up) {
  std::string svg;
  for (const double value : ticks(across)) {
    svg += line(x(across, value), kTop, x(across, value), kHeight - kBottom, "grid");
    svg += text(x(across, value), kHeight - kBottom + 18, fmt::format("{:.4g}", value), "middle");
  }
  for (const double value : ticks(up)) {
    svg += line(kLeft, y(up, value), kWidth - kRight, y(up, value), "grid");
    svg += text(kLeft - 8, y(up, value) + 4, fmt::format("{:.4g}", value), "end");
  }
  svg += text((kLeft + kWidth - kRight) / 2, kHeight - 14, across.label, "middle");
  return svg + text(16, (kTop + kHeight - kBottom) / 2, up.label, "middle",
                    fmt::format(" transform=\"rotate(-90 16 {:.1f})\"", (kTop + kHeight - kBottom) / 2).c_str());
}

Result<Axis> axisOf(const std::string &column, const std::vector<Row> &rows) {
  const auto measure = std::ranges::find(measures(), column, &Measure::name);
  if (measure == measures().end())
    return Error{"--pareto",
                 fmt::format("'{}' is no column; take one such as token_us, j_per_token or area_mm2", column)};
  Axis axis{column, measure->unit.empty() ? column : fmt::format("{} [{}]", column, measure->unit)};
  bool isFirst = true;
  for (const Row &row : rows) {
    if (row.state != State::Done || !row.costs->value(column))
      continue;
    const Extent e = extentOf(*row.costs, column);
    axis.low = isFirst ? e.low : std::min(axis.low, e.low), axis.high = isFirst ? e.high : std::max(axis.high, e.high);
    isFirst = false;
  }
  if (isFirst)
    return Error{"--pareto", fmt::format("no point has a value of '{}' yet; run the study first", column)};
  const double margin =
      axis.high > axis.low ? 0.05 * (axis.high - axis.low) : std::max(1e-9, 0.05 * std::abs(axis.high));
  axis.low -= margin, axis.high += margin;
  return axis;
}

std::string escaped(const std::string &words) {
  std::string out;
  for (const char c : words)
    out += c == '<' ? "&lt;" : c == '&' ? "&amp;" : std::string(1, c);
  return out;
}

} // namespace

Result<std::string> paretoSvg(Session &session, const std::string &xColumn, const std::string &yColumn) {
  const std::vector<Row> &rows = session.end.rows;
  const Result<Axis> across = axisOf(xColumn, rows), up = axisOf(yColumn, rows);
  if (!across)
    return across.error();
  if (!up)
    return up.error();
  const std::vector<std::size_t> front = frontierRows(*session.study, rows);
  std::string svg =
      fmt::format("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" "
                  "font-family=\"sans-serif\" font-size=\"12\">\n<style>.grid{{stroke:#ddd}} .bar{{stroke:#999}} "
                  ".front{{fill:#c40}} "
                  ".other{{fill:#69c}}</style>\n<rect width=\"{0}\" height=\"{1}\" fill=\"#fff\"/>\n",
                  kWidth, kHeight);
  svg += text(kWidth / 2, 24, escaped(session.study->name) + ": frontier and other points, bars from low to high",
              "middle");
  svg += axes(*across, *up);
  for (const bool isFront : {false, true}) // the frontier on top
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const Row &row = rows[i];
      if (row.state != State::Done || std::ranges::binary_search(front, i) != isFront || !row.costs->value(xColumn) ||
          !row.costs->value(yColumn))
        continue;
      const Extent h = extentOf(*row.costs, xColumn), v = extentOf(*row.costs, yColumn);
      const double px = x(*across, h.value), py = y(*up, v.value);
      if (isFront) {
        svg += line(x(*across, h.low), py, x(*across, h.high), py, "bar");
        svg += line(px, y(*up, v.low), px, y(*up, v.high), "bar");
      }
      svg += fmt::format("<circle class=\"{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{}\"><title>point {}</title></circle>\n",
                         isFront ? "front" : "other", px, py, isFront ? 5 : 3, i);
    }
  return svg + "</svg>\n";
}

} // namespace lpu::explore
