// Durations and sizes as people write them on command lines.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace lpu::serve {

/// Nanoseconds of "200ms", "1.5s", "30us", "7ns", "2m"; a unit is needed unless it is 0.
std::optional<std::int64_t> parseDuration(std::string_view text);
/// Bytes of "4MiB", "64KiB", "1GiB" or a whole number.
std::optional<std::uint64_t> parseSize(std::string_view text);

} // namespace lpu::serve
