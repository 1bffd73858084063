// The file is one message of protobuf (sentencepiece_model.proto of that project). Its few fields are read by number,
// here: protobuf's library and SentencePiece's, which is the tests' oracle, do not get on in one process.
// The rest of a tokenizer, which other folders describe in tokenizer.json, is written as such a description.

#include "SentencePieceFile.h"

#include "ModelTensors.h"
#include "ParseJson.h"
#include "lpu/compiler/Import/GgufFile.h"
#include "lpu/isa/Base64.h"
#include "lpu/text/Tokenizer.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <functional>
#include <set>

namespace lpu::compiler {
namespace {

using Json = nlohmann::json;
using text::TokenType;

constexpr const char *kFetchAgain = "; fetch the model again";

/// A field of a message: a number, or bytes.
struct Field {
  std::uint64_t number = 0, value = 0;
  std::string_view bytes;
  float real() const { return std::bit_cast<float>(static_cast<std::uint32_t>(value)); }
  std::int32_t whole() const { return static_cast<std::int32_t>(value); }
};

/// Takes a number from the front: seven bits a byte, the lowest first, until a byte is below 128.
bool takeVarint(std::string_view &from, std::uint64_t &out) {
  out = 0;
  for (unsigned shift = 0; shift < 64 && !from.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(from.front());
    from.remove_prefix(1);
    out |= std::uint64_t{byte & 127U} << shift;
    if (byte < 128)
      return true;
  }
  return false;
}

bool takeBytes(std::string_view &from, std::uint64_t size, std::string_view &out) {
  if (size > from.size())
    return false;
  out = from.substr(0, size);
  from.remove_prefix(size);
  return true;
}

/// A field is its number and its kind (0: a number, 1: eight bytes, 2: bytes with their length, 5: four bytes), then
/// its content.
bool takeField(std::string_view &from, Field &out) {
  std::uint64_t tag = 0, size = 0;
  if (!takeVarint(from, tag))
    return false;
  out.number = tag >> 3;
  switch (tag & 7) {
  case 0:
    return takeVarint(from, out.value);
  case 1:
    return takeBytes(from, 8, out.bytes);
  case 2:
    return takeVarint(from, size) && takeBytes(from, size, out.bytes);
  case 5: {
    std::uint32_t word = 0;
    if (!takeBytes(from, sizeof(word), out.bytes))
      return false;
    std::memcpy(&word, out.bytes.data(), sizeof(word));
    return out.value = word, true;
  }
  default:
    return false;
  }
}

/// `take` gets each field. False: the message is damaged.
bool readMessage(std::string_view message, const std::function<bool(const Field &)> &take) {
  while (!message.empty()) {
    Field field;
    if (!takeField(message, field) || !take(field))
      return false;
  }
  return true;
}

/// What the file says, apart from its pieces.
struct Settings {
  std::int32_t model = 1; ///< 1: unigram, 2: byte pairs; words (3) and characters (4) are not read
  bool byteFallback = false, suffix = false;
  std::int32_t unknown = 0, bos = 1, eos = 2;
  std::string_view charsmap;
  bool prefix = true, merges = true, escapes = true;
};

bool readTrainer(std::string_view message, Settings &out) {
  return readMessage(message, [&](const Field &field) {
    switch (field.number) {
    case 3:
      return out.model = field.whole(), true;
    case 24:
      return out.suffix = field.value != 0, true;
    case 35:
      return out.byteFallback = field.value != 0, true;
    case 40:
      return out.unknown = field.whole(), true;
    case 41:
      return out.bos = field.whole(), true;
    case 42:
      return out.eos = field.whole(), true;
    default:
      return true;
    }
  });
}

bool readNormalizer(std::string_view message, Settings &out) {
  return readMessage(message, [&](const Field &field) {
    switch (field.number) {
    case 2:
      return out.charsmap = field.bytes, true;
    case 3:
      return out.prefix = field.value != 0, true;
    case 4:
      return out.merges = field.value != 0, true;
    case 5:
      return out.escapes = field.value != 0, true;
    default:
      return true;
    }
  });
}

class SentencePieceReader {
public:
  SentencePieceReader(const std::string &path, const HfConfig &modelConfig) : file(path), config(modelConfig) {}

