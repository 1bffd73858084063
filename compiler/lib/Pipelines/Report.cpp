// The compiler's report as JSON: what the program container claims, for the system,
// for each chip, and for each class of chips step by step.

#include "lpu/compiler/Pipelines/Driver.h"
#include "lpu/compiler/System/Figures.h"
#include "lpu/isa/BuildId.h"
#include "lpu/isa/CountsJson.h"

#include <nlohmann/json.hpp>

#include <set>

namespace lpu::compiler {

namespace {

using Json = nlohmann::ordered_json;

std::int64_t instructions(const isa::StepProgram &step) {
  std::int64_t count = 0;
  for (const isa::QueueCode &queue : step.queues)
    count += static_cast<std::int64_t>(queue.words.size());
  return count;
}

Json memoryJson(const MemoryUse &use) {
  return {{"weights_bytes", use.weights},
          {"kv_bytes", use.kv},
          {"activation_bytes", use.activations},
          {"code_bytes", use.code},
          {"capacity_bytes", use.capacity}};
}

class Report {
public:
  explicit Report(const DriverResult &result) : result(result), program(result.program) {
    for (const isa::ChipClass &chip : program.classes)
      memory.push_back(memoryOf(program.machine, chip));
  }

  Json run() const {
    Json report;
    report["schema"] = "lpu-compile-report"; // docs/spec/reports.md
    report["schema_version"] = 1;
    report["model"] = program.model.name;
    report["target"] = program.machine.name;
    report["chips"] = program.chips.size();
    if (const auto &c = result.calibration)
      report["calibration"] = {{"method", c->method},     {"tokens", c->tokens},
                               {"values", c->values},     {"saturated", c->saturated},
                               {"rounding", c->rounding}, {"output_error_ratio", c->outputErrorRatio}};
    if (!result.precisions.empty())
      report["precisions"] = precisions();
    if (!result.mapping.empty())
      report["mapping"] = mapping();
    report["build"] = isa::buildId();
    report["compile_seconds"] = result.compileSeconds;
    if (result.boundsOnly)
      report["bounds_only"] = true;
    report["system"] = system();
    MemoryUse total;
    std::size_t worst = 0;
    for (std::size_t c = 0; c < program.chips.size(); ++c) {
      total.add(memoryOfChip(c), 1);
      if (memoryOfChip(c).used() > memoryOfChip(worst).used())
        worst = c;
    }
    report["memory"] = memoryJson(total);
    report["memory_worst_chip"] = memoryJson(memoryOfChip(worst));
    report["memory_worst_chip"]["chip"] = worst;
    report["instruction_delivery"] =
        program.residentCode ? "resident in the queues, space charged to memory" : "fetched";
    report["programs"] = programs();
    report["chip_classes"] = classes();
    report["chip_list"] = chips();
    return report;
  }

private:
  const MemoryUse &memoryOfChip(std::size_t chip) const { return memory[program.chips[chip].chipClass]; }

  Json precisions() const {
    Json list = Json::array();
    for (const llm::LinearPrecision &p : result.precisions)
      list.push_back({{"tensor", p.tensor}, {"weights", p.weights}, {"activations", p.activations}});
    return list;
  }

  Json mapping() const {
    Json list = Json::array();
    for (const MappingReport &m : result.mapping)
      list.push_back({{"chip_class", m.chipClass.empty() ? program.classes.front().name : m.chipClass},
                      {"group", m.group},
                      {"count", m.count},
                      {"stream_cycles", m.streamCycles},
                      {"form", m.form},
                      {"chosen_by", m.byFile ? "file" : "cost"}});
    return list;
  }

  Json system() const {
    Json json = {{"chips", program.chips.size()},
                 {"tp", program.tp},
                 {"pp", program.pp},
                 {"topology", program.topology},
                 {"places", result.places.count},
                 {"powered_links", isa::poweredLinks(program)}};
    if (!result.boundsOnly)
      json.update(latencies());
    auto &steps = json["steps"] = Json::array();
    for (std::size_t s = 0; s < program.steps.size(); ++s)
      steps.push_back(systemStep(s));
    return json;
  }

