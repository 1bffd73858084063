// Scanning of assembly lines; see the header for the grammar.
#include "AssemblyLine.h"

#include <charconv>
#include <cstdlib>

namespace lpu::isa::text {
namespace {

std::string_view stripComment(std::string_view line) {
  bool inQuotes = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\\' && inQuotes)
      ++i;
    else if (line[i] == '"')
      inQuotes = !inQuotes;
    else if (line[i] == '#' && !inQuotes)
      return line.substr(0, i);
  }
  return line;
}

int hexDigit(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

} // namespace

LineScanner::LineScanner(std::string_view line) : rest(stripComment(line)) { atEnd(); }

bool LineScanner::atEnd() {
  const auto begin = rest.find_first_not_of(" \t\r");
  rest = begin == rest.npos ? std::string_view{} : rest.substr(begin);
  return rest.empty();
}

std::string_view LineScanner::word() {
  if (atEnd())
    return {};
  const auto end = std::min(rest.find_first_of(" \t\r"), rest.size());
  const std::string_view w = rest.substr(0, end);
  rest = rest.substr(end);
  return w;
}

bool LineScanner::quoted(std::string &out) {
  if (atEnd() || rest[0] != '"')
    return false;
  std::string text;
  for (std::size_t i = 1; i < rest.size(); ++i) {
    char c = rest[i];
    if (c == '"') {
      rest = rest.substr(i + 1);
      return out = std::move(text), true;
    }
    if (c == '\\') {
      c = ++i < rest.size() ? rest[i] : 0;
      if (c == 'n') {
        c = '\n';
      } else if (c == 'x') {
        if (i + 2 >= rest.size() || hexDigit(rest[i + 1]) < 0 || hexDigit(rest[i + 2]) < 0)
          return false;
        c = static_cast<char>(hexDigit(rest[i + 1]) * 16 + hexDigit(rest[i + 2]));
        i += 2;
      } else if (c != '"' && c != '\\') {
        return false;
      }
    }
    text += c;
  }
  return false;
}

bool LineScanner::integer(std::string_view text, std::int64_t &out) {
  const bool hex = text.starts_with("0x");
  const char *begin = text.data() + (hex ? 2 : 0), *last = text.data() + text.size();
  const auto [end, ec] = std::from_chars(begin, last, out, hex ? 16 : 10);
  return ec == std::errc() && end == last && begin != last;
}

Result<std::vector<std::uint8_t>> LineScanner::hexBytes() {
  std::vector<std::uint8_t> bytes;
  for (std::string_view w = word(); !w.empty(); w = word()) {
    if (w.size() % 2 != 0)
      return Error{"", "'" + std::string(w) + "' has an odd number of hexadecimal digits; write two per byte"};
    for (std::size_t i = 0; i < w.size(); i += 2) {
      if (hexDigit(w[i]) < 0 || hexDigit(w[i + 1]) < 0)
        return Error{"", "'" + std::string(w) + "' is not hexadecimal"};
      bytes.push_back(static_cast<std::uint8_t>(hexDigit(w[i]) * 16 + hexDigit(w[i + 1])));
    }
  }
  return bytes;
}

Result<std::vector<std::int16_t>> LineScanner::laneList() {
  std::vector<std::int16_t> lanes;
  for (std::string_view w = word(); !w.empty(); w = word()) {
    std::int64_t first = 0, second = 0;
    const auto dots = w.find(".."), star = w.find('*');
    const auto inRange = [](std::int64_t v) { return v >= -1 && v <= 4096; };
    const Error bad{"", "'" + std::string(w) + "' is not a lane, a range a..b or a repetition v*count"};
    if (dots != w.npos) {
      if (!integer(w.substr(0, dots), first) || !integer(w.substr(dots + 2), second) || !inRange(first) ||
          !inRange(second))
        return bad;
      const int direction = second >= first ? 1 : -1;
      for (std::int64_t v = first; v != second + direction; v += direction)
        lanes.push_back(static_cast<std::int16_t>(v));
    } else if (star != w.npos) {
      if (!integer(w.substr(0, star), first) || !integer(w.substr(star + 1), second) || !inRange(first) ||
          !inRange(second) || second < 0)
        return bad;
      lanes.insert(lanes.end(), static_cast<std::size_t>(second), static_cast<std::int16_t>(first));
    } else {
      if (!integer(w, first) || !inRange(first))
        return bad;
      lanes.push_back(static_cast<std::int16_t>(first));
    }
  }
  return lanes;
}

Keys::Keys(LineScanner &scan) {
  for (std::string_view w = scan.word(); !w.empty(); w = scan.word()) {
    const auto equal = w.find('=');
    if (equal == w.npos && message.empty())
      message = "'" + std::string(w) + "' is not a key=value pair";
    if (equal == w.npos)
      continue;
    pairs.push_back({std::string(w.substr(0, equal)), std::string(w.substr(equal + 1)), false});
    for (std::size_t i = 0; i + 1 < pairs.size(); ++i)
      if (pairs[i].key == pairs.back().key && message.empty())
        message = "key '" + pairs[i].key + "' is given twice; remove one";
  }
}

Keys::Pair *Keys::find(std::string_view key) {
  known.append(known.empty() ? "" : ", ").append(key);
  for (Pair &pair : pairs)
    if (pair.key == key)
      return pair.taken = true, &pair;
  return nullptr;
}

void Keys::fail(const Pair &pair, const std::string &why) {
  if (message.empty())
    message = "value '" + pair.value + "' of key '" + pair.key + "' is " + why;
}

Status Keys::finish(const std::string &directive) {
  for (const Pair &pair : pairs)
    if (!pair.taken && message.empty())
      message = "unknown key '" + pair.key + "' of " + directive + "; it takes " + known;
  return message.empty() ? Status(Ok{}) : Status(Error{"", message});
}

bool Keys::real(const std::string &text, double &out) {
  char *end = nullptr;
  out = std::strtod(text.c_str(), &end);
  return !text.empty() && end == text.c_str() + text.size();
}

} // namespace lpu::isa::text
