// Joins adjacent tokens until no two can be joined: the core of both byte-pair models.
#pragma once

#include "lpu/text/Tokenizer.h"

#include <optional>
#include <queue>

namespace lpu::text {

struct Join {
  double order; ///< the lowest goes first
  TokenId id;   ///< what the two become
};

/// Always the pair of lowest order, the leftmost of equals. `findJoin(left, right)`: std::optional<Join>. A heap of
/// candidates over a linked list makes it O(n log n); candidates whose tokens have changed since are skipped.
template <typename FindJoin> std::vector<TokenId> mergePairs(const std::vector<TokenId> &ids, FindJoin findJoin) {
  struct Symbol {
    TokenId id; ///< -1: merged into the symbol before it
    int previous, next;
  };
  struct Candidate {
    Join join;
    int left;
    TokenId leftId, rightId;
    bool operator<(const Candidate &o) const {
      return join.order != o.join.order ? join.order > o.join.order : left > o.left;
    }
  };
  const int count = static_cast<int>(ids.size());
  std::vector<Symbol> symbols;
  symbols.reserve(ids.size());
  for (int i = 0; i < count; ++i)
    symbols.push_back({ids[static_cast<std::size_t>(i)], i - 1, i + 1 < count ? i + 1 : -1});
  auto at = [&](int i) -> Symbol & { return symbols[static_cast<std::size_t>(i)]; };
  std::priority_queue<Candidate> heap;
  auto offer = [&](int left) {
    if (left < 0 || at(left).next < 0)
      return;
    TokenId a = at(left).id, b = at(at(left).next).id;
    if (std::optional<Join> join = findJoin(a, b))
      heap.push({*join, left, a, b});
  };
  for (int i = 0; i < count; ++i)
    offer(i);
  while (!heap.empty()) {
    const Candidate best = heap.top();
    heap.pop();
    Symbol &left = at(best.left);
    if (left.id != best.leftId || left.next < 0 || at(left.next).id != best.rightId)
      continue;
    Symbol &right = at(left.next);
    left.id = best.join.id;
    left.next = right.next;
    right.id = -1;
    if (left.next >= 0)
      at(left.next).previous = best.left;
    offer(left.previous);
    offer(best.left);
  }
  std::vector<TokenId> out;
  for (const Symbol &symbol : symbols)
    if (symbol.id >= 0)
      out.push_back(symbol.id);
  return out;
}

} // namespace lpu::text
