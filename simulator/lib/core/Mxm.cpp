// MXM plane. A pass is computed when its sum is taken, or before the next install
// if that comes first: so passes in flight keep their tile, and plays of one tile
// (the two digits of an activation) read its rows from memory once.
// Only rows of loaded groups are computed, over the lanes that are not zero.
#include "Mxm.h"

#include "Lanes.h"

#include <algorithm>
#include <bit>
#include <climits>
#include <cstring>
#include <fmt/format.h>
#include <limits>

namespace lpu::sim {

namespace {
constexpr int kGroup = 16; ///< rows per lw, streams per lw, lanes per superlane

/// The row group that copy `copy` of an lw loads.
int groupOf(const WeightsOp &op, std::int32_t copy, int superlanes) {
  const int group = (op.rowGroup + copy * op.step) % superlanes;
  return group < 0 ? group + superlanes : group;
}
} // namespace

MxmPlane::MxmPlane(ChipContext &chip, int weightQueue)
    : chip(chip), side(isa::queueAt(chip.machine, weightQueue).side), weightUnit(chip, *this, weightQueue),
      activationUnit(chip, *this, weightQueue + 1), resultUnit(chip, *this, weightQueue + 2),
      activationRows(chip.machine.mxmActivationRows), accumulators(chip.machine.mxmAccumulatorRows) {
  for (Operand &operand : operands)
    operand.lanes.resize(chip.machine.lanes());
  for (Tile *tile : {&buffer, &installed})
    *tile = emptyTile(chip.machine.lanes());
}

MxmPlane::Tile MxmPlane::emptyTile(int lanes) {
  Tile tile;
  tile.rows.resize(static_cast<std::size_t>(lanes));
  tile.values.resize(static_cast<std::size_t>(lanes));
  return tile;
}

void MxmPlane::ActivationRow::settle(Cycle now) {
  for (; !coming.empty() && coming.front().first <= now; coming.erase(coming.begin())) {
    loaded = true;
    value = std::move(coming.front().second);
  }
}

/// Passes in flight are those of the tile that goes.
void MxmPlane::putInPlace(Tile &next) {
  computeSums();
  keepTile();
  std::swap(installed, next);
  hasTile = true;
}

void MxmPlane::finishInstalls(Cycle now) {
  for (; !installing.empty() && installing.front().first <= now; installing.pop_front())
    putInPlace(installing.front().second);
}

void MxmPlane::reset() {
  buffer.groups = installed.groups = 0;
  hasTile = false;
  installing.clear();
  firstLoad = lastLoad = lastInstall = INT64_MIN;
  lastInstallWord = {};
  for (ActivationRow &row : activationRows)
    row = ActivationRow();
  for (AccumulatorRow &row : accumulators)
    row.written = false;
  passes.clear();
}

Cycle MxmPlane::nextArrival() const {
  return passes.empty() ? std::numeric_limits<Cycle>::max() : passes.front().arrival;
}

void MxmPlane::checkArrivals(Cycle now) {
  while (!passes.empty() && passes.front().arrival < now) {
    const Pass &pass = passes.front();
    if (!pass.taken)
      isUpper &&pass.isHalf() ? activationUnit.reportUnpaired(pass) : activationUnit.reportLost(pass);
    passes.pop_front();
  }
}

std::string MxmPlane::installTooEarly(Cycle install, Cycle load) const {
  Cycle zero = chip.faults.zero(), latency = chip.machine.latency.MxmLoadWeights;
  return fmt::format("install at t={} is for plays from {} on, but the lw of t={} completes at {} + {} = {}",
                     install - zero, install - zero + chip.machine.latency.MxmInstall, load - zero, load - zero,
                     latency, load - zero + latency);
}

/// The row groups that an lw beginning with `group` loads, a bit for each.
std::uint32_t MxmPlane::WeightUnit::groupsOf(const WeightsOp &op, int group) const {
  return 1u << group | (op.packed ? 1u << (group + 1) % chip.machine.superlanes : 0u);
}

/// Takes the rows of one lw into a tile; false after reporting.
bool MxmPlane::WeightUnit::takeRows(const Dispatch &d, int group, Tile &tile) const {
  const WeightsOp &op = d.op->weights;
  const int first = group * kGroup;
  if (op.packed)
    return expandRows(d, group, tile);
  for (int i = 0; i < kGroup; ++i) {
    if (d.sources && chip.functional && d.sources[i].kind == Source::Kind::Image) {
      tile.rows[first + i] = reinterpret_cast<const std::int8_t *>(chip.registers.imageRow(d.sources[i], d.part));
      continue;
    }
    VectorValue &row = tile.values[first + i];
    if (!sample(d, i, {plane.outbound(), static_cast<std::uint8_t>(op.stream + i)}, row))
      return false;
    if (chip.functional)
      tile.rows[first + i] = reinterpret_cast<const std::int8_t *>(row.data());
  }
  return true;
}

/// The same for rows of packed int4: the nibbles of a byte are weights of two rows.
bool MxmPlane::WeightUnit::expandRows(const Dispatch &d, int group, Tile &tile) const {
  const WeightsOp &op = d.op->weights;
  const int firsts[] = {group * kGroup, (group + 1) % chip.machine.superlanes * kGroup};
  for (int i = 0; i < kGroup; ++i) {
    VectorValue packed;
    if (d.sources && chip.functional && d.sources[i].kind == Source::Kind::Image)
      packed = VectorValue::view(chip.registers.imageRow(d.sources[i], d.part));
    else if (!sample(d, i, {plane.outbound(), static_cast<std::uint8_t>(op.stream + i)}, packed))
      return false;
    if (!chip.functional)
      continue;
    for (int half = 0; half < 2; ++half) {
      VectorValue row = VectorValue::allocate(chip.rows);
      for (int lane = 0; lane < chip.machine.lanes(); ++lane) {
        const auto byte = static_cast<std::int8_t>(half ? packed.data()[lane] : packed.data()[lane] << 4);
        row.writable()[lane] = static_cast<std::uint8_t>(byte >> 4);
      }
      tile.values[firsts[half] + i] = row;
      tile.rows[firsts[half] + i] = reinterpret_cast<const std::int8_t *>(row.data());
    }
  }
  return true;
}

/// A burst in which nothing is wrong and no install takes part: false, with nothing done, if there may be more to it.
bool MxmPlane::WeightUnit::executeBurst(const Dispatch &d) {
  const WeightsOp &op = d.op->weights;
  const int superlanes = chip.machine.superlanes, step = op.step % superlanes;
  if (op.rowGroup >= superlanes || (plane.lastInstall >= d.time && plane.lastInstall <= d.last()))
    return false;
  std::uint32_t groups = 0;
  int group = groupOf(op, d.copy, superlanes);
  for (std::int32_t k = 0; k < d.count; ++k) {
    groups |= groupsOf(op, group);
    group += step;
    group += group < 0 ? superlanes : group >= superlanes ? -superlanes : 0;
  }
  if (plane.buffer.groups & groups || std::popcount(groups) != d.count * (op.packed ? 2 : 1))
    return false;
  group = groupOf(op, d.copy, superlanes);
  const bool inPlace =
      chip.functional && !op.packed && d.sources &&
      std::all_of(d.sources, d.sources + kGroup, [](const Source &s) { return s.kind == Source::Kind::Image; });
  for (std::int32_t k = 0; k < d.count && chip.functional; ++k) {
    if (!inPlace)
      takeRows(d.single(k), group, plane.buffer);
    for (int i = 0; i < kGroup && inPlace; ++i)
      plane.buffer.rows[group * kGroup + i] =
          reinterpret_cast<const std::int8_t *>(chip.registers.imageRow(d.sources[i], d.part + k));
    group += step;
    group += group < 0 ? superlanes : group >= superlanes ? -superlanes : 0;
  }
  if (plane.buffer.groups == 0)
    plane.firstLoad = d.time;
  plane.buffer.groups |= groups;
  plane.lastLoad = d.last();
  return true;
}

Cycle MxmPlane::WeightUnit::execute(const Dispatch &d) {
  if (d.count > 1 && executeBurst(d))
    return d.last() + chip.machine.latency.MxmLoadWeights;
  Cycle effect = kNoEffect;
  for (std::int32_t k = 0; k < d.count; ++k)
    effect = executeOne(d.single(k));
  return effect;
}

Cycle MxmPlane::WeightUnit::executeOne(const Dispatch &d) {
  const WeightsOp &op = d.op->weights;
  const int superlanes = chip.machine.superlanes;
  if (op.rowGroup >= superlanes) {
    fault("address-range", d, fmt::format("row group {}; groups are 0..{}", op.rowGroup, superlanes - 1));
    return kNoEffect;
  }
  const int group = groupOf(op, d.copy, superlanes);
  const std::uint32_t bits = groupsOf(op, group);
  // An install of this cycle that ran first takes this row with it (T5.2).
  const bool installing = plane.lastInstall == d.time;
  Tile &tile = installing ? plane.newestTile() : plane.buffer;
  if (const std::uint32_t loaded = tile.groups & bits) {
    fault("early-lw", d,
          fmt::format("row group {} is loaded already and not installed at t={}",
                      loaded >> group & 1 ? group : (group + 1) % superlanes, relative(d.time)));
    return kNoEffect;
  }
  // The install is to blame, whichever of the two ran first; a load without operands comes before it (T9).
  if (installing && plane.tooEarly(d.time, d.time))
    chip.faults.report("early-install", d.time, queue + 1, plane.lastInstallWord.op,
                       plane.installTooEarly(d.time, d.time));
  if (!takeRows(d, group, tile))
    return kNoEffect;
  if (tile.groups == 0)
    plane.firstLoad = d.time;
  tile.groups |= bits;
  plane.lastLoad = d.time;
  return d.time + chip.machine.latency.MxmLoadWeights;
}

Cycle MxmPlane::ActivationUnit::execute(const Dispatch &d) {
  const ActivateOp &op = d.op->activate;
  if (d.count > 1) {
    Cycle effect = kNoEffect;
    for (std::int32_t k = 0; k < d.count; ++k)
      effect = execute(d.single(k));
    return effect;
  }
  const isa::Latencies &l = chip.machine.latency;
  if (op.play && op.install) {
    fault("install-play", d, fmt::format("install and play in one word at t={}", relative(d.time)));
    return kNoEffect;
  }
  Cycle effect = kNoEffect;
  // Play first: a load of the same row in this word becomes playable later.
  if (op.play) {
    if (!play(d, op))
      return kNoEffect;
    effect = d.time + l.MxmPlay;
  }
  if (op.load) {
    if (!load(d, op))
      return kNoEffect;
    effect = std::max(effect, d.time + l.MxmLoad);
  }
  if (op.install) {
    if (!install(d))
      return kNoEffect;
    effect = std::max(effect, d.time + l.MxmInstall);
  }
  return effect;
}

bool MxmPlane::ActivationUnit::rowInRange(const Dispatch &d, int row) const {
  if (row >= 0 && row < chip.machine.mxmActivationRows)
    return true;
  fault("address-range", d, fmt::format("activation row {}; rows are 0..{}", row, chip.machine.mxmActivationRows - 1));
  return false;
}

bool MxmPlane::ActivationUnit::load(const Dispatch &d, const ActivateOp &op) {
  int index = op.loadRow + d.copy * op.loadStep;
  if (!rowInRange(d, index))
    return false;
  VectorValue value;
  if (!sample(d, 0, {plane.outbound(), op.loadStream}, value))
    return false;
  if (chip.functional)
    value.data(); // a row once, not at each play
  ActivationRow &row = plane.activationRows[index];
  row.settle(d.time);
  if (chip.machine.latency.MxmLoad == 1) { // the next word of this queue sees it
    row.loaded = true;
    row.value = std::move(value);
  } else {
    row.coming.emplace_back(d.time + chip.machine.latency.MxmLoad, std::move(value));
  }
  return true;
}

bool MxmPlane::ActivationUnit::play(const Dispatch &d, const ActivateOp &op) {
  int index = op.playRow + d.copy * op.playStep;
  if (!rowInRange(d, index))
    return false;
  plane.finishInstalls(d.time);
  if (!plane.hasTile) {
    fault("no-tile", d, fmt::format("play at t={} before any install of this step is in place", relative(d.time)));
    return false;
  }
  ActivationRow &row = plane.activationRows[index];
  row.settle(d.time);
  if (!row.loaded) {
    fault("empty-operand", d,
          row.coming.empty() ? fmt::format("activation row {} was not loaded before t={}", index, relative(d.time))
                             : fmt::format("activation row {} can be played from t={} on, not at t={}", index,
                                           relative(row.coming.front().first), relative(d.time)));
    return false;
  }
  plane.checkArrivals(d.time);
  plane.passes.push_back({d.time + chip.machine.latency.MxmPlay, false, !chip.functional, d, op.mask, row.value, {}});
  return true;
}

bool MxmPlane::ActivationUnit::install(const Dispatch &d) {
  // A row of this very cycle may be there already or not yet: it is not what makes a buffer non-empty.
  if (plane.buffer.groups == 0 || plane.firstLoad == d.time) {
    fault("early-install", d, fmt::format("nothing is loaded into the weight buffer before t={}", relative(d.time)));
    return false;
  }
  if (plane.tooEarly(d.time, plane.lastLoad)) {
    fault("early-install", d, plane.installTooEarly(d.time, plane.lastLoad));
    return false;
  }
  plane.finishInstalls(d.time);
  if (chip.machine.latency.MxmInstall == 1 && plane.installing.empty()) { // the next word of this queue sees it
    plane.putInPlace(plane.buffer);
  } else {
    plane.installing.emplace_back(d.time + chip.machine.latency.MxmInstall, std::move(plane.buffer));
    plane.buffer = emptyTile(chip.machine.lanes());
  }
  plane.buffer.groups = 0;
  plane.lastInstall = d.time;
  plane.lastInstallWord = d;
  return true;
}

void MxmPlane::ActivationUnit::reportLost(const Pass &pass) const {
  chip.faults.report("lost-sum", pass.arrival, queue, pass.play.op,
                     fmt::format("the sum of the play at t={} arrives at {} + {} = {} and no acc takes it",
                                 relative(pass.play.time), relative(pass.play.time), chip.machine.latency.MxmPlay,
                                 relative(pass.arrival)));
}

void MxmPlane::select(const std::int8_t *in, std::uint32_t mask, Operand &out) const {
  const int superlanes = chip.machine.superlanes;
  std::uint32_t busy = 0; // superlanes that count and are not all zero
  for (int k = 0; k < superlanes; ++k) {
    std::uint64_t halves[2];
    static_assert(sizeof(halves) == kGroup);
    std::memcpy(halves, in + k * kGroup, kGroup);
    if (!(mask >> k & 1))
      halves[0] = halves[1] = 0;
    busy |= std::uint32_t{(halves[0] | halves[1]) != 0} << k;
    std::memcpy(&out.lanes[k * kGroup], halves, kGroup);
  }
  out.first = busy ? std::countr_zero(busy) * kGroup : 0;
  out.end = std::bit_width(busy) * kGroup;
}

void MxmPlane::computeSums() {
  for (auto pass = passes.begin(); pass != passes.end();) {
    Pass &a = *pass++;
    if (a.computed || a.isHalf())
      continue;
    while (pass != passes.end() && pass->isHalf())
      ++pass;
    Pass *b = pass != passes.end() ? &*pass++ : nullptr; // played later, so not computed either
    multiply(a, b);
  }
}

void MxmPlane::multiply(Pass &a, Pass *b) {
  const int vectors = b ? 2 : 1;
  std::int32_t *out[2] = {};
  int first = INT_MAX, end = 0;
  for (int v = 0; v < vectors; ++v) {
    Pass &pass = v ? *b : a;
    select(reinterpret_cast<const std::int8_t *>(pass.x.data()), pass.mask, operands[v]);
    pass.sum = VectorValue::allocate(chip.words);
    pass.computed = true;
    pass.x = VectorValue();
    out[v] = reinterpret_cast<std::int32_t *>(pass.sum.writableWords());
    if (operands[v].end > 0)
      first = std::min(first, operands[v].first), end = std::max(end, operands[v].end);
  }
  DotOperand x[2];
  for (int v = 0; v < vectors && end > 0; ++v)
    x[v] = {&operands[v].lanes[first], sumInt8(&operands[v].lanes[first], end - first)};
  const std::uint32_t loaded = end > 0 ? installed.groups : 0;
  for (int g = 0, next; g < chip.machine.superlanes; g = next) {
    // As many groups in one go as are loaded, or are not.
    const std::uint32_t rest = loaded >> g;
    next = std::min(g + (rest & 1 ? std::countr_one(rest) : std::countr_zero(rest)), chip.machine.superlanes);
    std::int32_t *to[2] = {out[0] + g * kGroup, b ? out[1] + g * kGroup : nullptr};
    if (rest & 1)
      dotRows(&installed.rows[g * kGroup], next - g, first, end - first, x, vectors, to);
    else
      for (int v = 0; v < vectors; ++v)
        std::fill_n(to[v], (next - g) * kGroup, 0);
  }
}

Cycle MxmPlane::ResultUnit::execute(const Dispatch &d) {
  Cycle effect = kNoEffect;
  for (std::int32_t k = 0; k < d.count; ++k)
    effect = executeOne(d.single(k));
  return effect;
}

Cycle MxmPlane::ResultUnit::executeOne(const Dispatch &d) {
  const AccumulateOp &op = d.op->accumulate;
  int index = op.row + d.copy * op.step;
  if (index < 0 || index >= chip.machine.mxmAccumulatorRows) {
    fault("address-range", d,
          fmt::format("accumulator row {}; rows are 0..{}", index, chip.machine.mxmAccumulatorRows - 1));
    return kNoEffect;
  }
  AccumulatorRow &row = plane.accumulators[index];
  if (op.mode != isa::AccMode::None && !take(d, op, row, index))
    return kNoEffect;
  if (op.emit && !row.written) {
    fault("empty-operand", d, fmt::format("emits accumulator row {}, never written in this step", index));
    return kNoEffect;
  }
  const Cycle latency = chip.machine.latency.MxmEmit;
  if (op.emit && !driveWords(d, {plane.inbound(), op.stream}, 4, latency, row.sum))
    return kNoEffect;
  return d.time + latency;
}

bool MxmPlane::ResultUnit::take(const Dispatch &d, const AccumulateOp &op, AccumulatorRow &row, int index) {
  Pass *pass = nullptr;
  for (Pass &p : plane.passes) {
    if (p.arrival == d.time)
      pass = &p;
    if (p.arrival >= d.time)
      break;
  }
  if (!pass || (plane.isUpper && pass->isHalf())) {
    Cycle latency = chip.machine.latency.MxmPlay;
    fault("no-sum", d,
          fmt::format("no sum arrives at t={}: nothing was played at {} - {} = {}", relative(d.time), relative(d.time),
                      latency, relative(d.time - latency)));
    return false;
  }
  pass->taken = true;
  const bool half = pass->isHalf(), add = op.mode != isa::AccMode::Overwrite;
  if (half) {
    Pass *other = plane.otherHalf(*pass);
    if (!other)
      return false;
    plane.multiplyHalves(*pass, *other);
  } else if (!pass->computed) {
    plane.computeSums();
  }
  if (add && !row.written) {
    fault("empty-operand", d, fmt::format("adds to accumulator row {}, never written in this step", index));
    return false;
  }
  if (const bool fp32 = op.mode == isa::AccMode::AddF; add && (half != fp32 || row.fp32 != fp32)) {
    fault("sum-format", d,
          fmt::format("adds {}, the sum is {} and accumulator row {} holds {}", fp32 ? "fp32" : "int32",
                      half ? "fp32" : "int32", index, row.fp32 ? "fp32" : "int32"));
    return false;
  }
  row.written = true;
  row.fp32 = half;
  if (!chip.functional)
    return true;
  // The sum of a pass is taken once and belongs to nobody else: it becomes the row.
  bool overflow = false;
  if (add && half)
    plane.addFloats(row, pass->sum);
  else if (add)
    overflow = addSums(row.sum.words(), pass->sum.writableWords(), chip.machine.lanes());
  row.sum = std::move(pass->sum);
  if (overflow) {
    fault("accumulator-overflow", d,
          fmt::format("a lane of accumulator row {} leaves int32 at t={}", index, relative(d.time)));
    return false;
  }
  return true;
}

} // namespace lpu::sim
