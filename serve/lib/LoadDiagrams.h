// The curves of a load study as SVG, which needs nothing else.
#pragma once

#include "LoadReport.h"

namespace lpu::serve {

/// Times, goodput, refusals and energy against load, a figure each; empty: the study has no curves.
std::string diagramsHtml(const LoadReport &report);

} // namespace lpu::serve
