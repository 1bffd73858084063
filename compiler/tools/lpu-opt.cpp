// lpu-opt: runs passes on IR of any stage, for tests and for looking into the compiler.

#include "lpu/compiler/Pipelines/Pipelines.h"

#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  lpu::compiler::registerDialects(registry);
  lpu::compiler::registerPasses();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "lpu-opt: passes over the llm, stream and lpu dialects\n", registry));
}
