// A thin wall around muParser: names may hold dots, and what it throws becomes a Result.
// Also machines as variables, and back.
#include "lpu/isa/Formula.h"

#include "MachineKeys.h"

#include <cmath>
#include <fmt/format.h>
#include <memory>
#include <muParser.h>
#include <string_view>

namespace lpu::isa {
namespace {

double roundUp(double x) { return std::ceil(x); }
double roundDown(double x) { return std::floor(x); }
double roundNearest(double x) { return std::round(x); }

Error syntaxError(const std::string &expression, const mu::Parser::exception_type &e) {
  std::string text = e.GetMsg();
  while (!text.empty() && (text.back() == '.' || text.back() == ' '))
    text.pop_back();
  return {"", fmt::format("'{}' is no expression: {}", expression, text)};
}

/// muParser would take "a = 3" as an assignment, whose value is 3.
bool assigns(const std::string &expression) {
  for (std::size_t at = 0; (at = expression.find('=', at)) != std::string::npos; ++at) {
    if (expression.compare(at, 2, "==") == 0)
      ++at;
    else if (at == 0 || std::string_view("<>!").find(expression[at - 1]) == std::string_view::npos)
      return true;
  }
  return false;
}

/// An expression that was read once; its parser keeps pointers to `values`.
struct Compiled {
  mu::Parser parser;
  Variables values;

  /// Throws what muParser does.
  explicit Compiled(const std::string &expression) {
    if (assigns(expression))
      throw mu::Parser::exception_type("= sets a value, == compares");
    parser.DefineNameChars("0123456789_.abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    parser.DefineFun("ceil", roundUp);
    parser.DefineFun("floor", roundDown);
    parser.DefineFun("round", roundNearest);
    parser.SetExpr(expression);
    for (const auto &[name, address] : parser.GetUsedVar())
      values[name] = 0;
    for (auto &[name, value] : values)
      parser.DefineVar(name, &value);
  }
};

/// Tables and studies have few expressions, and evaluate them for thousands of machines.
Compiled &compiled(const std::string &expression) {
  thread_local std::map<std::string, std::unique_ptr<Compiled>> known;
  std::unique_ptr<Compiled> &own = known[expression];
  if (!own)
    own = std::make_unique<Compiled>(expression);
  return *own;
}

const MachineKey *keyNamed(const std::string &name) {
  const std::size_t dot = name.find('.');
  for (const MachineKey &key : machineKeys())
    if (name.compare(0, dot, key.section) == 0 && dot != name.npos && name.compare(dot + 1, name.npos, key.key) == 0)
      return &key;
  return nullptr;
}

Status change(Machine &machine, const std::string &name, double value) {
  const MachineKey *key = keyNamed(name);
  if (!key)
    return Error{"", fmt::format("'{}' is no key of a machine; keys are written as lanes.superlanes", name)};
  if (!(value >= key->low && value <= key->high))
    return Error{"", key->low == key->high
                         ? fmt::format("'{}' is {}, but this project fixes it at {}", name, value, key->low)
                         : fmt::format("'{}' is {}, outside of {} to {}", name, value, key->low, key->high)};
  if (const auto *real = std::get_if<double Machine::*>(&key->member)) {
    machine.**real = value;
    return Ok{};
  }
  if (value != std::floor(value))
    return Error{"", fmt::format("'{}' is {}, and must be an integer; round() and ceil() make one", name, value)};
  if (const auto *integer = std::get_if<int Machine::*>(&key->member))
    machine.**integer = static_cast<int>(value);
  else
    machine.latency.*std::get<Cycle Latencies::*>(key->member) = static_cast<Cycle>(value);
  return Ok{};
}

} // namespace

Result<std::vector<std::string>> namesIn(const std::string &expression) {
  try {
    std::vector<std::string> names;
    for (const auto &[name, value] : compiled(expression).values)
      names.push_back(name);
    return names;
  } catch (const mu::Parser::exception_type &e) {
    return syntaxError(expression, e);
  }
}

Result<double> evaluate(const std::string &expression, const Variables &variables) {
  try {
    Compiled &own = compiled(expression);
    for (auto &[name, value] : own.values) {
      const auto known = variables.find(name);
      if (known == variables.end())
        return Error{"", fmt::format("'{}' in '{}' is not known; machine keys are written as lanes.superlanes", name,
                                     expression)};
      value = known->second;
    }
    const double result = own.parser.Eval();
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

Result<Machine> machineWith(const Machine &base, const Variables &changes) {
  Machine machine = base;
  for (const auto &[name, value] : changes)
    if (Status changed = change(machine, name, value); !changed)
      return changed.error();
  if (const std::optional<KeyConflict> conflict = conflictOf(machine))
    return Error{"", conflict->message};
  return machine;
}

} // namespace lpu::isa
