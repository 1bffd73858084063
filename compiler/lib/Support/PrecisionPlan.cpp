// A --quant-config file: defaults and rules. Strict like all YAML here: a key or a
// precision that is misspelt is an error with its line, for nothing else would tell.

#include "lpu/compiler/Support/PrecisionPlan.h"

#include "StrictYaml.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>

namespace lpu::compiler {
namespace {

/// The layer in "blk.7.attn_q.weight"; nothing for tensors of no layer.
std::optional<std::uint32_t> layerOf(std::string_view tensor) {
  std::uint32_t layer = 0;
  if (!tensor.starts_with("blk."))
    return std::nullopt;
  auto [end, failed] = std::from_chars(tensor.data() + 4, tensor.data() + tensor.size(), layer);
  return failed == std::errc() && end != tensor.data() + tensor.size() && *end == '.' ? std::optional(layer)
                                                                                      : std::nullopt;
}

/// Shell-like matching. On a mismatch the last `*` takes one character more, so time is at most the product of lengths.
bool matchesGlob(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = std::string_view::npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*')
      star = p++, resume = t;
    else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t]))
      ++p, ++t;
    else if (star != std::string_view::npos)
      p = star + 1, t = ++resume;
    else
      return false;
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

class Parser : StrictYaml {
public:
  explicit Parser(const std::string &fileName) : StrictYaml(fileName, "choose-precisions.md") {}

  Status run(std::string_view yaml, PrecisionOptions &defaults, std::vector<PrecisionRule> &rules) {
    return load(yaml, [&](const YAML::Node &root) { return readRoot(root, defaults, rules); });
  }

private:
  bool readRoot(const YAML::Node &root, PrecisionOptions &defaults, std::vector<PrecisionRule> &rules) {
    return readMap(root, "the file", [&](const std::string &key, const YAML::Node &at, const YAML::Node &value) {
      if (key == "rules")
        return readRules(value, rules);
      if (key == "weights")
        return readName(at, value, kWeightTypes, defaults.weights);
      if (key == "activations")
        return readName(at, value, kActivationTypes, defaults.activations);
      if (key == "kv")
        return readName(at, value, kKVTypes, defaults.kv);
      return fail(at, "unknown key '" + key + "'; weights, activations, kv and rules are known");
    });
  }

  bool readRules(const YAML::Node &list, std::vector<PrecisionRule> &rules) {
    if (!list.IsSequence())
      return fail(list, "key 'rules' must be a list, each rule with '- ' before its first key");
    for (const YAML::Node &node : list)
      if (!readRule(node, rules.emplace_back()))
        return false;
    return true;
  }

  bool readRule(const YAML::Node &node, PrecisionRule &rule) {
    rule.line = node.Mark().line + 1;
    bool isPlaced = false;
    bool isRead = readMap(node, "a rule", [&](const std::string &key, const YAML::Node &at, const YAML::Node &value) {
      isPlaced |= key == "tensors" || key == "layers";
      if (key == "tensors")
        return (value.IsScalar() && !(rule.tensors = value.Scalar()).empty()) ||
               fail(at, "key 'tensors' must be the name of a tensor, with * and ? for what may vary");
      if (key == "layers")
        return readLayers(at, value.IsScalar() ? value.Scalar() : "", rule);
      if (key == "weights")
        return readName(at, value, kWeightTypes, rule.weights);
      if (key == "activations")
        return readName(at, value, kActivationTypes, rule.activations);
      return fail(at, "unknown key '" + key + "' of a rule; tensors, layers, weights and activations are known");
    });
    if (!isRead)
      return false;
    if (!isPlaced)
      return fail(node, "a rule must say what it is for; add tensors: or layers:");
    if (rule.weights.empty() && rule.activations.empty())
      return fail(node, "a rule must choose something; add weights: or activations:");
    return true;
  }

  bool readLayers(const YAML::Node &at, const std::string &text, PrecisionRule &rule) {
    auto &[first, last] = rule.layers.emplace();
    const char *end = text.data() + text.size();
    std::from_chars_result read = std::from_chars(text.data(), end, first);
    last = first;
    if (read.ec == std::errc() && read.ptr != end && *read.ptr == '-')
      read = std::from_chars(read.ptr + 1, end, last);
    return (read.ec == std::errc() && read.ptr == end && first <= last) ||
           fail(at, "key 'layers' is '" + text + "'; give a layer (3) or the first and last one (0-7)");
  }

  bool readName(const YAML::Node &at, const YAML::Node &value, std::span<const PrecisionName> known,
                std::string &name) {
    name = value.IsScalar() ? value.Scalar() : "";
    if (std::ranges::any_of(known, [&](const PrecisionName &k) { return k.name == name; }))
      return true;
    std::string names;
    for (const PrecisionName &k : known)
      names += (names.empty() ? "" : ", ") + std::string(k.name);
    return fail(at, "'" + name + "' is not known; choose one of " + names);
  }
};

} // namespace

bool PrecisionRule::matches(std::string_view tensor) const {
  if (layers) {
    auto layer = layerOf(tensor);
    if (!layer || *layer < layers->first || *layer > layers->second)
      return false;
  }
  return matchesGlob(tensors, tensor);
}

Result<PrecisionPlan> PrecisionPlan::create(const PrecisionOptions &options) {
  if (Status known = checkPrecision(options); !known)
    return known.error();
  if (options.config.empty()) {
    PrecisionPlan plan;
    plan.defaults = options;
    return plan;
  }
  std::ifstream in(options.config, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  if (!in)
    return Error{options.config, "cannot be read; check the path given with --quant-config"};
  return parse(options, text.str(), options.config);
}

Result<PrecisionPlan> PrecisionPlan::parse(const PrecisionOptions &options, std::string_view yaml,
                                           const std::string &file) {
  PrecisionPlan plan;
  plan.defaults = options;
  plan.file = file;
  if (Status done = Parser(file).run(yaml, plan.defaults, plan.rules); !done)
    return done.error();
  return plan;
}

const std::string &PrecisionPlan::weights(std::string_view tensor) const {
  auto rule = std::find_if(rules.rbegin(), rules.rend(),
                           [&](const PrecisionRule &r) { return !r.weights.empty() && r.matches(tensor); });
  return rule == rules.rend() ? defaults.weights : rule->weights;
}

const std::string &PrecisionPlan::activations(std::string_view tensor) const {
  auto rule = std::find_if(rules.rbegin(), rules.rend(),
                           [&](const PrecisionRule &r) { return !r.activations.empty() && r.matches(tensor); });
  return rule == rules.rend() ? defaults.activations : rule->activations;
}

Status PrecisionPlan::checkRules(const std::vector<std::string> &tensors) const {
  for (const PrecisionRule &rule : rules)
    if (std::ranges::none_of(tensors, [&](const std::string &tensor) { return rule.matches(tensor); }))
      return Error{file + ":" + std::to_string(rule.line),
                   "the rule matches none of the model's linears, which are named like '" +
                       (tensors.empty() ? "" : tensors.front()) + "'; correct tensors: or layers:"};
  return Ok{};
}

} // namespace lpu::compiler
