// Energy and area: counts times a table (isa/energy/*.yaml). Every number of the
// table has a low, a typical and a high value, a unit and a source; every number
// that comes out has a band. Needs neither compiler nor simulator.
#pragma once

#include "lpu/isa/Counts.h"
#include "lpu/isa/Result.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lpu::isa {

/// `low` and `high`: every entry of the table at its low or at its high value (outer, correlated band). `p5` and
/// `p95`: percentiles when the entries vary independently (inner band).
struct Estimate {
  double low = 0, typical = 0, high = 0, p5 = 0, p95 = 0;
};

struct EnergyEntry {
  std::string name, part; ///< part of the chip: MXM, VXM, MEM, SXM, C2C, ICU, streams, chip
  std::string unit, source;
  double low = 0, typical = 0, high = 0;
  std::string scale;               ///< formula over machine keys; empty: 1
  std::vector<std::string> counts; ///< dynamic: keys of the counts it is multiplied with
  std::vector<std::string> covers; ///< counts whose energy is in it without a factor of their own
  int line = 0;
};

/// A table. Formulas know the keys of the machine, `volts.logic`, `volts.sram` and the typical area of each part
/// without overhead, as `area.sram`.
struct EnergyModel {
  std::string name, process, file;
  bool guess = false; ///< nothing in it was measured or published for this process
  struct {
    double logic = 0, sram = 0;                 ///< at `atGHz`
    double atGHz = 0, threshold = 0, alpha = 0; ///< alpha-power law: f ~ (V - threshold)^alpha / V
    std::string source;
  } volts;
  /// A factor on watts and joules that makes one anchor fit; never inside of the entries.
  struct {
    double allUnitsWatts = 0, factor = 1;
    std::string source;
  } calibration;
  double floorplanFactor = 1; ///< from the sum of parts to the die
  std::string floorplanSource;
  std::vector<EnergyEntry> dynamic; ///< energy per count
  std::vector<EnergyEntry> statics; ///< watts of a chip, or of a powered link
  std::vector<EnergyEntry> areas;   ///< mm² of a part
};

/// Error: file:line; a key that is unknown or missing, an entry without unit or source, values out of order, a unit
/// that does not fit the count, a formula that does not evaluate, a count that no entry answers.
Result<EnergyModel> parseEnergyModel(std::string_view yaml, const std::string &fileName);
/// A preset by name ("gf14", "sf4x") or a path to a YAML file.
Result<EnergyModel> loadEnergyModel(const std::string &nameOrPath);
/// Its text. Error: neither a preset nor a readable file.
Result<std::string> energyModelText(const std::string &nameOrPath);
std::vector<std::string> energyModelNames();

struct EnergyOptions {
  /// Logic supply; SRAM's moves along. Unset: the model's. `voltageForClock` says what a clock needs.
  std::optional<double> logicVolts;
  int draws =
      10000; ///< of the inner band; entry by entry the same for equal seeds, so that points of a study share them
  std::uint64_t seed = 1;
};
/// The logic supply that `clockGHz` needs by the alpha-power law; the model's own at its clock.
double voltageForClock(const EnergyModel &model, double clockGHz);

/// What one step asks of a whole system.
struct StepUse {
  Counts counts;            ///< of all chips
  Cycle latencyCycles = 0;  ///< from the first to the last effect: one user alone waits so long for a step
  Cycle intervalCycles = 0; ///< pipeline full: a step leaves every so many cycles; the busiest chip's program
  std::uint64_t chips = 1;  ///< all are powered all the time
  std::uint64_t links = 0;  ///< powered ends, of all chips
  std::uint64_t tokens = 1; ///< that a step yields, of all users
};
/// From a program alone.
StepUse stepUse(const Program &program, std::size_t step);

struct EnergyTerm {
  std::string entry, part;
  Estimate joules;
};
/// Of one step; raw, without the calibration factor.
struct StepEnergy {
  std::vector<EnergyTerm> dynamic;            ///< by entry
  std::vector<EnergyTerm> staticAlone;        ///< of all chips for latencyCycles
  std::vector<EnergyTerm> staticFullPipeline; ///< of all chips for intervalCycles
  Estimate dynamicJoules;
  Estimate staticWatts;                         ///< of the system
  Estimate aloneJoules, fullPipelineJoules;     ///< per step, dynamic and static
  Estimate alonePerToken, fullPipelinePerToken; ///< joules
  Estimate aloneWatts, fullPipelineWatts;       ///< of the system
};
/// Error: a formula that has no finite value on this machine.
Result<StepEnergy> energyOf(const EnergyModel &model, const Machine &machine, const StepUse &use,
                            const EnergyOptions &options = {});

struct AreaPart {
  std::string name;
  Estimate mm2; ///< without overhead
};
struct Area {
  std::vector<AreaPart> parts;
  Estimate total; ///< with the floorplan factor
};
Result<Area> areaOf(const EnergyModel &model, const Machine &machine, const EnergyOptions &options = {});

/// Typical joules of counts alone, each for itself: for curves over time.
Result<std::vector<double>> typicalDynamicJoules(const EnergyModel &model, const Machine &machine,
                                                 std::span<const Counts> counts, const EnergyOptions &options = {});
/// The same by part of the chip.
Result<std::vector<std::pair<std::string, double>>> typicalDynamicJoulesByPart(const EnergyModel &model,
                                                                               const Machine &machine,
                                                                               const Counts &counts,
                                                                               const EnergyOptions &options = {});
/// Typical static watts of a chip without its links, and of a powered link.
struct StaticWatts {
  double chip = 0, link = 0;
};
Result<StaticWatts> typicalStaticWatts(const EnergyModel &model, const Machine &machine,
                                       const EnergyOptions &options = {});

} // namespace lpu::isa
