// The vocabulary of studies.
#include "lpu/explore/Study.h"

namespace lpu::explore {

const std::vector<MappingKey> &mappingKeys() {
  static const std::vector<MappingKey> keys = {
      {"tp", "--tp", true, {}},
      {"pp", "--pp", true, {}},
      {"chips", "--chips", true, {}},
      {"batch", "--batch", true, {}},
      {"context", "--max-context", true, {}},
      {"prompt_tokens", "--prompt-tokens", true, {}},
      {"partition", "", false, {"fewest", "fastest"}},
      {"topology", "--topology", false, {}},
      {"weight_type", "--weight-type", false, {"int8", "int8-group", "int4-group", "keep", "fp16"}},
      {"activation_type", "--activation-type", false, {"a16", "a8", "fp16"}},
      {"kv_type", "--kv-type", false, {"int16", "int8", "fp16"}},
  };
  return keys;
}

const std::vector<Measure> &measures() {
  static const std::vector<Measure> list = {
      {"chips", "", "chips of the system; the largest system of several workloads", false},
      {"cycles", "", "chip cycles from one token of a user to the next", false},
      {"token_us", "us", "the same as time", false},
      {"ttft_us", "us", "from the prompt to the first token; empty where no step feeds prompts", false},
      {"tokens_per_second", "1/s", "of one user", false},
      {"j_per_token", "J", "energy of a token when one user is alone: static power of all chips for all that time",
       true},
      {"j_per_token_full", "J", "the same with the pipeline full", true},
      {"watts", "W", "of a chip with the pipeline full, mean over the chips", true},
      {"area_mm2", "mm2", "of a chip", true},
  };
  return list;
}

std::string unitOf(const std::string &key) {
  if (key == "clock.ghz")
    return "GHz";
  if (key == "host.latency_us")
    return "us";
  if (key == "host.gb_per_second")
    return "GB/s";
  return key.starts_with("latency.") || key == "c2c.vector_interval" ? "cycles" : "";
}

std::uint64_t Study::gridSize() const {
  std::uint64_t size = 1;
  for (const Parameter &p : parameters)
    size = size > kMostGridSize / p.values.size() ? kMostGridSize : size * p.values.size();
  return size;
}

} // namespace lpu::explore
