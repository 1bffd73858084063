// Arithmetic of counts, and where two of them differ.
#include "lpu/isa/Counts.h"

#include "lpu/isa/Program.h"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>

namespace lpu::isa {
namespace {

constexpr CountInfo kKinds[] = {
#define COUNT(ENUM, KEY, UNIT, DOC) {Count::ENUM, KEY, UNIT, DOC},
#include "lpu/isa/Counts.def"
};
static_assert(std::size(kKinds) == kCountKinds);

std::uint64_t at(const std::vector<std::uint64_t> &list, std::size_t i) { return i < list.size() ? list[i] : 0; }

void addList(std::vector<std::uint64_t> &to, const std::vector<std::uint64_t> &other, std::uint64_t chips) {
  to.resize(std::max(to.size(), other.size()));
  for (std::size_t i = 0; i < other.size(); ++i)
    to[i] += chips * other[i];
}

} // namespace

std::span<const CountInfo> countKinds() { return kKinds; }

std::uint64_t Counts::allWords() const { return std::accumulate(words.begin(), words.end(), std::uint64_t{0}); }
std::uint64_t Counts::allSent() const { return std::accumulate(sent.begin(), sent.end(), std::uint64_t{0}); }

Counts &Counts::add(const Counts &other, std::uint64_t chips) {
  for (std::size_t i = 0; i < words.size(); ++i)
    words[i] += chips * other.words[i];
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] += chips * other.values[i];
  addList(sent, other.sent, chips);
  addList(received, other.received, chips);
  return *this;
}

bool Counts::operator==(const Counts &other) const { return difference(*this, other).empty(); }

std::string difference(const Counts &a, const Counts &b) {
  const auto differ = [](const std::string &name, std::uint64_t x, std::uint64_t y) {
    return fmt::format("{}: {} and {}", name, x, y);
  };
  for (const InstructionInfo &i : instructions())
    if (a[i.opcode] != b[i.opcode])
      return differ("words." + std::string(i.mnemonic), a[i.opcode], b[i.opcode]);
  for (const CountInfo &kind : kKinds)
    if (a[kind.count] != b[kind.count])
      return differ(std::string(kind.key), a[kind.count], b[kind.count]);
  for (std::size_t link = 0; link < std::max({a.sent.size(), b.sent.size(), a.received.size(), b.received.size()});
       ++link) {
    if (at(a.sent, link) != at(b.sent, link))
      return differ(fmt::format("vectors_sent.c2c.{}", link), at(a.sent, link), at(b.sent, link));
    if (at(a.received, link) != at(b.received, link))
      return differ(fmt::format("vectors_received.c2c.{}", link), at(a.received, link), at(b.received, link));
  }
  return "";
}

std::uint64_t poweredLinks(const Program &program) { return 2 * program.wires.size(); }

} // namespace lpu::isa
