// Everything about a model that does not change while it is served.
#include "lpu/serve/Model.h"

#include "Secrets.h"
#include "lpu/isa/Files.h"
#include "lpu/rt/Loader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <filesystem>
#include <span>
#include <sys/stat.h>

namespace lpu::serve {
namespace {

namespace fs = std::filesystem;

constexpr unsigned kMostSystems = 256;

Error usage(const std::string &argument, const std::string &message) {
  return {"lpu-serve", fmt::format("'{}': {}", argument, message)};
}

/// "model" of "path/to/model.gguf", "folder" of "path/to/folder/".
std::string stemOf(const std::string &path) {
  const fs::path trimmed = path.ends_with('/') ? fs::path(path).parent_path() : fs::path(path);
  std::error_code ec;
  return fs::is_directory(trimmed, ec) ? trimmed.filename().string() : trimmed.stem().string();
}

Status readOption(const std::string &argument, const std::string &option, ModelSource &to) {
  const std::size_t equals = option.find('=');
  const std::string key = option.substr(0, equals),
                    value = equals == std::string::npos ? "" : option.substr(equals + 1);
  if (key == "systems") {
    auto [end, code] = std::from_chars(value.data(), value.data() + value.size(), to.systems);
    if (code != std::errc{} || end != value.data() + value.size() || to.systems < 1 || to.systems > kMostSystems)
      return usage(argument, fmt::format("systems must be a whole number from 1 to {}", kMostSystems));
    return Ok{};
  }
  if (key == "template" && !value.empty()) {
    to.templateFile = value;
    return Ok{};
  }
  return usage(argument, fmt::format("'{}' is no option of a model; there are systems=N and template=FILE", option));
}

Result<ModelSource> parseSource(const std::string &argument) {
  ModelSource source;
  std::string rest = argument;
  const std::size_t equals = rest.find('='), slash = rest.find_first_of("/:");
  if (equals != std::string::npos && equals < slash) {
    source.name = rest.substr(0, equals);
    rest.erase(0, equals + 1);
    if (source.name.empty())
      return usage(argument, "the name before '=' is empty");
  }
  std::size_t colon = rest.find(':');
  source.path = rest.substr(0, colon);
  while (colon != std::string::npos) {
    const std::size_t next = rest.find(':', colon + 1);
    if (Status status = readOption(argument, rest.substr(colon + 1, next - colon - 1), source); !status)
      return status.error();
    colon = next;
  }
  if (source.path.empty())
    return usage(argument, "names no file; give [NAME=]MODEL[:systems=N][:template=FILE]");
  if (source.name.empty())
    source.name = stemOf(source.path);
  return source;
}

} // namespace

Result<std::vector<ModelSource>> parseModelSources(const std::vector<std::string> &arguments) {
  std::vector<ModelSource> sources;
  for (const std::string &argument : arguments) {
    auto source = parseSource(argument);
    if (!source)
      return source.error();
    for (const ModelSource &other : sources)
      if (other.name == source->name)
        return usage(argument, fmt::format("another model is called '{}', too; give names as NAME={}", source->name,
                                           source->path));
    sources.push_back(*source);
  }
  return sources;
}

Result<std::unique_ptr<Model>> Model::load(const ModelSource &source, const std::string &path,
                                           const std::vector<std::string> &compilerFlags) {
  std::unique_ptr<Model> made(new Model(source));
  auto program = rt::loadProgram(path);
  if (!program)
    return program.error();
  made->programPath = path;
  made->compilerFlags = compilerFlags;
  made->compiled = std::move(*program);
  if (!made->compiled.hasWeights)
    return Error{path, "was compiled without weights, so it has nothing to say; compile a model that has them"};
  auto digest = sha256OfFile(path);
  if (!digest)
    return digest.error();
  made->digest = *digest;
  struct stat file {};
  if (::stat(path.c_str(), &file) == 0)
    made->writtenAt = file.st_mtime;
  if (made->compiled.tokenizer.model != "none" && !made->compiled.tokenizer.model.empty()) {
    auto words = text::Tokenizer::create(made->compiled.tokenizer);
    if (!words)
      return Error{path, words.error().str()};
    made->words = std::move(*words);
  }
  made->times = std::make_unique<Timing>(made->compiled);
  made->listSpecialTokens();
  if (Status status = made->readTemplate(); !status)
    return status.error();
  return made;
}

void Model::listSpecialTokens() {
  const isa::Tokenizer &data = compiled.tokenizer;
  for (std::size_t i = 0; i < std::min(data.tokens.size(), data.types.size()); ++i)
    if (data.types[i] == static_cast<std::int32_t>(text::TokenType::Control) && data.tokens[i].size() > 1)
      specials.push_back(data.tokens[i]);
}

Status Model::readTemplate() {
  if (source.templateFile.empty()) {
    chats = words ? std::string(words->chatTemplate()) : "";
    return Ok{};
  }
  auto content = readFile(source.templateFile);
  if (!content)
    return content.error();
  chats = std::move(*content);
  return Ok{};
}

const char *Model::templateOrigin() const {
  if (chats.empty())
    return "plain";
  return source.templateFile.empty() ? "model" : "file";
}

std::vector<TokenId> Model::endTokens() const {
  if (!words)
    return {};
  const std::span<const TokenId> ends = words->endTokens();
  return {ends.begin(), ends.end()};
}

std::string Model::runCommand() const {
  std::error_code ec; // a path that cannot be made absolute is told as it was typed
  const fs::path absolute = fs::absolute(source.path, ec);
  const std::string path = quoted(ec ? source.path : absolute.lexically_normal().string());
  if (programPath == source.path)
    return "lpu-run " + path;
  std::string flags;
  for (const std::string &flag : compilerFlags)
    flags += " " + quoted(flag);
  return fmt::format("lpucc {} -o model.lpx{} && lpu-run model.lpx", path, flags);
}

std::string quoted(const std::string &word) {
  const bool plain = !word.empty() && std::ranges::all_of(word, [](unsigned char c) {
    return std::isalnum(c) || std::string_view("_-./,=:+").find(static_cast<char>(c)) != std::string_view::npos;
  });
  if (plain)
    return word;
  std::string out = "'";
  for (const char c : word)
    out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

} // namespace lpu::serve
