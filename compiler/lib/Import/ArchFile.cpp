// Shapes as YAML. Strict like machine descriptions: a key that is misspelt or
// missing is an error, because every prediction hangs on these numbers.

#include "ArchFile.h"

#include "ModelTensors.h"
#include "lpu/compiler/Import/GgufFile.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <optional>
#include <set>
#include <variant>

namespace lpu::compiler {
namespace {

using Member = std::variant<std::uint32_t ModelShape::*, double ModelShape::*, float ModelShape::*, bool ModelShape::*,
                            std::string ModelShape::*>;
struct ArchKey {
  std::string_view name;
  Member member;
  double low = 0, high = 0; ///< numbers only, inclusive
  enum { All, Decoder, Encoder } of = All;
  bool isOptional = false;
};

const ArchKey kKeys[] = {
    {"name", &ModelShape::name},
    {"source", &ModelShape::origin},
    {"architecture", &ModelShape::architecture},
    {"layers", &ModelShape::layers, 1, kMaxLayers},
    {"hidden", &ModelShape::hidden, 1, kMaxWidth},
    {"heads", &ModelShape::heads, 1, kMaxWidth},
    {"kv_heads", &ModelShape::kvHeads, 1, kMaxWidth, ArchKey::Decoder},
    {"head_dim", &ModelShape::headDim, 2, kMaxWidth, ArchKey::Decoder},
    {"rotary", &ModelShape::rotary, 2, kMaxWidth, ArchKey::Decoder, true},
    {"ffn", &ModelShape::ffn, 1, kMaxWidth},
    {"vocabulary", &ModelShape::vocabulary, 1, kMaxVocabulary},
    {"context", &ModelShape::context, 1, kMaxContext},
    {"norm_eps", &ModelShape::eps, 1e-30, 1},
    {"rope_base", &ModelShape::ropeBase, 1, 1e12, ArchKey::Decoder},
    {"window", &ModelShape::window, 1, kMaxContext, ArchKey::Decoder, true},
    {"rope_scale", &ModelShape::ropeScale, 1.0 / 1024, 1024 * 1024, ArchKey::Decoder, true},
    {"tied_embeddings", &ModelShape::tied, 0, 0, ArchKey::Decoder},
    {"token_types", &ModelShape::tokenTypes, 1, 65536, ArchKey::Encoder},
};

/// Parses one document; the first error wins.
class Parser {
public:
  explicit Parser(const std::string &fileName) : file(fileName) {}

  Result<ModelShape> run(std::string_view yaml) {
    try {
      const YAML::Node root = YAML::Load(std::string(yaml));
      if (readKeys(root) && checkAcross(root))
        return shape;
    } catch (const YAML::Exception &e) {
      fail(e.mark.line, "not valid YAML: " + firstLine(e.msg));
    } catch (const std::exception &e) {
      fail(0, "not valid YAML: " + firstLine(e.what()));
    }
    return *error;
  }

private:
  static std::string firstLine(const std::string &text) { return text.substr(0, text.find('\n')); }
  bool fail(int line, std::string message) {
    if (!error)
      error = Error{file + ":" + std::to_string(line < 0 ? 1 : line + 1), std::move(message)};
    return false;
  }
  bool fail(const YAML::Node &node, std::string message) { return fail(node.Mark().line, std::move(message)); }

  bool readKeys(const YAML::Node &root) {
    if (!root.IsMap())
      return fail(root, "a model's shape must be a map of keys, see models/arch for examples");
    std::set<std::string> seen;
    for (const auto &entry : root) {
      std::string name = entry.first.IsScalar() ? entry.first.Scalar() : "";
      auto key = std::ranges::find(kKeys, name, &ArchKey::name);
      if (key == std::end(kKeys))
        return fail(entry.first, "unknown key " + quote(name) + "; docs/howto/compile-a-shape.md lists the keys");
      if (!seen.insert(name).second)
        return fail(entry.first, "key " + quote(name) + " appears twice; remove one");
      if (!readValue(*key, entry.first, entry.second.IsScalar() ? entry.second.Scalar() : ""))
        return false;
    }
    auto other = shape.architecture == kBert ? ArchKey::Decoder : ArchKey::Encoder;
    for (const ArchKey &key : kKeys)
      if (key.of == other && seen.contains(std::string(key.name)))
        return fail(root[std::string(key.name)], "key " + quote(key.name) + " says nothing about architecture " +
                                                     quote(shape.architecture) + "; remove it");
    for (const ArchKey &key : kKeys)
      if (key.of != other && !key.isOptional && !seen.contains(std::string(key.name)))
        return fail(root, "key " + quote(key.name) + " is missing; add it");
    return true;
  }

