// Constraints as text: what of an expression is compared with what.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace lpu::explore {

/// Both sides of every comparison in a condition: "(a < 3 || b == c) && d > 1" → a, 3, b, c, d, 1. Nothing: the text is
/// no comparison, nor comparisons joined by && and ||. Whether a side is an expression is not looked at.
std::optional<std::vector<std::string_view>> comparedIn(std::string_view text);

} // namespace lpu::explore
