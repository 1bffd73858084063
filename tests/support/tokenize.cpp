// lpu-tokenize: ids of texts by a tokenizer.json, a model folder or a GGUF file, without compiling a model. Reads a
// JSON list of texts from stdin and writes a JSON list of lists of ids; scripts/compare-tokenizers.sh compares them.
#include "HuggingFace.h"

#include "lpu/compiler/Import/WeightStore.h"
#include "lpu/isa/Files.h"
#include "lpu/text/Tokenizer.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <iostream>

using namespace lpu;

namespace {

struct Options {
  std::string path;
  bool special = false, prompt = false;
};

Result<isa::Tokenizer> load(const std::string &path) {
  if (path.ends_with("tokenizer.json")) {
    auto text = readFile(path);
    return text ? compiler::parseHfTokenizer(*text, path, {}) : text.error();
  }
  auto store = compiler::WeightStore::open(path);
  return store ? Result<isa::Tokenizer>((*store)->tokenizer()) : store.error();
}

Status run(const Options &options) {
  auto tables = load(options.path);
  if (!tables)
    return tables.error();
  auto tokenizer = text::Tokenizer::create(*tables);
  if (!tokenizer)
    return tokenizer.error();
  auto texts = nlohmann::json::parse(std::cin, nullptr, false);
  if (!texts.is_array())
    return Error{"stdin", "must be a JSON list of texts"};
  nlohmann::json out = nlohmann::json::array();
  for (const auto &text : texts) {
    const text::EncodeOptions how{options.special};
    auto ids = options.prompt ? (*tokenizer)->encodePrompt(text.get<std::string>(), how)
                              : (*tokenizer)->encode(text.get<std::string>(), how);
    out.push_back(ids ? nlohmann::json(*ids) : nlohmann::json(ids.error().str()));
  }
  std::cout << out.dump() << "\n";
  return Ok{};
}

} // namespace

int main(int argc, char **argv) {
  Options options;
  CLI::App app("Prints ids of texts, for tests.", "lpu-tokenize");
  app.add_option("tokenizer", options.path, "tokenizer.json, model folder or GGUF file")->required();
  app.add_flag("--special", options.special, "text may spell special tokens");
  app.add_flag("--prompt", options.prompt, "with the tokens that a prompt begins and ends with");
  CLI11_PARSE(app, argc, argv);
  const Status status = run(options);
  if (!status)
    std::fprintf(stderr, "%s\n", status.error().str().c_str());
  return status ? 0 : 1;
}
