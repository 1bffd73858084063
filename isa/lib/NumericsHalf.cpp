// Exact dot products of fp16 values. In units of 2^-24 an fp16 value is an integer
// of 41 bits; it is split into a multiple of 2^20 and a rest of 20 bits, so that
// products and sums of thousands of them are exact in double, in any order. The
// three sums become one integer, which is rounded once. An infinity or NaN leaves
// a rest that is NaN, and with it a NaN in the last sum, so specials cost no test.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "NumericsHalf.cpp"
#include "hwy/foreach_target.h" // must come before highway.h

#include "LaneOps.h"
#include "hwy/highway.h"

#include <vector>

HWY_BEFORE_NAMESPACE();
namespace lpu::isa::HWY_NAMESPACE {
namespace {

/// value · 2^24 = high + low.
HWY_ATTR inline void split(std::uint16_t value, double &high, double &low) {
  constexpr double kRound = 0x1.8p72; // adding it rounds to multiples of 2^20
  const double scaled = static_cast<double>(asFloat(fromHalf(value))) * 0x1p24;
  high = (scaled + kRound) - kRound;
  low = scaled - high;
}

HWY_ATTR void splitAll(const std::uint16_t *in, int count, double *HWY_RESTRICT high, double *HWY_RESTRICT low) {
  for (int i = 0; i < count; ++i)
    split(in[i], high[i], low[i]);
}

/// Sums of the products of two splits, in units of 2^40, 2^20 and 1.
struct Sums {
  double high = 0, middle = 0, low = 0;
};

// Eight independent sums of each kind: the compiler may not reorder additions of double by itself.
HWY_ATTR Sums dot(const std::uint16_t *w, const double *xHigh, const double *xLow, int count) {
  constexpr int kLanes = 8;
  double high[kLanes] = {}, middle[kLanes] = {}, low[kLanes] = {};
  int i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (int l = 0; l < kLanes; ++l) {
      double h, r;
      split(w[i + l], h, r);
      high[l] += h * xHigh[i + l];
      middle[l] += h * xLow[i + l] + r * xHigh[i + l];
      low[l] += r * xLow[i + l];
    }
  for (; i < count; ++i) {
    double h, r;
    split(w[i], h, r);
    high[0] += h * xHigh[i];
    middle[0] += h * xLow[i] + r * xHigh[i];
    low[0] += r * xLow[i];
  }
  Sums total;
  for (int l = 0; l < kLanes; ++l)
    total.high += high[l], total.middle += middle[l], total.low += low[l];
  return total;
}

HWY_ATTR float rounded(const Sums &s) {
  if (!(s.low - s.low == 0.0))
    return asFloat(kNanBits);
  const __int128 total = (static_cast<__int128>(static_cast<std::int64_t>(s.high * 0x1p-40)) << 40) +
                         (static_cast<__int128>(static_cast<std::int64_t>(s.middle * 0x1p-20)) << 20) +
                         static_cast<std::int64_t>(s.low);
  return static_cast<float>(total) * 0x1p-48f; // the smallest magnitude but 0 is 2^-48, so only the conversion rounds
}

HWY_ATTR void dots(const std::uint16_t *values, int rows, const std::uint16_t *x, int count, float *out) {
  thread_local std::vector<double> high, low;
  high.resize(static_cast<std::size_t>(count)), low.resize(static_cast<std::size_t>(count));
  splitAll(x, count, high.data(), low.data());
  for (int n = 0; n < rows; ++n)
    out[n] = rounded(dot(values + static_cast<std::ptrdiff_t>(n) * count, high.data(), low.data(), count));
}

} // namespace
} // namespace lpu::isa::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lpu::isa {

HWY_EXPORT(dots);

void halfDots(const std::uint16_t *rowValues, int rows, const std::uint16_t *x, int count, float *out) {
  HWY_DYNAMIC_DISPATCH(dots)(rowValues, rows, x, count, out);
}

} // namespace lpu::isa
#endif
