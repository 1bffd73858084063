// Opens a folder as Hugging Face tools write it.

#include "HuggingFace.h"

#include "FusedTensors.h"
#include "SentencePieceFile.h"

#include <filesystem>

namespace lpu::compiler {
namespace {

/// A JSON document takes several times its size in memory; those that come with models stay far below these limits.
constexpr std::size_t kLargestConfig = std::size_t{1} << 22, kLargestTokenizer = std::size_t{1} << 27;

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

/// `parse` gets the text of a file, if it is there.
template <typename Parse> Status readIfThere(const std::string &path, std::size_t largest, Parse parse) {
  if (!std::filesystem::exists(path))
    return Ok{};
  auto text = readText(path, largest);
  return text ? parse(std::move(*text)) : Status(text.error());
}

/// tokenizer.json, or else tokenizer.model; without both tokens are ids alone.
Result<isa::Tokenizer> readVocabulary(const std::string &folder, const HfConfig &config) {
  const std::string described = folder + "/tokenizer.json", pieces = folder + "/tokenizer.model";
  isa::Tokenizer out;
  out.model = "none";
  out.eos = static_cast<std::int32_t>(config.eos);
  out.ends = config.ends;
  auto take = [&](Result<isa::Tokenizer> parsed) -> Status {
    if (!parsed)
      return parsed.error();
    out = std::move(*parsed);
    return Ok{};
  };
  const bool isDescribed = std::filesystem::exists(described);
  std::string settings;
  Status read = Ok{};
  if (!isDescribed)
    read = readIfThere(folder + "/tokenizer_config.json", kLargestConfig,
                       [&](std::string text) -> Status { return settings = std::move(text), Ok{}; });
  if (read && isDescribed)
    read = readIfThere(described, kLargestTokenizer,
                       [&](const std::string &text) { return take(parseHfTokenizer(text, described, config)); });
  else if (read)
    read = readIfThere(pieces, kLargestTokenizer, [&](const std::string &bytes) {
      return take(parseSentencePiece(bytes, pieces, settings, config));
    });
  return read ? Result<isa::Tokenizer>(std::move(out)) : read.error();
}

} // namespace

Result<isa::Tokenizer> readTokenizer(const std::string &folder, const HfConfig &config) {
  const std::string generation = folder + "/generation_config.json", chat = folder + "/tokenizer_config.json";
  auto vocabulary = readVocabulary(folder, config);
  if (!vocabulary)
    return vocabulary;
  isa::Tokenizer &out = *vocabulary;
  Status read = readIfThere(generation, kLargestConfig, [&](const std::string &text) {
    return parseGenerationConfig(text, generation, config.shape.vocabulary, out);
  });
  if (read)
    read = readIfThere(chat, kLargestConfig,
                       [&](const std::string &text) { return parseTokenizerConfig(text, chat, out); });
  if (read)
    read = readIfThere(folder + "/chat_template.jinja", kLargestConfig, [&](std::string text) -> Status {
      out.chatTemplate = std::move(text);
      return Ok{};
    });
  return read ? std::move(vocabulary) : read.error();
}

Result<OpenedModel> openHuggingFace(const std::string &folder) {
  std::string configPath = folder + "/config.json";
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
  auto tokenizer = readTokenizer(folder, *config);
  if (!tokenizer)
    return tokenizer.error();
  auto source = openHfTensors(folder, *config);
  if (!source)
    return source.error();
  auto matrices = splitFused(std::move(*source), config->shape);
  return OpenedModel{folder, std::move(config->shape), std::move(*tokenizer), std::move(matrices)};
}

} // namespace lpu::compiler
