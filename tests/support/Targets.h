// Runs a check on every instruction set that code dispatched by Highway has and
// this host can execute.
#pragma once

#include "hwy/highway.h"

namespace lpu::test {

/// Calls `check` with the name of each target while it is the chosen one.
template <class Check> void onEveryTarget(Check check) {
  for (std::int64_t targets = hwy::SupportedTargets() & HWY_TARGETS; targets; targets &= targets - 1) {
    const std::int64_t target = targets & -targets;
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    check(hwy::TargetName(target));
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

} // namespace lpu::test
