// What runs of generators and of encoders have in common.
#pragma once

#include "lpu/rt/Run.h"

#include <cstdint>
#include <span>
#include <string>

namespace lpu::rt {

/// Prints `error` as the one line users see; returns `code`.
int fail(const Terminal &terminal, const Error &error, int code = kFailure);
std::string hex(std::span<const std::uint8_t> bytes);
std::uint64_t peakRssBytes();

} // namespace lpu::rt
