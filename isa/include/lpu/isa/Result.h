// Errors of the isa and runtime layers: a value or one Error, never an
// exception across a library edge.
#pragma once

#include <string>
#include <utility>
#include <variant>

namespace lpu {

/// What went wrong, where, and what to do. `place` is a file, file:line or a
/// name inside the input; it may be empty.
struct Error {
  std::string place;
  std::string message;
  /// "place: error: message", the single line users see.
  std::string str() const { return place.empty() ? "error: " + message : place + ": error: " + message; }
};

template <typename T> class [[nodiscard]] Result {
public:
  Result(T value) : state(std::move(value)) {}
  Result(Error error) : state(std::move(error)) {}
  explicit operator bool() const { return state.index() == 0; }
  T &operator*() { return std::get<0>(state); }
  const T &operator*() const { return std::get<0>(state); }
  T *operator->() { return &std::get<0>(state); }
  const T *operator->() const { return &std::get<0>(state); }
  const Error &error() const { return std::get<1>(state); }

private:
  std::variant<T, Error> state;
};

/// Result of something that yields nothing on success.
struct Ok {};
using Status = Result<Ok>;

} // namespace lpu