  Result<isa::Tokenizer> run(std::string_view bytes, const Json &json) {
    if (Status read = readFile(bytes); !read)
      return read.error();
    if (Status added = addTokens(json); !added)
      return added.error();
    out.model = "pipeline", out.addSpacePrefix = false;
    const auto size = static_cast<std::int32_t>(out.tokens.size());
    auto known = [&](std::int32_t id) { return id >= 0 && id < size ? id : -1; };
    out.unknown = known(said.unknown);
    out.bos = known(config.bos >= 0 ? static_cast<std::int32_t>(config.bos) : said.bos);
    out.eos = known(config.eos >= 0 ? static_cast<std::int32_t>(config.eos) : said.eos);
    out.ends = config.ends;
    if (out.ends.empty() && out.eos >= 0)
      out.ends = {out.eos};
    out.pipeline = description(json).dump();
    auto usable = text::Tokenizer::create(out);
    if (!usable)
      return Error{file, usable.error().message + "; use another model, or remove the file to work with token ids"};
    out.addBos = (*usable)->addsBos();
    return std::move(out);
  }

private:
  Status readFile(std::string_view bytes) {
    if (bytes.starts_with("IQ== 0"))
      return Error{file, "is a vocabulary of tiktoken, which does not say how text is split; use the model's "
                         "tokenizer.json (transformers: save_pretrained), or remove the file to work with token ids"};
    bool isWhole = readMessage(bytes, [&](const Field &field) {
      return field.number == 1   ? readPiece(field.bytes)
             : field.number == 2 ? readTrainer(field.bytes, said)
             : field.number == 3 ? readNormalizer(field.bytes, said)
                                 : true;
    });
    if (!isWhole || out.tokens.empty())
      return Error{file, std::string("is no vocabulary of SentencePiece, or damaged") + kFetchAgain};
    if (said.model != 1 && said.model != 2)
      return Error{file, "is a SentencePiece vocabulary of words or characters (model type " +
                             std::to_string(said.model) +
                             "), unigram and BPE are supported; remove the file to work with token ids"};
    pieces = out.tokens.size();
    makeRoom(config.shape.vocabulary);
    return Ok{};
  }

  bool readPiece(std::string_view message) {
    std::string_view text;
    float score = 0;
    std::int32_t type = 1;
    bool isWhole = readMessage(message, [&](const Field &field) {
      if (field.number == 1)
        text = field.bytes;
      else if (field.number == 2)
        score = field.real();
      else if (field.number == 3)
        type = field.whole();
      return true;
    });
    if (!isWhole || type < 1 || type > 6 || out.tokens.size() >= kMaxVocabulary)
      return false;
    out.tokens.emplace_back(text), out.scores.push_back(score), out.types.push_back(type); // numbered as GGUF's are
    return true;
  }

  void makeRoom(std::size_t size) {
    for (std::size_t id = out.tokens.size(); id < size; ++id)
      out.tokens.push_back("[PAD" + std::to_string(id) + "]");
    out.types.resize(out.tokens.size(), static_cast<std::int32_t>(TokenType::Unused));
    out.scores.resize(out.tokens.size(), 0.0f);
  }

