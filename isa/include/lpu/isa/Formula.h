// Arithmetic over named values: formulas of energy tables, and expressions of studies.
#pragma once

#include "lpu/isa/Machine.h"
#include "lpu/isa/Result.h"

#include <map>
#include <string>
#include <vector>

namespace lpu::isa {

using Variables = std::map<std::string, double>;

/// Value of e.g. "ceil(lanes.superlanes * 16 / 4) ^ 0.6". Operators + - * / ^, comparisons, && ||, ? :, and the
/// functions ceil, floor, round, sqrt, exp, ln, log2, min, max, abs. Error (place empty): a syntax error, a name that
/// is not in `variables`, a value that is not finite.
Result<double> evaluate(const std::string &expression, const Variables &variables);
/// Names in an expression that are no functions, sorted. Error (place empty): a syntax error.
Result<std::vector<std::string>> namesIn(const std::string &expression);
/// Every numeric key of a machine description: "lanes.superlanes" → 20.
Variables machineVariables(const Machine &machine);
/// A machine with some of these changed. Error (place empty): a key that is none, a fraction where whole numbers stand,
/// what parseMachine refuses.
Result<Machine> machineWith(const Machine &base, const Variables &changes);

} // namespace lpu::isa
