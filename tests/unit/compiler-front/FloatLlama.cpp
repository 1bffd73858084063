// Plain double-precision Llama.

#include "FloatLlama.h"

#include <cmath>

namespace lpu::test {
namespace {

using Vector = std::vector<double>;

struct Model {
  compiler::WeightStore &store;
  Weights weights;
  const compiler::ModelShape &s = store.shape();

  Vector load(const std::string &name) const {
    auto values = *store.load(name);
    return {values.begin(), values.end()};
  }
  Vector times(const std::string &name, const Vector &x) const {
    return weights == Weights::Int8 ? timesInt8(name, x) : timesFloat(load(name), x);
  }
  Vector timesFloat(const Vector &w, const Vector &x) const {
    Vector y(w.size() / x.size());
    for (std::size_t n = 0; n < y.size(); ++n)
      for (std::size_t k = 0; k < x.size(); ++k)
        y[n] += w[n * x.size() + k] * x[k];
    return y;
  }
  Vector timesInt8(const std::string &name, const Vector &x) const {
    auto w = *store.quantized(name);
    Vector y(w->rows);
    for (std::size_t n = 0; n < y.size(); ++n) {
      for (std::size_t k = 0; k < x.size(); ++k)
        y[n] += w->values[n * x.size() + k] * x[k];
      y[n] *= w->scales[n];
    }
    return y;
  }
  /// A projection of queries, keys or values: "blk.0.attn_q", with its bias if there is one.
  Vector project(const std::string &name, const Vector &x) const {
    Vector y = times(name + ".weight", x), bias = store.has(name + ".bias") ? load(name + ".bias") : Vector(y.size());
    for (std::size_t n = 0; n < y.size(); ++n)
      y[n] += bias[n];
    return y;
  }
  Vector norm(const std::string &name, const Vector &x) const {
    Vector gamma = load(name), y = x;
    double mean = 0;
    for (double v : x)
      mean += v * v / static_cast<double>(x.size());
    for (std::size_t i = 0; i < y.size(); ++i)
      y[i] = x[i] / std::sqrt(mean + s.eps) * gamma[i];
    return y;
  }
  Vector rope(Vector x, std::size_t position) const {
    Vector divisors(s.headDim / 2, 1.0);
    if (s.ropeFreqs)
      divisors = load("rope_freqs.weight");
    for (std::size_t i = 0; i < x.size(); i += 2) {
      std::size_t pair = i % s.headDim / 2;
      double angle = static_cast<double>(position) *
                     std::exp(-2.0 * static_cast<double>(pair) / s.headDim * std::log(s.ropeBase)) / divisors[pair];
      double a = x[i], b = x[i + 1];
      x[i] = a * std::cos(angle) - b * std::sin(angle);
      x[i + 1] = a * std::sin(angle) + b * std::cos(angle);
    }
    return x;
  }
  Vector attend(const Vector &q, const std::vector<Vector> &keys, const std::vector<Vector> &values) const {
    Vector out;
    for (std::size_t head = 0; head < s.heads; ++head) {
      std::size_t first = head / (s.heads / s.kvHeads) * s.headDim;
      Vector mixed(s.headDim);
      double total = 0;
      for (std::size_t p = 0; p < keys.size(); ++p) {
        double score = 0;
        for (std::size_t d = 0; d < s.headDim; ++d)
          score += q[head * s.headDim + d] * keys[p][first + d];
        double weight = std::exp(score / std::sqrt(double(s.headDim)));
        total += weight;
        for (std::size_t d = 0; d < s.headDim; ++d)
          mixed[d] += weight * values[p][first + d];
      }
      for (double v : mixed)
        out.push_back(v / total);
    }
    return out;
  }
};

void addTo(Vector &x, const Vector &y) {
  for (std::size_t i = 0; i < x.size(); ++i)
    x[i] += y[i];
}

} // namespace

std::vector<Vector> floatLlama(compiler::WeightStore &store, const std::vector<int> &tokens, Weights weights) {
  Model m{store, weights};
  std::vector<std::vector<Vector>> keys(m.s.layers), values(m.s.layers);
  std::vector<Vector> logits;
  Vector table = m.load("token_embd.weight");
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    auto row = table.begin() + static_cast<std::ptrdiff_t>(tokens[t]) * m.s.hidden;
    Vector x(row, row + m.s.hidden);
    for (std::size_t i = 0; i < m.s.layers; ++i) {
      auto name = [&](const char *part) { return "blk." + std::to_string(i) + "." + part + ".weight"; };
      Vector h = m.norm(name("attn_norm"), x);
      std::string attention = "blk." + std::to_string(i) + ".attn_";
      keys[i].push_back(m.rope(m.project(attention + "k", h), t));
      values[i].push_back(m.project(attention + "v", h));
      addTo(x, m.times(name("attn_output"), m.attend(m.rope(m.project(attention + "q", h), t), keys[i], values[i])));
      h = m.norm(name("ffn_norm"), x);
      Vector gate = m.times(name("ffn_gate"), h), up = m.times(name("ffn_up"), h);
      for (std::size_t j = 0; j < gate.size(); ++j)
        gate[j] = gate[j] / (1 + std::exp(-gate[j])) * up[j];
      addTo(x, m.times(name("ffn_down"), gate));
    }
    logits.push_back(m.times(m.s.outputName(), m.norm("output_norm.weight", x)));
  }
  return logits;
}

} // namespace lpu::test