  /// "added_tokens_decoder" of tokenizer_config.json: tokens by their ids, some of them pieces of the file.
  Status addTokens(const Json &json) {
    const auto list = json.find("added_tokens_decoder");
    if (list == json.end() || !list->is_object())
      return Ok{};
    for (const auto &[key, token] : list->items()) {
      const bool isNumber =
          !key.empty() && key.size() < 8 && std::ranges::all_of(key, [](char c) { return c >= '0' && c <= '9'; });
      const std::size_t id = isNumber ? std::stoul(key) : kMaxVocabulary;
      if (id >= kMaxVocabulary || !token.is_object() || !token.contains("content") || !token["content"].is_string())
        return Error{file, "has an added token " + quote(key) +
                               " in tokenizer_config.json, which must be an id below " +
                               std::to_string(kMaxVocabulary) + " with its content" + kFetchAgain};
      makeRoom(id + 1);
      const bool isSpecial = token.value("special", Json(false)) == true;
      if (id < pieces && out.types[id] == static_cast<std::int32_t>(TokenType::Unknown))
        continue;
      out.tokens[id] = token["content"].get<std::string>();
      out.types[id] = static_cast<std::int32_t>(isSpecial ? TokenType::Control : TokenType::UserDefined);
      Json entry = token;
      entry.erase("content");
      entry["id"] = id, entry["normalized"] = false;
      added.push_back(std::move(entry));
      listed.insert(id);
    }
    return Ok{};
  }

  /// Pieces that are no parts of words are added tokens: the library's own are found in what its normalizer leaves.
  Json addedTokens() const {
    Json list = added;
    for (std::size_t id = 0; id < pieces; ++id) {
      const auto type = static_cast<TokenType>(out.types[id]);
      const bool isListed = listed.contains(id);
      if (isListed || out.tokens[id].empty())
        continue;
      if (type == TokenType::UserDefined)
        list.push_back({{"id", id}, {"normalized", true}, {"verbatim", true}});
      else if (type == TokenType::Control || type == TokenType::Unknown)
        list.push_back({{"id", id}, {"special", true}});
    }
    return list;
  }

  Json description(const Json &json) const {
    Json model{{"type", said.model == 2 ? "SentencePiece" : "Unigram"}, {"byte_fallback", said.byteFallback}};
    Json normalizer{{"type", "SentencePiece"},
                    {"precompiled_charsmap", toBase64(said.charsmap)},
                    {"add_dummy_prefix", said.prefix},
                    {"remove_extra_whitespaces", said.merges},
                    {"escape_whitespaces", said.escapes},
                    {"treat_whitespace_as_suffix", said.suffix}};
    Json decoder{{"type", "Sequence"},
                 {"decoders", {{{"type", "ByteFallback"}}, {{"type", "Metaspace"}, {"replacement", "\xE2\x96\x81"}}}}};
    Json single = Json::array({{{"Sequence", {{"id", "A"}}}}}), special = Json::object();
    auto put = [&](const char *key, bool usual, std::int32_t id, Json::iterator at) {
      const Json asked = json.value(key, Json());
      if (id < 0 || !(asked.is_boolean() ? asked.get<bool>() : usual))
        return;
      single.insert(at, Json{{"SpecialToken", {{"id", key}}}});
      special[key] = {{"ids", {id}}};
    };
    put("add_bos_token", true, out.bos, single.begin());
    put("add_eos_token", false, out.eos, single.end());
    Json processor{{"type", "TemplateProcessing"}, {"single", single}, {"special_tokens", special}};
    return {{"model", model},     {"normalizer", normalizer},    {"pre_tokenizer", nullptr},
            {"decoder", decoder}, {"post_processor", processor}, {"added_tokens", addedTokens()}};
  }

  const std::string &file;
  const HfConfig &config;
  Settings said;
  isa::Tokenizer out;
  std::size_t pieces = 0; ///< of the file itself
  Json added = Json::array();
  std::set<std::size_t> listed; ///< their ids
};

} // namespace

Result<isa::Tokenizer> parseSentencePiece(std::string_view bytes, const std::string &path, std::string_view settings,
                                          const HfConfig &config) {
  Json json = Json::object();
  if (!settings.empty()) {
    auto read = parseJson(std::string(settings), path);
    if (!read)
      return read.error();
    if (read->is_object())
      json = std::move(*read);
  }
  return SentencePieceReader(path, config).run(bytes, json);
}

} // namespace lpu::compiler
