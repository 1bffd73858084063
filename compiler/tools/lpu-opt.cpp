// lpu-opt: runs passes on IR of any stage, for tests and for looking into the compiler.

#include "lpu/compiler/Pipelines/Pipelines.h"
#include "lpu/isa/FileUses.h"
#include "lpu/isa/Version.h"

#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "llvm/Support/InitLLVM.h"

#include <cstdio>

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/raw_ostream.h"

int main(int argc, char **argv) {
  llvm::InitLLVM initialized(argc, argv);
  llvm::cl::SetVersionPrinter([](llvm::raw_ostream &out) { out << lpu::isa::versionLine("lpu-opt") << '\n'; });
  mlir::DialectRegistry registry;
  lpu::compiler::registerDialects(registry);
  lpu::compiler::registerPasses();
  lpu::compiler::registerPipelines();
  auto [input, output] =
      mlir::registerAndParseCLIOptions(argc, argv, "lpu-opt: passes over the llm, stream and lpu dialects\n", registry);
  if (output != "-") // standard output
    if (lpu::Status distinct = lpu::isa::checkOutputs({{"the IR", input}}, {{"-o", output}}); !distinct) {
      std::fprintf(stderr, "%s\n", distinct.error().str().c_str());
      return 1;
    }
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, input, output, registry));
}
