// A thin wall around muParser: names may hold dots, and what it throws becomes a Result.
#include "Formula.h"

#include "MachineKeys.h"

#include <cmath>
#include <fmt/format.h>
#include <muParser.h>

namespace lpu::isa {
namespace {

double roundUp(double x) { return std::ceil(x); }
double roundDown(double x) { return std::floor(x); }
double roundNearest(double x) { return std::round(x); }

mu::Parser makeParser(const std::string &expression) {
  mu::Parser parser;
  parser.DefineNameChars("0123456789_.abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
  parser.DefineFun("ceil", roundUp);
  parser.DefineFun("floor", roundDown);
  parser.DefineFun("round", roundNearest);
  parser.SetExpr(expression);
  return parser;
}

Error syntaxError(const std::string &expression, const mu::Parser::exception_type &e) {
  std::string text = e.GetMsg();
  while (!text.empty() && (text.back() == '.' || text.back() == ' '))
    text.pop_back();
  return {"", fmt::format("'{}' is no expression: {}", expression, text)};
}

} // namespace

Result<std::vector<std::string>> namesIn(const std::string &expression) {
  try {
    std::vector<std::string> names;
    const mu::Parser parser = makeParser(expression);
    for (const auto &[name, address] : parser.GetUsedVar())
      names.push_back(name);
    return names;
  } catch (const mu::Parser::exception_type &e) {
    return syntaxError(expression, e);
  }
}

Result<double> evaluate(const std::string &expression, const Variables &variables) {
  const Result<std::vector<std::string>> names = namesIn(expression);
  if (!names)
    return names.error();
  Variables values; // muParser keeps pointers to them
  for (const std::string &name : *names) {
    const auto known = variables.find(name);
    if (known == variables.end())
      return Error{
          "", fmt::format("'{}' in '{}' is not known; machine keys are written as lanes.superlanes", name, expression)};
    values.insert(*known);
  }
  try {
    mu::Parser parser = makeParser(expression);
    for (auto &[name, value] : values)
      parser.DefineVar(name, &value);
    const double result = parser.Eval();
    if (!std::isfinite(result))
      return Error{"", fmt::format("'{}' has no finite value here", expression)};
    return result;
  } catch (const mu::Parser::exception_type &e) {
    return syntaxError(expression, e);
  }
}

Variables machineVariables(const Machine &machine) {
  Variables variables;
  for (const MachineKey &key : machineKeys()) {
    double &value = variables[fmt::format("{}.{}", key.section, key.key)];
    if (const auto *integer = std::get_if<int Machine::*>(&key.member))
      value = machine.**integer;
    else if (const auto *real = std::get_if<double Machine::*>(&key.member))
      value = machine.**real;
    else
      value = static_cast<double>(machine.latency.*std::get<Cycle Latencies::*>(key.member));
  }
  return variables;
}

} // namespace lpu::isa