  Json latencies() const {
    SystemFigures figures = figuresOf(program, result.promptTokens);
    return {{"token_latency_cycles", figures.tokenLatencyCycles},
            {"tokens_per_second_per_user", figures.tokensPerSecondPerUser},
            {"initiation_interval_cycles", figures.initiationIntervalCycles},
            {"users", figures.users},
            {"throughput_tokens_per_second", figures.throughputTokensPerSecond},
            {"pipeline_bound",
             {{"tokens_per_second", figures.pipeline.tokensPerSecond},
              {"users", figures.pipeline.users},
              {"kv_bytes_per_chip", figures.pipeline.kvBytesPerChip},
              {"fits", figures.pipeline.fits}}},
            {"ttft_us", figures.ttftUs},
            {"ttft_prompt_tokens", figures.promptTokens},
            {"prefill_tokens_per_second", figures.prefillTokensPerSecond},
            {"with_host",
             {{"tokens_per_second_per_user", figures.tokensPerSecondWithHost},
              {"ttft_us", figures.ttftWithHostUs},
              {"prefill_tokens_per_second", figures.prefillTokensPerSecondWithHost}}}};
  }

  Json systemStep(std::size_t s) const {
    const isa::SystemStep &step = program.steps[s];
    Json json = {{"name", step.name},
                 {"kind", isa::stepKindName(step.kind)},
                 {"context", step.context},
                 {"tokens", step.tokens},
                 {"users", step.users}};
    if (!result.boundsOnly)
      json["predicted_cycles"] = step.predictedCycles;
    json["lower_bound_cycles"] = lowerBoundOf(program, s);
    if (!result.counts.empty())
      json["counts"] = isa::countsJson<Json>(countsOf(s));
    return json;
  }

  /// Of all chips.
  isa::Counts countsOf(std::size_t step) const {
    isa::Counts all;
    for (std::size_t c = 0; c < program.classes.size(); ++c)
      all.add(result.counts[c][step], static_cast<std::uint64_t>(chipsOf(c)));
    return all;
  }

  /// Indices of the layers that chips of a class hold.
  std::set<std::uint32_t> layersOf(std::size_t chipClass) const {
    std::set<std::uint32_t> layers;
    for (const isa::Chip &chip : program.chips)
      if (chip.chipClass == chipClass)
        for (std::uint32_t l = 0; l < program.classes[chipClass].layerCount; ++l)
          layers.insert(chip.firstLayer + l);
    return layers;
  }

  std::int64_t chipsOf(std::size_t chipClass) const {
    return std::count_if(program.chips.begin(), program.chips.end(),
                         [&](const isa::Chip &chip) { return chip.chipClass == chipClass; });
  }

  Json programs() const {
    Json programs = Json::array();
    for (std::size_t c = 0; c < program.classes.size(); ++c)
      for (std::size_t s = 0; s < program.steps.size(); ++s)
        programs.push_back(stepProgram(c, s));
    return programs;
  }

