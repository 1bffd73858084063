// tokenizer.json to what a program carries: the vocabulary and merges as tables, and the rest of the file as the
// description of a pipeline, which lpu_text reads and which is checked here, before anything is compiled.

#include "HuggingFace.h"
#include "ModelTensors.h"
#include "ParseJson.h"
#include "lpu/compiler/Import/GgufFile.h"
#include "lpu/text/Tokenizer.h"

#include <algorithm>
#include <array>
#include <optional>
#include <unordered_map>

namespace lpu::compiler {
namespace {

using Json = nlohmann::json;
using text::TokenType;

constexpr const char *kWithout = "; use another model, or remove the file to work with token ids";
constexpr const char *kFetchAgain = "; fetch or export the model again";

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

/// Files of old leave out the model's type.
std::string typeOf(const Json &model) {
  if (!member(model, "type").is_null())
    return textOf(model, "type");
  if (member(model, "merges").is_array())
    return "BPE";
  if (member(model, "vocab").is_array())
    return "Unigram";
  return member(model, "continuing_subword_prefix").is_null() ? "WordLevel" : "WordPiece";
}

class TokenizerReader {
public:
  TokenizerReader(const std::string &path, const HfConfig &modelConfig, const Json &document)
      : file(path), config(modelConfig), json(document), model(member(document, "model")) {}

  Result<isa::Tokenizer> run() {
    out.model = "pipeline";
    out.addSpacePrefix = false; // the description says
    readVocabulary();
    readMerges();
    readAddedTokens();
    readUnknown();
    if (error)
      return *error;
    out.pipeline = description();
    out.bos = static_cast<std::int32_t>(config.bos);
    out.eos = static_cast<std::int32_t>(config.eos);
    out.ends = config.ends;
    auto usable = text::Tokenizer::create(out);
    if (!usable)
      return Error{file, usable.error().message + kWithout};
    out.addBos = (*usable)->addsBos();
    out.bos = (*usable)->bos();
    return std::move(out);
  }

private:
  void fail(const std::string &message) {
    if (!error)
      error = Error{file, message};
  }
  void malformed(const std::string &what) { fail(what + kFetchAgain); }

  /// Stores a token. Ids without a row in the embedding are kept: they cannot be fed, and nothing else is wrong.
  std::optional<std::size_t> put(const Json &id, const std::string &text, TokenType type) {
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() >= kMaxVocabulary) {
      malformed("token " + quote(text) + " must have an id below " + std::to_string(kMaxVocabulary));
      return {};
    }
    auto index = id.get<std::size_t>();
    makeRoom(index + 1);
    out.tokens[index] = text;
    out.types[index] = static_cast<std::int32_t>(type);
    return index;
  }

  void makeRoom(std::size_t size) {
    for (std::size_t id = out.tokens.size(); id < size; ++id)
      out.tokens.push_back("[PAD" + std::to_string(id) + "]");
    out.types.resize(out.tokens.size(), static_cast<std::int32_t>(TokenType::Unused));
  }

  void readVocabulary() {
    type = typeOf(model);
    static constexpr std::array kTypes = {"BPE", "Unigram", "WordPiece", "WordLevel"};
    if (!model.is_object() || std::ranges::find(kTypes, type) == kTypes.end())
      return fail("tokenizer model " + quote(model.is_object() ? type : "") +
                  " is not supported (\"BPE\", \"Unigram\", \"WordPiece\" and \"WordLevel\" are)" + kWithout);
    makeRoom(config.shape.vocabulary);
    const Json &vocabulary = member(model, "vocab");
    if (type == "Unigram")
      return readScored(vocabulary);
    if (!vocabulary.is_object())
      return malformed("model.vocab must be a map of tokens");
    for (const auto &[text, id] : vocabulary.items())
      putPiece(id, text);
  }

  /// A list of [piece, score], whose ids are their places.
  void readScored(const Json &list) {
    if (!list.is_array())
      return malformed("model.vocab must be a list of tokens and scores");
    for (const Json &piece : list) {
      if (!piece.is_array() || piece.size() != 2 || !piece[0].is_string() || !piece[1].is_number())
        return malformed("token " + std::to_string(out.scores.size()) + " of model.vocab must be a text and a score");
      putPiece(Json(out.scores.size()), piece[0].get<std::string>());
      out.scores.push_back(piece[1].get<float>());
      if (error)
        return;
    }
  }

  void putPiece(const Json &id, const std::string &text) {
    bool isByte = flagOf(model, "byte_fallback") && text.size() == 6 && text.starts_with("<0x") && text.ends_with(">");
    if (auto index = put(id, text, isByte ? TokenType::Byte : TokenType::Normal))
      idOf[text] = static_cast<std::int32_t>(*index);
  }

  /// A merge is "left right", or ["left", "right"] in newer files.
  void readMerges() {
    const Json &merges = member(model, "merges");
    if (error || type != "BPE")
      return;
    if (!merges.is_array())
      return malformed("model.merges must be a list");
    for (std::size_t i = 0; i < merges.size() && !error; ++i)
      readMerge(i, merges[i]);
  }

