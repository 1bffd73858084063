// Opens a folder as Hugging Face tools write it.

#include "HuggingFace.h"

#include <filesystem>

namespace lpu::compiler {
namespace {

/// A JSON document takes several times its size in memory; those that come with models stay far below these limits.
constexpr std::size_t kLargestConfig = std::size_t{1} << 20, kLargestTokenizer = std::size_t{1} << 27;

Result<std::string> readText(const std::string &path, std::size_t largest) {
  auto file = MappedFile::open(path);
  if (!file)
    return file.error();
  auto bytes = (*file)->bytes();
  if (bytes.size() > largest)
    return Error{path, "has " + std::to_string(bytes.size()) + " bytes, at most " + std::to_string(largest) +
                           " are read; fetch the model again"};
  return std::string(bytes.begin(), bytes.end());
}

} // namespace

Result<OpenedModel> openHuggingFace(const std::string &folder) {
  std::string configPath = folder + "/config.json", tokenizerPath = folder + "/tokenizer.json";
  auto text = readText(configPath, kLargestConfig);
  if (!text)
    return text.error();
  auto config = parseHfConfig(*text, configPath);
  if (!config)
    return config.error();
  for (const char *name : {"/quantize_config.json", "/quant_config.json"})
    if (std::string path = folder + name;
        config->format == GroupFormat::None && !config->namesQuantization && std::filesystem::exists(path)) {
      auto quantization = readText(path, kLargestConfig);
      if (!quantization)
        return quantization.error();
      if (Status read = parseQuantizeConfig(*quantization, path, *config); !read)
        return read.error();
    }
  isa::Tokenizer tokenizer;
  tokenizer.model = "none";
  if (std::filesystem::exists(tokenizerPath)) {
    auto document = readText(tokenizerPath, kLargestTokenizer);
    if (!document)
      return document.error();
    auto parsed = parseHfTokenizer(*document, tokenizerPath, *config);
    if (!parsed)
      return parsed.error();
    tokenizer = std::move(*parsed);
  }
  auto source = openHfTensors(folder, *config);
  if (!source)
    return source.error();
  return OpenedModel{folder, std::move(config->shape), std::move(tokenizer), std::move(*source)};
}

} // namespace lpu::compiler
