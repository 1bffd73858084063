// lpu-read-model: opens a model as lpucc and lpu-interpret do, decodes every tensor, cuts a text with its tokenizer,
// and reads the other files they take. It is built with sanitizers and without MLIR, so that broken files meet
// instrumented readers in minutes; see tests/support/refuse.py.
#include "ModelTensors.h"
#include "OnnxGraph.h"

#include "lpu/compiler/Import/WeightStore.h"
#include "lpu/compiler/Support/PrecisionPlan.h"
#include "lpu/isa/Machine.h"
#include "lpu/text/Tokenizer.h"

#include <CLI/CLI.hpp>

#include <cstdio>

using namespace lpu;
using namespace lpu::compiler;

namespace {

struct Files {
  std::string model, arch, weights = "none", precisions, machine = "tsp1";
};

/// Of an encoder, those its graph takes from the file.
std::vector<std::string> tensorNames(const WeightStore &store) {
  std::vector<std::string> names;
  if (!store.encoder())
    for (const TensorShape &t : modelTensors(store.shape(), TensorsOf::Graph))
      names.push_back(t.name);
  else if (auto file = OnnxFile::open(store.path()))
    if (auto model = readOnnxGraph(**file))
      for (const auto &[name, weight] : model->weights)
        names.push_back(name);
  return names;
}

/// Every value is decoded, and none kept.
Status decode(const WeightStore &store) {
  std::vector<float> values;
  for (const std::string &name : tensorNames(store)) {
    const auto [rows, cols] = store.dimensions(name);
    values.resize(cols);
    for (std::uint32_t row = 0; row < rows; ++row)
      if (Status read = store.loadRow(name, row, values); !read)
        return read;
  }
  return Ok{};
}

Status tokenize(const WeightStore &store) {
  auto tokenizer = text::Tokenizer::create(store.tokenizer());
  if (!tokenizer)
    return Error{store.path(), tokenizer.error().str()};
  (void)(*tokenizer)
      ->encode("Once qzzz nospace \xC3\xA9\xFF 12"); // what a vocabulary cannot say is no error of its file
  return Ok{};
}

Status read(const Files &files) {
  if (auto machine = isa::loadMachine(files.machine); !machine)
    return machine.error();
  PrecisionOptions options;
  options.config = files.precisions;
  if (auto plan = PrecisionPlan::create(options); !plan)
    return plan.error();
  auto store = WeightStore::open(files.arch.empty() ? files.model : WeightStore::shapeName(files.arch, files.weights));
  if (!store)
    return store.error();
  if (Status decoded = (*store)->hasWeights() ? decode(**store) : Status(Ok{}); !decoded)
    return Error{decoded.error().place.empty() ? (*store)->path() : decoded.error().place, decoded.error().message};
  return tokenize(**store);
}

} // namespace

int main(int argc, char **argv) {
  Files files;
  CLI::App app("Reads what the compiler reads, for tests.", "lpu-read-model");
  app.add_option("model", files.model);
  app.add_option("--arch", files.arch);
  app.add_option("--weights", files.weights);
  app.add_option("--quant-config", files.precisions);
  app.add_option("--target", files.machine);
  CLI11_PARSE(app, argc, argv);
  const Status status = read(files);
  if (!status)
    std::fprintf(stderr, "%s\n", status.error().str().c_str());
  return status ? 0 : 1;
}
