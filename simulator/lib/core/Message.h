// What processes of one run write to each other: a kind, then fields in the order
// in which they are read. All run the same executable, so fields are plain bytes.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace lpu::sim {

class Message {
public:
  enum class Kind : std::uint8_t {
    // From rank 0 to the others, which answer with Answer unless it says otherwise.
    Create,
    Write /* no answer */,
    Run,
    Read,
    Clear /* no answer */,
    Hash,
    Peek,
    Memory,
    Quit /* no answer */,
    Answer,
    // Between any two, within a step.
    Parcel,
    Reach,
    Close,
    Hazard,
    End,
  };

  explicit Message(Kind kind) { put(kind); }
  explicit Message(std::vector<std::uint8_t> received) : bytes(std::move(received)) { get<Kind>(); }

  Kind kind() const { return static_cast<Kind>(bytes[0]); }
  bool inStep() const { return kind() >= Kind::Parcel; }

  template <typename T> Message &put(const T &value) {
    static_assert(std::is_trivially_copyable_v<T> && !std::is_pointer_v<T> && !std::is_same_v<T, std::string_view>);
    bytes.resize(bytes.size() + sizeof value);
    std::memcpy(bytes.data() + bytes.size() - sizeof value, &value, sizeof value);
    return *this;
  }
  Message &putBytes(std::span<const std::uint8_t> data) {
    put<std::uint64_t>(data.size());
    bytes.insert(bytes.end(), data.begin(), data.end());
    return *this;
  }
  Message &putText(std::string_view text) {
    return putBytes(std::span(reinterpret_cast<const std::uint8_t *>(text.data()), text.size()));
  }

  template <typename T> T get() {
    T value;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    at += sizeof value;
    return value;
  }
  /// Valid as long as the message.
  std::span<const std::uint8_t> getBytes() {
    const auto size = get<std::uint64_t>();
    at += size;
    return {bytes.data() + at - size, size};
  }
  std::string getText() {
    const std::span<const std::uint8_t> text = getBytes();
    return {text.begin(), text.end()};
  }

  std::vector<std::uint8_t> take() { return std::move(bytes); }

private:
  std::vector<std::uint8_t> bytes;
  std::size_t at = 0;
};

} // namespace lpu::sim
