// Pieces of an assembly line: words, quoted strings, numbers, hexadecimal bytes
// and key=value pairs. Comments start with '#' outside of quotes.
#pragma once

#include "lpu/isa/Instruction.h"
#include "lpu/isa/Result.h"

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace lpu::isa::text {

class LineScanner {
public:
  explicit LineScanner(std::string_view line);

  bool atEnd();
  bool startsDirective() const { return rest.starts_with('.'); }
  std::string_view remainder() const { return rest; }
  /// Up to the next space; empty at the end.
  std::string_view word();
  /// False, consuming nothing, when no well-formed quoted string follows.
  bool quoted(std::string &out);
  /// False, consuming nothing, when no number that fits follows.
  template <typename T> bool number(T &out) {
    std::int64_t value = 0;
    const std::string_view saved = rest;
    if (!integer(word(), value) || !std::in_range<T>(value))
      return rest = saved, false;
    return out = static_cast<T>(value), true;
  }
  Result<std::vector<std::uint8_t>> hexBytes();
  Result<std::vector<std::int16_t>> laneList();

  static bool integer(std::string_view text, std::int64_t &out);

private:
  std::string_view rest;
};

/// The key=value pairs at the end of a directive.
class Keys {
public:
  explicit Keys(LineScanner &scan);

  template <typename T> void take(std::string_view key, T &out) {
    Pair *pair = find(key);
    if (!pair)
      return;
    if constexpr (std::is_same_v<T, std::string>) {
      out = pair->value;
    } else if constexpr (std::is_same_v<T, Side>) {
      if (pair->value != "e" && pair->value != "w")
        return fail(*pair, "neither e nor w");
      out = pair->value == "w" ? Side::West : Side::East;
    } else if constexpr (std::is_same_v<T, double>) {
      if (!real(pair->value, out))
        fail(*pair, "not a number");
    } else {
      std::int64_t value = 0;
      if (!LineScanner::integer(pair->value, value) || !std::in_range<T>(value))
        return fail(*pair, "not a number from " + std::to_string(std::numeric_limits<T>::min()) + " to " +
                               std::to_string(std::numeric_limits<T>::max()));
      out = static_cast<T>(value);
    }
  }
  /// Error when a pair was malformed, doubled, or nobody took it.
  Status finish(const std::string &directive);

private:
  struct Pair {
    std::string key, value;
    bool taken = false;
  };
  std::vector<Pair> pairs;
  std::string message, known;

  Pair *find(std::string_view key);
  void fail(const Pair &pair, const std::string &why);
  static bool real(const std::string &text, double &out);
};

} // namespace lpu::isa::text