  bool readValue(const ArchKey &key, const YAML::Node &at, const std::string &text) {
    if (auto *member = std::get_if<std::string ModelShape::*>(&key.member))
      return !(shape.**member = text).empty() || fail(at, "key " + quote(key.name) + " must be a text");
    if (auto *member = std::get_if<bool ModelShape::*>(&key.member)) {
      shape.**member = text == "true";
      return text == "true" || text == "false" || fail(at, "key " + quote(key.name) + " must be true or false");
    }
    if (auto *member = std::get_if<std::uint32_t ModelShape::*>(&key.member))
      return readNumber<std::uint32_t>(key, at, text, shape.**member);
    if (auto *member = std::get_if<float ModelShape::*>(&key.member))
      return readNumber<float>(key, at, text, shape.**member);
    return readNumber<double>(key, at, text, shape.*std::get<double ModelShape::*>(key.member));
  }

  template <typename T> bool readNumber(const ArchKey &key, const YAML::Node &at, const std::string &text, T &value) {
    auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failed == std::errc::invalid_argument || end != text.data() + text.size() || text.empty())
      return fail(at,
                  "key " + quote(key.name) + (std::is_integral_v<T> ? " must be a whole number" : " must be a number"));
    if (failed == std::errc() && static_cast<double>(value) >= key.low && static_cast<double>(value) <= key.high)
      return true;
    return fail(at, "key " + quote(key.name) + " is " + text + ", out of range; " + bound(key.low) + " to " +
                        bound(key.high) + " is possible");
  }
  static std::string bound(double value) {
    char text[32];
    auto end = std::to_chars(text, text + sizeof text, value).ptr;
    return {text, end};
  }

  bool checkAcross(const YAML::Node &root) {
    if (shape.architecture == kBert) {
      if (shape.hidden % shape.heads)
        return fail(root["heads"], "key \"heads\" is " + std::to_string(shape.heads) +
                                       ", which does not divide the width of " + std::to_string(shape.hidden));
      shape.kvHeads = shape.heads, shape.headDim = shape.hidden / shape.heads;
      return true;
    }
    const Family *family = applyFamily(shape);
    if (!family)
      return fail(root["architecture"],
                  "architecture " + quote(shape.architecture) + " is not supported; " + supportedArchitectures());
    if (shape.heads % shape.kvHeads)
      return fail(root["kv_heads"], "key \"kv_heads\" is " + std::to_string(shape.kvHeads) +
                                        ", which does not divide the " + std::to_string(shape.heads) + " heads");
    if (shape.headDim % 2)
      return fail(root["head_dim"],
                  "key \"head_dim\" is " + std::to_string(shape.headDim) + "; rope needs an even width");
    setStillLayers(shape, family->stillEvery);
    if (family->windowedBut && !shape.window)
      return fail(root,
                  "key \"window\" is missing, which architecture " + quote(shape.architecture) + " needs; add it");
    setWindows(shape, shape.window, family->windowedBut);
    setFactors(shape, *family);
    shape.ropeFreqs |= shape.ropeScale != 1;
    if (shape.rotary)
      if (auto problem = setRotary(shape, *family, shape.rotary))
        return fail(root["rotary"], "key \"rotary\": " + *problem);
    if (std::uint64_t{shape.heads} * shape.headDim > kMaxWidth)
      return fail(root["heads"], std::to_string(shape.heads) + " heads of " + std::to_string(shape.headDim) +
                                     " pass the largest width " + std::to_string(kMaxWidth));
    return true;
  }

  const std::string &file;
  ModelShape shape;
  std::optional<Error> error;
};

} // namespace

Result<ModelShape> parseArch(std::string_view yaml, const std::string &fileName) { return Parser(fileName).run(yaml); }

Result<ModelShape> loadArch(const std::string &path) {
  auto file = MappedFile::open(path);
  if (!file)
    return file.error();
  constexpr std::size_t kLargest = 1 << 20; // a shape has a dozen lines
  auto bytes = (*file)->bytes();
  if (bytes.size() > kLargest)
    return Error{path, "has " + std::to_string(bytes.size()) +
                           " bytes, too many for a model's shape; give a file as in models/arch"};
  return parseArch({reinterpret_cast<const char *>(bytes.data()), bytes.size()}, path);
}

} // namespace lpu::compiler
