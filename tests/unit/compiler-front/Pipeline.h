// Brings a model file through the llm stage, for tests.
#pragma once

#include "lpu/compiler/Dialect/LLM/LLM.h"
#include "lpu/compiler/Dialect/LLM/Passes.h"
#include "lpu/compiler/Import/ImportModel.h"
#include "lpu/compiler/Support/OneLineErrors.h"

#include "GgufBuilder.h"

#include "mlir/Pass/PassManager.h"

#include <gtest/gtest.h>

namespace lpu::test {

struct Compiled {
  mlir::MLIRContext context{mlir::MLIRContext::Threading::DISABLED};
  compiler::OneLineErrors errors{&context};
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::string path;

  bool import(const std::string &file) {
    path = file;
    module = compiler::importModel(context, path);
    return static_cast<bool>(module);
  }
  bool import(const GgufBuilder &builder) {
    std::string file = temporaryPath("compiled.gguf");
    writeFile(file, builder.bytes());
    return import(file);
  }
  bool lower(std::uint64_t maxContext = 0) {
    mlir::PassManager passes(&context);
    passes.addPass(compiler::llm::createQuantize());
    passes.addPass(compiler::llm::createPlanSteps({.maxContext = maxContext}));
    passes.addPass(compiler::llm::createVerifyQuantized());
    return mlir::succeeded(passes.run(*module));
  }
  std::string print() {
    std::string text;
    llvm::raw_string_ostream out(text);
    module->print(out);
    return text;
  }
};

} // namespace lpu::test
