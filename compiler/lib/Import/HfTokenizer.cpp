// tokenizer.json to the tables a program carries. Two kinds occur with the
// architectures supported: byte-level BPE (Llama 3, Qwen2), told by its splitting
// pattern, and SentencePiece's BPE written as merges (Llama 2, Mistral), told by
// its byte fallback. For the latter a piece's score is minus the rank of the first
// merge that makes it, which orders merges as the file does.

#include "HuggingFace.h"
#include "ParseJson.h"
#include "lpu/compiler/Import/GgufFile.h"

#include <algorithm>
#include <array>
#include <optional>
#include <unordered_map>

namespace lpu::compiler {
namespace {

using Json = nlohmann::json;

// GGUF's token types.
enum TokenType : std::int32_t { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6 };

/// Splitting patterns as tokenizer.json files spell them, and the names runtime and GGUF have for them.
struct NamedPattern {
  std::string_view regex, name;
};
constexpr std::array<NamedPattern, 3> kPatterns{{
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     "llama-bpe"},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     "qwen2"},
    {R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", "gpt-2"},
}};

const Json &member(const Json &at, const char *key) {
  static const Json kNothing;
  auto it = at.is_object() ? at.find(key) : at.end();
  return at.is_object() && it != at.end() ? *it : kNothing;
}
std::string textOf(const Json &at, const char *key) {
  const Json &value = member(at, key);
  return value.is_string() ? value.get<std::string>() : "";
}
bool flagOf(const Json &at, const char *key) { return member(at, key) == true; }

/// The steps of a normalizer, pre-tokenizer or post-processor: a Sequence's parts, or the one step it is.
std::vector<Json> stepsOf(const Json &at, const char *parts) {
  if (!at.is_object())
    return {};
  const Json &list = member(at, parts);
  return list.is_array() ? std::vector<Json>(list.begin(), list.end()) : std::vector<Json>{at};
}

class TokenizerReader {
public:
  TokenizerReader(const std::string &path, const HfConfig &modelConfig) : file(path), config(modelConfig) {}

  Result<isa::Tokenizer> run(const Json &json) {
    readVocabulary(member(json, "model"));
    readAddedTokens(member(json, "added_tokens"));
    readMerges(member(json, "model"));
    readSplitting(json);
    readPostProcessor(member(json, "post_processor"));
    finish(member(json, "model"));
    if (error)
      return *error;
    return std::move(out);
  }

private:
  void fail(const std::string &message) {
    if (!error)
      error = Error{file, message};
  }
  void malformed(const std::string &what) { fail(what + "; fetch or export the model again"); }

  /// Stores a token; ids beyond the model's vocabulary have no embedding.
  void put(const Json &id, const std::string &text, std::int32_t type) {
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() >= config.shape.vocabulary)
      return malformed("token " + quote(text) + " must have an id below the vocabulary's size, " +
                       std::to_string(config.shape.vocabulary));
    auto index = id.get<std::size_t>();
    out.tokens[index] = text;
    out.types[index] = type;
    idOf[text] = static_cast<std::int32_t>(index);
  }

  void readVocabulary(const Json &model) {
    for (std::uint32_t id = 0; id < config.shape.vocabulary; ++id)
      out.tokens.push_back("[PAD" + std::to_string(id) + "]");
    out.types.assign(config.shape.vocabulary, kUnused);
    if (std::string type = textOf(model, "type"); type != "BPE")
      return fail("tokenizer model " + quote(type) +
                  " is not supported (\"BPE\" is); use another model, or remove the file to work with token ids");
    isByteLevel = !flagOf(model, "byte_fallback");
    if (!member(model, "vocab").is_object())
      return malformed("model.vocab must be a map of tokens");
    for (const auto &[text, id] : member(model, "vocab").items())
      put(id, text,
          !isByteLevel && text.size() == 6 && text.starts_with("<0x") && text.ends_with(">") ? kByte : kNormal);
  }

  void readAddedTokens(const Json &added) {
    for (const Json &token : added.is_array() ? added : Json::array())
      put(member(token, "id"), textOf(token, "content"), flagOf(token, "special") ? kControl : kUserDefined);
  }

