// Hand-written steps for the tests: queues as one-line texts ("nop 3; mem rd=1"),
// assembled for a preset and checked. On `small` MEM slices 4(p-1)..4p-1 stand at
// position p (1 to 7), SXM and C2C at 8, MXM at 9.
#pragma once

#include "lpu/isa/Assembler.h"
#include "lpu/isa/Legality.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <stdexcept>

namespace lpu::isa::test {

/// Queue name to its words after the opening sync, separated by ';'.
using Queues = std::map<std::string, std::string>;

inline Machine preset(const std::string &name = "small") {
  const Result<Machine> machine = loadMachine(name);
  if (!machine)
    throw std::runtime_error(machine.error().str());
  return *machine;
}

inline std::string lines(std::string text) {
  for (char &c : text)
    if (c == ';')
      c = '\n';
  return text + "\n";
}

/// The first queue gives the notify.
inline std::string stepText(const Queues &queues, const std::string &head = "", const std::string &keys = "") {
  std::string text = lines(head) + ".step \"s\" " + keys + "\n";
  bool first = true;
  for (const auto &[name, words] : queues) {
    text += ".queue " + name + "\n" + (first ? "notify\nsync\n" : "sync\n") + lines(words);
    first = false;
  }
  return text;
}

inline Program program(const std::string &text, const std::string &machine = "small") {
  Result<Program> result = assembleProgram(text, "test.s", preset(machine));
  if (!result)
    throw std::runtime_error(result.error().str());
  return std::move(*result);
}

inline LegalityReport check(const std::string &text, const std::string &machine = "small") {
  const Program p = program(text, machine);
  return checkLegality(p, 0, 0);
}

/// The same with the links of all chips; everything found is in one list.
inline LegalityReport checkAll(const Program &p, std::size_t step = 0) {
  const SystemLegality system = checkSystem(p, step);
  LegalityReport all;
  all.length = system.length;
  for (const LegalityReport &own : system.classes)
    all.findings.insert(all.findings.end(), own.findings.begin(), own.findings.end());
  all.findings.insert(all.findings.end(), system.findings.begin(), system.findings.end());
  return all;
}

/// Categories found, with the cycle of the first of each.
inline std::map<std::string, Cycle> found(const LegalityReport &report) {
  std::map<std::string, Cycle> result;
  for (const Finding &finding : report.findings)
    result.emplace(finding.category, finding.cycle);
  return result;
}

inline std::string describe(const LegalityReport &report) {
  std::string text;
  for (const Finding &finding : report.findings)
    text += finding.str() + "\n";
  return text;
}

#define EXPECT_CLEAN(REPORT)                                                                                           \
  do {                                                                                                                 \
    const LegalityReport r = (REPORT);                                                                                 \
    EXPECT_TRUE(r.findings.empty()) << describe(r);                                                                    \
  } while (false)

/// Exactly this one category, first found in this cycle.
#define EXPECT_ONLY(REPORT, CATEGORY, CYCLE)                                                                           \
  do {                                                                                                                 \
    const LegalityReport r = (REPORT);                                                                                 \
    EXPECT_EQ(found(r), (std::map<std::string, Cycle>{{CATEGORY, CYCLE}})) << describe(r);                             \
  } while (false)

} // namespace lpu::isa::test
