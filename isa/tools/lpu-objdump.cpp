// lpu-objdump: shows what a program container holds, and checks it.
#include "Objdump.h"
#include "ToolSupport.h"

#include "lpu/isa/Assembler.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <system_error>

using namespace lpu;

static const char *const kFooter = R"(
Without a mode a summary is printed: machine, model, memory regions, steps.
--check looks at every step with the static legality checker (docs/spec/timing.md), chip class
by chip class and then the links between chips, and exits with 1 when it finds a hazard or a
wrong claim of cycles.

Examples: lpu-objdump model.lpx
          lpu-objdump --asm model.lpx > model.s      (lpu-as turns it back)
          lpu-objdump --schedule --step decode-64 model.lpx | less)";

static Error cannotWrite(int why) { return {"stdout", std::string("cannot write: ") + std::strerror(why)}; }

int main(int argc, char **argv) {
  CLI::App app("Shows the contents of an LPU program.", "lpu-objdump");
  app.footer(kFooter);
  std::string input;
  std::optional<std::string> step, chipClass;
  bool assembly = false, annotate = false, schedule = false, check = false;
  app.add_option("FILE.lpx", input, "program")->required();
  auto *modes = app.add_option_group("mode", "at most one of");
  modes->add_flag("--asm", assembly, "step programs as assembly text");
  modes->add_flag("--annotate", annotate, "offset | bytes | field | meaning of the whole file");
  auto *scheduleFlag = modes->add_flag("--schedule", schedule, "every dispatch by cycle, repeats expanded");
  modes->add_flag("--check", check, "static legality check");
  modes->require_option(0, 1);
  app.add_option("--step", step, "with --schedule: only this step")->needs(scheduleFlag)->type_name("NAME");
  app.add_option("--class", chipClass, "with --schedule: only this chip class")->needs(scheduleFlag)->type_name("NAME");
  if (const auto code = tools::parseArguments(app, argc, argv))
    return *code;

  const Result<isa::Program> program = isa::readProgram(input);
  if (!program)
    return tools::fail(program.error());
  bool legal = true;
  Status status = Ok{};
  try {
    if (check)
      legal = tools::printFindings(*program, input);
    else if (assembly)
      fmt::print("{}", isa::writeAssembly(*program));
    else if (annotate)
      status = tools::printAnnotated(input);
    else if (schedule)
      status = tools::printSchedule(*program, step, chipClass);
    else
      tools::printSummary(*program, input);
  } catch (const std::system_error &unwritten) { // by fmt::print
    return tools::fail(cannotWrite(unwritten.code().value()));
  }
  if (!status)
    return tools::fail(Error{status.error().place.empty() ? input : status.error().place, status.error().message});
  if (std::fflush(stdout) != 0)
    return tools::fail(cannotWrite(errno));
  return legal ? 0 : 1;
}
