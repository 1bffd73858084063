// Only a suffix that begins a stop text is held back, so a stop text that is complete lies in what is held and what
// comes new.
#include "lpu/rt/StopMatcher.h"

#include <algorithm>
#include <utility>

namespace lpu::rt {

StopMatcher::StopMatcher(std::vector<std::string> stops) : stops(std::move(stops)) { std::erase(this->stops, ""); }

/// Bytes at the end of `text` that may become `stop`.
static std::size_t openEnd(std::string_view text, std::string_view stop) {
  for (std::size_t length = std::min(text.size(), stop.size() - 1); length > 0; --length)
    if (text.ends_with(stop.substr(0, length)))
      return length;
  return 0;
}

std::string StopMatcher::push(std::string_view piece) {
  if (found)
    return {};
  held += piece;
  std::pair first{held.size() + 1, held.size()}; // end and begin of the match that is complete first
  std::size_t open = 0;
  for (const std::string &stop : stops) {
    if (const std::size_t at = held.find(stop); at != std::string::npos)
      first = std::min(first, std::pair{at + stop.size(), at}), found = true;
    open = std::max(open, openEnd(held, stop));
  }
  const std::size_t shown = found ? first.second : held.size() - open;
  std::string out = held.substr(0, shown);
  if (found)
    matched = held.substr(first.second, first.first - first.second);
  held = found ? "" : held.substr(shown);
  return out;
}

std::string StopMatcher::finish() { return std::exchange(held, {}); }

} // namespace lpu::rt
