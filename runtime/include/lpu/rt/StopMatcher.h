// Finds the texts that end generation in text that comes in pieces.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lpu::rt {

/// What is returned does not depend on where the pieces are cut: all that was pushed, up to the stop text that is
/// complete first (of several that end together, the longest). Text that may still become a stop text is held back.
class StopMatcher {
public:
  /// `stops`: valid UTF-8, so that nothing is cut inside of a character. Empty texts never match.
  explicit StopMatcher(std::vector<std::string> stops);

  /// What can be shown now. Once a stop text was met: nothing.
  std::string push(std::string_view piece);
  /// The end without a stop text: what was held back.
  std::string finish();
  bool met() const { return found; }
  /// The stop text that was met; empty: none was.
  const std::string &which() const { return matched; }

private:
  std::vector<std::string> stops;
  std::string held, matched;
  bool found = false;
};

} // namespace lpu::rt