  void readMerge(std::size_t number, const Json &merge) {
    std::string left, right;
    if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      left = merge[0].get<std::string>();
      right = merge[1].get<std::string>();
    } else if (merge.is_string()) {
      const auto &both = merge.get_ref<const std::string &>();
      std::size_t space = both.find(' ');
      left = both.substr(0, space);
      right = space == std::string::npos ? "" : both.substr(space + 1);
    }
    if (left.empty() || right.empty())
      return malformed("merge " + std::to_string(number) + " must be two tokens");
    std::string prefix = textOf(model, "continuing_subword_prefix");
    std::string joined = left + (right.starts_with(prefix) ? right.substr(prefix.size()) : right);
    for (const std::string &token : {left, right, joined})
      if (!idOf.contains(token))
        return malformed("merge " + std::to_string(number) + " needs " + quote(token) +
                         ", which is not in the vocabulary");
    out.mergePairs.push_back(idOf[left]);
    out.mergePairs.push_back(idOf[right]);
  }

  void readAddedTokens() {
    const Json &added = member(json, "added_tokens");
    for (const Json &token : added.is_array() ? added : Json::array()) {
      auto index = put(member(token, "id"), textOf(token, "content"),
                       flagOf(token, "special") ? TokenType::Control : TokenType::UserDefined);
      if (!index)
        return;
      idOf.try_emplace(textOf(token, "content"), static_cast<std::int32_t>(*index));
    }
    if (!out.scores.empty())
      out.scores.resize(out.tokens.size(), 0.0f);
  }

  void readUnknown() {
    const Json &id = member(model, "unk_id");
    if (auto found = idOf.find(textOf(model, "unk_token")); found != idOf.end())
      out.unknown = found->second;
    else if (type == "Unigram" && id.is_number_unsigned() && id.get<std::uint64_t>() < out.tokens.size())
      out.unknown = id.get<std::int32_t>();
    if (out.unknown >= 0)
      out.types[static_cast<std::size_t>(out.unknown)] = static_cast<std::int32_t>(TokenType::Unknown);
  }

  /// All of the file that the tables do not hold.
  std::string description() const {
    Json description{{"model", {{"type", type}}}, {"added_tokens", Json::array()}};
    for (const auto &[key, value] : model.items())
      if (value.is_primitive())
        description["model"][key] = value;
    for (const char *stage : {"normalizer", "pre_tokenizer", "post_processor", "decoder"})
      description[stage] = member(json, stage);
    const Json &added = member(json, "added_tokens");
    for (Json token : added.is_array() ? added : Json::array()) {
      token.erase("content");
      description["added_tokens"].push_back(std::move(token));
    }
    return description.dump();
  }

  const std::string &file;
  const HfConfig &config;
  const Json &json, &model;
  std::string type;
  std::optional<Error> error;
  isa::Tokenizer out;
  std::unordered_map<std::string, std::int32_t> idOf; ///< of the model's own tokens first
};

/// A token as a text, or as a map with its content.
std::string tokenText(const Json &at) { return at.is_string() ? at.get<std::string>() : textOf(at, "content"); }

/// A template, or a list of them with names, of which "default" is meant for chats.
std::string chatTemplateOf(const Json &at) {
  if (at.is_string())
    return at.get<std::string>();
  for (const Json &named : at.is_array() ? at : Json::array())
    if (textOf(named, "name") == "default")
      return textOf(named, "template");
  return "";
}

} // namespace

Result<isa::Tokenizer> parseHfTokenizer(std::string_view text, const std::string &path, const HfConfig &config) {
  auto json = parseJson(text, path);
  if (!json)
    return json.error();
  return TokenizerReader(path, config, *json).run();
}

Status parseGenerationConfig(std::string_view text, const std::string &path, std::uint32_t vocabulary,
                             isa::Tokenizer &tokenizer) {
  auto json = parseJson(text, path);
  if (!json)
    return json.error();
  const Json &value = member(*json, "eos_token_id");
  for (const Json &id : value.is_array() ? value : Json::array({value}))
    if (id.is_number_unsigned() && id.get<std::uint64_t>() < vocabulary) // others are never generated
      tokenizer.ends.push_back(id.get<std::int32_t>());
  return Ok{};
}

Status parseTokenizerConfig(std::string_view text, const std::string &path, isa::Tokenizer &tokenizer) {
  auto json = parseJson(text, path);
  if (!json)
    return json.error();
  if (const Json &chat = member(*json, "chat_template"); !chat.is_null())
    tokenizer.chatTemplate = chatTemplateOf(chat);
  std::string end = tokenText(member(*json, "eos_token"));
  auto found = std::ranges::find(tokenizer.tokens, end);
  if (!end.empty() && found != tokenizer.tokens.end())
    tokenizer.ends.push_back(static_cast<std::int32_t>(found - tokenizer.tokens.begin()));
  return Ok{};
}

} // namespace lpu::compiler