  Json stepProgram(std::size_t chipClass, std::size_t number) const {
    const isa::SystemStep &step = program.steps[number];
    const isa::StepProgram &code = program.classes[chipClass].programs[number];
    const isa::Utilization &u = code.utilization;
    StepUse use = useOf(program.machine, code);
    Json json = {{"name", step.name},
                 {"chip_class", program.classes[chipClass].name},
                 {"chips", chipsOf(chipClass)},
                 {"layers", layersOf(chipClass)},
                 {"kind", isa::stepKindName(step.kind)},
                 {"context", step.context},
                 {"tokens", step.tokens},
                 {"predicted_cycles", code.predictedCycles},
                 {"weight_stream_bound_cycles", code.weightStreamBoundCycles},
                 {"resource_bound_cycles", code.resourceBoundCycles},
                 {"critical_path_cycles", code.criticalPathCycles},
                 {"lower_bound_cycles", code.lowerBoundCycles},
                 {"instructions", instructions(code)},
                 {"utilization",
                  {{"mxm", u.mxm},
                   {"vxm", u.vxm},
                   {"sxm", u.sxm},
                   {"mem", u.mem},
                   {"streams", u.streams},
                   {"links", use.allLinks}}},
                 {"uses_per_cycle", {{"queues", use.queues}, {"streams", use.streams}, {"links", use.links}}}};
    if (!result.counts.empty()) // of one chip of the class
      json["counts"] = isa::countsJson<Json>(result.counts[chipClass][number]);
    auto &phases = json["phases"] = Json::array();
    for (const PhaseReport &phase : result.phases[chipClass][number])
      phases.push_back({{"name", phase.name},
                        {"cycles", phase.cycles},
                        {"bound", phase.bound},
                        {"bound_cycles", phase.boundCycles}});
    if (result.boundsOnly)
      leaveBounds(json);
    return json;
  }

  /// Takes out what only a schedule knows.
  static void leaveBounds(Json &json) {
    for (const char *key : {"predicted_cycles", "instructions", "utilization", "uses_per_cycle"})
      json.erase(key);
    for (Json &phase : json["phases"])
      phase.erase("cycles");
  }

  Json classes() const {
    Json list = Json::array();
    for (std::size_t c = 0; c < program.classes.size(); ++c)
      list.push_back({{"name", program.classes[c].name},
                      {"chips", chipsOf(c)},
                      {"layers", layersOf(c)},
                      {"memory", memoryJson(memory[c])},
                      {"memory_map", memoryMap(program.classes[c])}});
    return list;
  }

  /// Rows taken in each bank that something is in.
  Json memoryMap(const isa::ChipClass &chip) const {
    using Kind = isa::Region::Kind;
    struct Rows {
      int weights = 0, kv = 0, activations = 0, code = 0;
    };
    std::map<std::tuple<isa::Side, int, int>, Rows> banks;
    for (const isa::Region &region : chip.regions)
      for (int slice = region.slice0; slice < region.slice0 + region.slices; ++slice) {
        Rows &rows = banks[{region.side, slice, region.bank}];
        (region.kind == Kind::Constant ? rows.weights
         : region.kind == Kind::Zero   ? rows.kv
         : region.kind == Kind::Code   ? rows.code
                                       : rows.activations) += region.rows;
      }
    Json map = Json::array();
    for (const auto &[bank, rows] : banks)
      map.push_back({{"side", std::get<0>(bank) == isa::Side::East ? "east" : "west"},
                     {"slice", std::get<1>(bank)},
                     {"bank", std::get<2>(bank)},
                     {"weights_rows", rows.weights},
                     {"kv_rows", rows.kv},
                     {"activation_rows", rows.activations},
                     {"code_rows", rows.code}});
    return map;
  }

  Json chips() const {
    Json list = Json::array();
    for (std::size_t c = 0; c < program.chips.size(); ++c) {
      const isa::Chip &chip = program.chips[c];
      list.push_back({{"chip", c},
                      {"chip_class", program.classes[chip.chipClass].name},
                      {"stage", chip.stage},
                      {"shard", chip.shard},
                      {"first_layer", chip.firstLayer},
                      {"layers", program.classes[chip.chipClass].layerCount},
                      {"place", c < result.places.names.size() ? result.places.names[c] : ""},
                      {"used_bytes", memoryOfChip(c).used()}});
    }
    return list;
  }

  const DriverResult &result;
  const isa::Program &program;
  std::vector<MemoryUse> memory; ///< per class
};

} // namespace

std::string reportJson(const DriverResult &result) { return Report(result).run().dump(2) + "\n"; }

} // namespace lpu::compiler
