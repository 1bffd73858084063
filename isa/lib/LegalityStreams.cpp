// Streams (T2): who drives a slot and from where. A consumer at q finds a value
// exactly when some producer of its slot stands at or upstream of q; which of
// them does not matter here, only that there is one.
#include "LegalityCheck.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace lpu::isa::legality {
namespace {

std::string streamName(Direction dir, std::int64_t stream) {
  return (dir == Direction::East ? "e" : "w") + std::to_string(stream);
}

Cycle longestLatency(const Machine &m) {
  Cycle longest = 1;
  for (const InstructionInfo &i : instructions())
    longest = std::max(longest, latencyOf(m, i.opcode));
  return std::max({longest, m.latency.MxmPlay, m.latency.MxmEmit, m.latency.MemRead});
}

} // namespace

Streams::Streams(const Machine &m, Findings &f)
    : findings(f), reach(m.maxPosition()),
      ring(std::bit_ceil(static_cast<std::size_t>(longestLatency(m) + 4 * reach + 8))),
      words((2 * static_cast<std::size_t>(reach) + 64) / 64), tags(64 * ring, std::numeric_limits<Cycle>::min()),
      producers(64 * ring * words) {}

std::size_t Streams::slot(Direction dir, std::int64_t stream, Cycle tau) const {
  const auto lane = static_cast<std::size_t>(dir) * 32 + static_cast<std::size_t>(stream & 31);
  return lane * ring + (static_cast<std::size_t>(tau) & (ring - 1));
}

bool Streams::aligned(const Site &site, std::int64_t stream, int count) {
  if (stream % count == 0 && stream + count <= 32)
    return true;
  findings.add("illegal-encoding", site,
               "a group of " + std::to_string(count) + " streams cannot start at stream " + std::to_string(stream));
  return false;
}

void Streams::drive(const Site &site, Direction dir, std::int64_t stream, int count, Cycle t) {
  if (!aligned(site, stream, count))
    return;
  const Cycle tau = dir == Direction::East ? t - site.position : t + site.position;
  const auto bit = static_cast<std::size_t>(site.position + reach);
  for (int i = 0; i < count; ++i) {
    const std::size_t at = slot(dir, stream + i, tau);
    if (tags[at] != tau) {
      tags[at] = tau;
      std::fill_n(producers.begin() + static_cast<std::ptrdiff_t>(at * words), words, 0);
    }
    std::uint64_t &set = producers[at * words + bit / 64];
    if (set >> (bit % 64) & 1)
      findings.add("stream-collision", site,
                   "a second producer drives " + streamName(dir, stream + i) + " at position " +
                       std::to_string(site.position) + " in cycle " + std::to_string(t) + " (" +
                       std::to_string(site.t) + " + " + std::to_string(t - site.t) + ")");
    set |= std::uint64_t{1} << (bit % 64);
  }
}

/// Eastwards upstream is every position up to the consumer's, westwards from it on.
bool Streams::hasUpstream(std::size_t at, Direction dir, int position) const {
  const auto bit = static_cast<std::size_t>(position + reach);
  for (std::size_t w = 0; w < words; ++w) {
    std::uint64_t mask = 0;
    if (w == bit / 64)
      mask = dir == Direction::East ? ~std::uint64_t{0} >> (63 - bit % 64) : ~std::uint64_t{0} << (bit % 64);
    else if ((w < bit / 64) == (dir == Direction::East))
      mask = ~std::uint64_t{0};
    if (producers[at * words + w] & mask)
      return true;
  }
  return false;
}

void Streams::sample(const Site &site, Direction dir, std::int64_t stream, int count) {
  if (!aligned(site, stream, count))
    return;
  const Cycle tau = dir == Direction::East ? site.t - site.position : site.t + site.position;
  for (int i = 0; i < count; ++i) {
    const std::size_t at = slot(dir, stream + i, tau);
    if (tags[at] == tau && hasUpstream(at, dir, site.position))
      continue;
    return findings.add("empty-stream", site, emptyDetail(dir, stream + i, site.position, site.t));
  }
}

/// Says which near cycles do have a value: most mistakes are off by a few.
std::string Streams::emptyDetail(Direction dir, std::int64_t stream, int position, Cycle t) const {
  const Cycle tau = dir == Direction::East ? t - position : t + position;
  std::string detail = "nothing on " + streamName(dir, stream) + " at position " + std::to_string(position) +
                       " in cycle " + std::to_string(t) + " (slot " + std::to_string(tau) + ")";
  for (Cycle offset = 1; offset <= 8; ++offset)
    for (const Cycle d : {-offset, offset})
      if (const std::size_t at = slot(dir, stream, tau + d); tags[at] == tau + d && hasUpstream(at, dir, position))
        return detail + "; a value passes there in cycle " + std::to_string(t + d);
  return detail;
}

} // namespace lpu::isa::legality
