// A sequence is padded to its program's length; the program masks what is behind its end, and rows of padding are not
// written out.
#include "lpu/rt/Encode.h"

#include "RunFiles.h"
#include "RunSupport.h"
#include "lpu/isa/Files.h"
#include "lpu/isa/Npy.h"
#include "lpu/isa/Sha256.h"
#include "lpu/rt/Loader.h"
#include "lpu/rt/RunReport.h"
#include "lpu/rt/StepPlan.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <ostream>
#include <unistd.h>

namespace lpu::rt {
namespace {

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

class Encoding {
public:
  Encoding(const isa::Program &program, const RunOptions &options, const SimulatorFactory &create,
           const Terminal &terminal)
      : program(program), options(options), create(create), terminal(terminal), start(Clock::now()) {}

  int execute() {
    if (Status status = prepare(); !status)
      return fail(terminal, status.error());
    SimulatorFiles files(options);
    auto simulator = create(program, files.options());
    if (!simulator)
      return fail(terminal, inProgram(simulator.error()));
    report.host.loadSeconds = secondsSince(start);
    Clock::time_point begin = Clock::now();
    writeInputs(**simulator);
    sim::StepResult result = (*simulator)->run(number);
    report.host.runSeconds = secondsSince(begin);
    if (result.violation)
      return fail(terminal, inProgram({program.steps[number].name, result.violation->str()}), kViolation);
    finishReport(result, **simulator);
    Status status = writeFiles(**simulator);
    if (status)
      status = files.commit(std::move(*simulator));
    if (!status)
      return fail(terminal, status.error());
    return conclude();
  }

private:
  Error inProgram(Error error) const {
    error.place = error.place.empty() ? options.program : options.program + ": " + error.place;
    return error;
  }

  Status prepare() {
    const std::vector<TokenId> &ids = *options.inputIds;
    for (std::size_t i = 0; i < program.steps.size(); ++i)
      if (program.steps[i].tokens >= ids.size() && (!found || program.steps[i].tokens < program.steps[number].tokens))
        found = true, number = i;
    if (!found)
      return inProgram({"", fmt::format("{} tokens are more than the {} of its longest program; give fewer{}",
                                        ids.size(), program.model.maxContext, longerContext(ids.size()))});
    for (std::size_t i = 0; i < ids.size(); ++i)
      if (static_cast<std::uint32_t>(ids[i]) >= program.model.vocabulary)
        return inProgram(
            {"", fmt::format("token {} (number {} of --input-ids) is outside of the vocabulary; ids run from 0 to {}",
                             ids[i], i + 1, program.model.vocabulary - 1)});
    if (options.tokenTypes.size() > 0 && options.tokenTypes.size() != ids.size())
      return inProgram({"", fmt::format("--token-type-ids has {} entries, --input-ids {}; give one for each token",
                                        options.tokenTypes.size(), ids.size())});
    for (TokenId type : options.tokenTypes)
      if (static_cast<std::uint32_t>(type) >= program.model.tokenTypes)
        return inProgram(
            {"", fmt::format("token type {} is outside of the model's {}", type, program.model.tokenTypes)});
    std::vector<std::string> written;
    for (const isa::Binding &output : program.classes[0].programs[number].outputs)
      if (std::string path = pathOf(output.name); !path.empty())
        written.push_back(path);
    if (Status distinct = checkFiles(options, written); !distinct)
      return distinct;
    if (Status folder = checkFolder(); !folder)
      return folder;
    bool isMadeLater = !options.outputDir.empty() && !std::filesystem::exists(options.outputDir);
    for (const std::string &path : isMadeLater ? std::vector<std::string>() : written)
      if (Status status = checkWritable(path); !status)
        return status;
    for (const std::string *path : {&options.report, &options.trace, &options.vcd.path})
      if (!path->empty())
        if (Status status = checkWritable(*path); !status)
          return status;
    return Ok{};
  }

  /// A folder that is not there yet is made when outputs are, which must be possible.
  Status checkFolder() const {
    namespace fs = std::filesystem;
    std::error_code ec;
    if (options.outputDir.empty() || fs::is_directory(options.outputDir, ec))
      return Ok{};
    fs::path above = fs::absolute(options.outputDir, ec);
    while (!fs::exists(above, ec) && above.has_relative_path())
      above = above.parent_path();
    if (fs::is_directory(above, ec) && ::access(above.c_str(), W_OK) == 0)
      return Ok{};
    return Error{options.outputDir,
                 fmt::format("cannot be made: '{}' is no folder that can be written to; choose another --output",
                             above.string())};
  }

  /// Where an output goes; a name that would leave the folder keeps its letters only.
  std::string pathOf(std::string name) const {
    std::replace_if(
        name.begin(), name.end(), [](unsigned char c) { return c == '/' || c == '\\' || c < 0x20; }, '_');
    if (!options.outputDir.empty())
      return (std::filesystem::path(options.outputDir) / (name + ".npy")).string();
    return options.outputs.empty() ? "" : options.outputs + "." + name + ".npy";
  }

