// A number and a unit, nothing else: "10" seconds or minutes is nobody's guess.
#include "Units.h"

#include <charconv>
#include <cmath>
#include <utility>

namespace lpu::serve {
namespace {

struct Unit {
  std::string_view name;
  double factor;
};

/// The number in front and what its unit makes of it; none: no such unit, or out of range.
template <std::size_t N> std::optional<double> parse(std::string_view text, const Unit (&units)[N]) {
  double value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  if (code != std::errc{} || !std::isfinite(value) || value < 0)
    return std::nullopt;
  for (const auto &[name, factor] : units)
    if (unit == name && value * factor < 9e18)
      return value * factor;
  return unit.empty() && value == 0 ? std::optional(0.0) : std::nullopt;
}

} // namespace

std::optional<std::int64_t> parseDuration(std::string_view text) {
  static constexpr Unit kUnits[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
  const auto value = parse(text, kUnits);
  return value ? std::optional(static_cast<std::int64_t>(std::llround(*value))) : std::nullopt;
}

std::optional<std::uint64_t> parseSize(std::string_view text) {
  static constexpr Unit kUnits[] = {{"", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}};
  const auto value = parse(text, kUnits);
  return value ? std::optional(static_cast<std::uint64_t>(*value)) : std::nullopt;
}

} // namespace lpu::serve