  /// A merge is "left right", or ["left", "right"] in newer files.
  void readMerges(const Json &model) {
    const Json &merges = member(model, "merges");
    if (!merges.is_array())
      return malformed("model.merges must be a list");
    for (const Json &merge : merges) {
      if (merge.is_string())
        out.merges.push_back(merge.get<std::string>());
      else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string())
        out.merges.push_back(merge[0].get<std::string>() + " " + merge[1].get<std::string>());
      else
        return malformed("merge " + std::to_string(out.merges.size()) + " must be two tokens");
    }
    if (!isByteLevel)
      scoreByMerges();
  }

  void scoreByMerges() {
    out.scores.assign(out.tokens.size(), 0.0f);
    for (std::size_t rank = out.merges.size(); rank-- > 0;) { // from the last, so that the first one stays
      std::string piece = out.merges[rank];
      std::erase(piece, ' '); // pieces hold no spaces, U+2581 stands for them
      if (auto it = idOf.find(piece); it != idOf.end())
        out.scores[static_cast<std::size_t>(it->second)] = -1.0f - static_cast<float>(rank);
    }
    out.merges.clear();
  }

  void readSplitting(const Json &json) {
    if (isByteLevel)
      return readPattern(stepsOf(member(json, "pre_tokenizer"), "pretokenizers"));
    out.addSpacePrefix = false;
    for (const Json &step : stepsOf(member(json, "normalizer"), "normalizers"))
      out.addSpacePrefix |= textOf(step, "type") == "Prepend";
    for (const Json &step : stepsOf(member(json, "pre_tokenizer"), "pretokenizers"))
      if (std::string scheme = textOf(step, "prepend_scheme"); textOf(step, "type") == "Metaspace")
        out.addSpacePrefix |= scheme.empty() ? flagOf(step, "add_prefix_space") : scheme != "never";
  }

  void readPattern(const std::vector<Json> &steps) {
    out.addSpacePrefix = false;
    for (const Json &step : steps) {
      std::string type = textOf(step, "type"), regex = textOf(member(step, "pattern"), "Regex");
      auto known = std::ranges::find(kPatterns, regex, &NamedPattern::regex);
      if (type == "Split" && known != kPatterns.end())
        out.pre = known->name;
      else if (type == "ByteLevel" && member(step, "use_regex") != false)
        out.pre = "gpt-2";
      else if (type != "ByteLevel")
        return fail("the pre-tokenizer's step " + quote(type) + (regex.empty() ? "" : " with pattern " + quote(regex)) +
                    " is not supported; use another model, or remove the file to work with token ids");
    }
    if (out.pre.empty())
      fail("the pre-tokenizer does not say how text is split; use another model, or remove the file to work with token "
           "ids");
  }

  /// Whether text is to begin with a BOS token stands in the template.
  void readPostProcessor(const Json &processor) {
    out.addBos = false;
    for (const Json &step : stepsOf(processor, "processors")) {
      const Json &single = member(step, "single");
      if (textOf(step, "type") != "TemplateProcessing" || !single.is_array() || single.empty())
        continue;
      auto first = idOf.find(textOf(member(single.front(), "SpecialToken"), "id"));
      if (first == idOf.end())
        continue;
      out.addBos = true;
      out.bos = first->second;
    }
  }

  void finish(const Json &model) {
    out.model = isByteLevel ? "gpt2" : "llama";
    if (out.bos < 0)
      out.bos = static_cast<std::int32_t>(config.bos);
    out.eos = static_cast<std::int32_t>(config.eos);
    if (auto unknown = idOf.find(textOf(model, "unk_token")); unknown != idOf.end()) {
      out.unknown = unknown->second;
      if (!isByteLevel)
        out.types[static_cast<std::size_t>(out.unknown)] = kUnknown;
    }
  }

  const std::string &file;
  const HfConfig &config;
  std::optional<Error> error;
  isa::Tokenizer out;
  bool isByteLevel = true;
  std::unordered_map<std::string, std::int32_t> idOf;
};

} // namespace

Result<isa::Tokenizer> parseHfTokenizer(std::string_view text, const std::string &path, const HfConfig &config) {
  auto json = parseJson(text, path);
  if (!json)
    return json.error();
  return TokenizerReader(path, config).run(*json);
}

} // namespace lpu::compiler
