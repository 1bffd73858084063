// Reads the stages of a tokenizer's description: each is null, one step {"type": …}, or a Sequence of them.
#pragma once

#include "Pattern.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <span>

namespace lpu::text {

using Json = nlohmann::json;

/// A member of a map; null where there is none.
const Json &member(const Json &at, std::string_view key);

/// The fields of a step. What is not as it must be is kept as the error, and something harmless returned.
class Fields {
public:
  Fields(const Json &at, std::string_view stage);

  std::string text(const char *key, std::optional<std::string> usual = {});
  bool flag(const char *key, bool usual);
  std::int64_t number(const char *key, std::int64_t usual);
  /// {"String": text} or {"Regex": expression}.
  Pattern pattern(const char *key);
  const Json &operator[](const char *key) const { return member(at, key); }
  void fail(std::string_view message);

  std::string type; ///< name of the step
  std::optional<Error> error;

private:
  const Json &at;
  std::string_view stage;
};

template <typename Step> struct StepKind {
  std::string_view name;
  Step (*read)(Fields &);
};

struct Stage {
  std::string_view name; ///< in messages
  const char *list;      ///< what a Sequence calls its steps
};

constexpr int kDeepestSequence = 16;

/// Appends the steps at `at`. Error: an unknown step, with those that are known; a field that is not as it must be.
template <typename Step>
Status readSteps(const Json &at, const Stage &stage, std::span<const StepKind<Step>> kinds, std::vector<Step> &out,
                 int depth = 0) {
  if (at.is_null())
    return Ok{};
  Fields fields(at, stage.name);
  if (fields.type == "Sequence" && fields[stage.list].is_array() && depth < kDeepestSequence) {
    for (const Json &step : fields[stage.list])
      if (Status read = readSteps(step, stage, kinds, out, depth + 1); !read)
        return read;
    return Ok{};
  }
  std::string known;
  for (const StepKind<Step> &kind : kinds) {
    if (kind.name == fields.type) {
      out.push_back(kind.read(fields));
      return fields.error ? Status(*fields.error) : Status(Ok{});
    }
    known += std::string(kind.name) + ", ";
  }
  fields.fail("is not supported (" + known + "Sequence are)");
  return *fields.error;
}

} // namespace lpu::text