  void writeInputs(sim::Simulator &simulator) const {
    auto write = [&](const char *name, std::vector<std::int32_t> values, std::size_t count) {
      values.resize(count);
      auto bytes = std::as_bytes(std::span(values));
      simulator.writeInput(number, name, {reinterpret_cast<const std::uint8_t *>(bytes.data()), bytes.size()});
    };
    std::size_t tokens = program.steps[number].tokens;
    write("token", {options.inputIds->begin(), options.inputIds->end()}, tokens);
    write("type", {options.tokenTypes.begin(), options.tokenTypes.end()}, tokens);
    write("length", {static_cast<std::int32_t>(options.inputIds->size())}, 1);
  }

  void finishReport(const sim::StepResult &result, const sim::Simulator &simulator) {
    StepRecord record{{number, 0, static_cast<std::uint32_t>(options.inputIds->size())},
                      program.steps[number].predictedCycles,
                      result.cycles,
                      {},
                      result.counts};
    UserReport &own = report.users.emplace_back();
    own.promptTokens = *options.inputIds;
    report.steps = {record};
    own.chip = summarize(report.steps, 0, program, false);
    own.withHost = summarize(report.steps, 0, program, true);
    report.engine = options.engine == sim::Engine::Event ? "event" : "clocked";
    if (!options.report.empty())
      report.memorySha256 = hex(simulator.memorySha256());
    report.hostSeconds = secondsSince(start);
    report.host.peakRssBytes = peakRssBytes();
  }

  Status writeFiles(const sim::Simulator &simulator) const {
    std::error_code failed; // which the first file reports
    if (!options.outputDir.empty() && options.mode != sim::Mode::Timing)
      std::filesystem::create_directories(options.outputDir, failed);
    for (const isa::Binding &output : program.classes[0].programs[number].outputs) {
      std::string path = pathOf(output.name);
      if (path.empty() || options.mode == sim::Mode::Timing)
        continue;
      std::vector<std::uint8_t> raw = simulator.readOutput(number, output.name);
      bool perToken = output.items > 1 || program.steps[number].tokens == 1;
      std::size_t rows = perToken ? options.inputIds->size() : 1, width = output.elements;
      std::vector<float> values(rows * width);
      std::memcpy(values.data(), raw.data(), values.size() * sizeof(float));
      std::vector<std::size_t> shape = {1};
      if (perToken)
        shape.push_back(rows);
      if (!perToken || width > 1) // starts and ends of answers are one number a token
        shape.push_back(width);
      if (Status s = writeNpy(path, values, shape); !s)
        return s;
    }
    return options.report.empty() ? Status(Ok{}) : writeFileAtomically(options.report, reportJson(report, program));
  }

  int conclude() const {
    const StepRecord &record = report.steps[0];
    terminal.err << fmt::format("  {} tokens encoded by {} in {:.2f} us ({:.2f} us with the host)\n",
                                options.inputIds->size(), program.steps[number].name, *report.users.front().chip.ttftUs,
                                *report.users.front().withHost.ttftUs)
                 << fmt::format("  {} cycles predicted, {} simulated at {} GHz ({} engine, {:.2f} s of host time)\n",
                                record.predictedCycles, record.simulatedCycles, program.machine.clockGHz, report.engine,
                                report.hostSeconds)
                 << std::flush;
    if (record.predictedCycles == record.simulatedCycles)
      return kSuccess;
    return fail(terminal, inProgram({"", fmt::format("program '{}' took {} cycles, {} were predicted; the program and "
                                                     "this simulator disagree on the machine, compile the model again",
                                                     program.steps[number].name, record.simulatedCycles,
                                                     record.predictedCycles)}));
  }

  const isa::Program &program;
  const RunOptions &options;
  const SimulatorFactory &create;
  Terminal terminal;
  Clock::time_point start;
  bool found = false;
  std::size_t number = 0; ///< of the step
  RunReport report;
};

} // namespace

bool isEncoder(const isa::Program &program) {
  return !program.steps.empty() && std::ranges::all_of(program.steps, [](const isa::SystemStep &step) {
    return step.kind == isa::StepKind::Encode;
  });
}

Status checkEncoder(const isa::Program &program, const std::string &path) {
  if (program.classes.size() != 1 || program.chips.size() != 1)
    return Error{path, "an encoder for several chips cannot be run; compile the model again"};
  for (std::size_t i = 0; i < program.steps.size(); ++i) {
    const isa::StepProgram &step = program.classes[0].programs[i];
    auto holds = [&](const char *name, std::uint32_t items) {
      const isa::Binding *binding = findBinding(step.inputs, name);
      return binding && binding->width == 4 && binding->items == items && binding->elements == 1;
    };
    bool outputs = std::ranges::all_of(step.outputs, [&](const isa::Binding &b) {
      return b.width == 4 && (b.items == 1 || b.items == program.steps[i].tokens);
    });
    if (!holds("token", program.steps[i].tokens) || !holds("type", program.steps[i].tokens) || !holds("length", 1) ||
        step.outputs.empty() || !outputs)
      return Error{path,
                   fmt::format("program '{}' has not the inputs and outputs of an encoder; compile the model again",
                               program.steps[i].name)};
  }
  return Ok{};
}

int encodeSequence(const isa::Program &program, const RunOptions &options, const SimulatorFactory &create,
                   Terminal terminal) {
  return Encoding(program, options, create, terminal).execute();
}

} // namespace lpu::rt
