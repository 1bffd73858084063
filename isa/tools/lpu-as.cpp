// lpu-as: assembles a text file into a program container, either onto an
// existing program (whose steps it replaces) or for a machine.
#include "ToolSupport.h"
#include "lpu/isa/Assembler.h"
#include "lpu/isa/FileUses.h"
#include "lpu/isa/Provenance.h"

using namespace lpu;

static const char *const kFooter = R"(
The file, line by line ('#' starts a comment):
  .step "NAME" kind=decode|prefill tokens=N context=N predicted=N
      opens a step program; without predicted= it claims the length the legality checker computes
  .bounds weightstream=N resource=N criticalpath=N lower=N
  .utilization mxm=X vxm=X sxm=X mem=X streams=X
  .input|.output "NAME" width=N items=N vectors=N lanesused=N elements=N side=e|w slice0=N bank=N row0=N
  .name "LABEL"          next entry of the step's label table
  .queue NAME            mem.e12, vxm.3, mxm.w1.a (.w .a .r), sxm.e5, c2c.4; its words follow
  .label "LABEL"|N       what the following words serve
  .word 32-HEX-DIGITS    a raw word
  MNEMONIC field=value   an instruction; fields not given are 0; docs/isa.md lists them.
      streams: rdstream=w3 (direction and number); VXM operands: a=e4:4 (stream, bytes),
      a=alu3, a=imm with imm=0x3f800000 or imm=1.5f, a=acc; result: out=w8:4; waiting: nop 5
A file for several chips has its .step lines first, without anything between them, and then
  .class "NAME" layers=N
      opens a class of chips, which share memory, maps and programs
  .program "STEP" predicted=N
      what its chips do in a step, as above from .bounds on; without one they take no part
  .chip "CLASS" start=N,N stage=N shard=N firstlayer=N
      the next chip; start: per step, cycles after the release at which its program begins
  .wire CHIP LINK CHIP LINK
With --machine the file may also hold
  .region "NAME" kind=constant|zero|scratch|code side=e|w slice0=N slices=N bank=N row0=N rows=N
  .row HEX               next row of the constant region above, its bytes repeated to fill it
  .map LANES             next SXM map: numbers, ranges a..b, repetitions v*count; -1 gives zero
  .loopback A B          wires two links of the first chip together
  .fetchedcode           instruction text arrives by ifetch instead of being resident

Examples: lpu-objdump --asm X.lpx > X.s && lpu-as X.s --image=X.lpx -o Y.lpx   (Y is X)
          lpu-as test.s --machine=tsp1 -o test.lpx)";

int main(int argc, char **argv) {
  CLI::App app("Assembles LPU programs.", "lpu-as");
  app.footer(kFooter);
  std::string input, output, image, machineName;
  app.add_option("FILE.s", input, "assembly file")->required();
  app.add_option("-o,--output", output, "program to write")->required();
  auto *imageOption = app.add_option("--image", image, "program to take all but the steps from")->type_name("FILE.lpx");
  app.add_option("--machine", machineName,
                 "preset (tsp1, small, tsp1-int4, lp30) or description, for a file without an image")
      ->excludes(imageOption)
      ->type_name("NAME|FILE.yaml");
  if (const auto code = tools::parseArguments(app, argc, argv))
    return *code;
  if (image.empty() == machineName.empty()) {
    std::fprintf(stderr, "lpu-as: error: --image or --machine is required to know the machine; try --help\n");
    return 2;
  }

  std::vector<isa::FileUse> reads = {{"the assembly", input}};
  isa::addUse(reads, "--image", image);
  isa::addUse(reads, "--machine", machineName);
  if (const Status distinct = isa::checkOutputs(reads, {{"-o", output}}); !distinct)
    return tools::fail(distinct.error());

  const Result<std::string> text = readFile(input);
  if (!text)
    return tools::fail(text.error());
  const auto assemble = [&]() -> Result<isa::Program> {
    if (!image.empty()) {
      Result<isa::Program> base = isa::readProgram(image);
      return base ? isa::assembleOnto(std::move(*base), *text, input) : base;
    }
    const Result<isa::Machine> machine = isa::loadMachine(machineName);
    return machine ? isa::assembleProgram(*text, input, *machine) : Result<isa::Program>(machine.error());
  };
  const Result<isa::Program> program = assemble();
  if (!program)
    return tools::fail(program.error());
  if (const Status status = isa::writeProgram(*program, output, isa::versionLine("lpu-as")); !status)
    return tools::fail(status.error());
  return 0;
}
