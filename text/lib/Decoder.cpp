// Decoders, token by token, so that text can be shown as it is generated.
#include "Decoder.h"

#include "ByteAlphabet.h"
#include "Vocabulary.h"

namespace lpu::text {
namespace {

DecodeStep wordPiece(Fields &fields) {
  return [prefix = fields.text("prefix", "##")](std::string &token, bool isAdded) {
    if (!isAdded && !prefix.empty() && token.starts_with(prefix))
      token.erase(0, prefix.size());
    else
      token.insert(0, 1, ' ');
  };
}

constexpr StepKind<DecodeStep> kKinds[] = {
    {"ByteLevel", [](Fields &) { return bytesFromAlphabet(); }},
    {"ByteFallback", [](Fields &) { return bytesFromFallback(); }},
    {"Metaspace", [](Fields &fields) { return respell(fields.text("replacement", "\xE2\x96\x81"), " "); }},
    {"Replace",
     [](Fields &fields) {
       const Json &from = member(fields["pattern"], "String");
       if (!from.is_string())
         fields.fail("needs a String as 'pattern'");
       return respell(from.is_string() ? from.get<std::string>() : "", fields.text("content"));
     }},
    {"WordPiece", wordPiece},
    {"BPEDecoder", [](Fields &fields) { return respell(fields.text("suffix", "</w>"), " "); }},
    {"Strip", [](Fields &) { return DecodeStep([](std::string &, bool) {}); }},
    {"Fuse", [](Fields &) { return DecodeStep([](std::string &, bool) {}); }},
};

} // namespace

DecodeStep respell(std::string from, std::string to) {
  return [from = std::move(from), to = std::move(to)](std::string &token, bool) {
    for (std::size_t at = 0; !from.empty() && (at = token.find(from, at)) != std::string::npos; at += to.size())
      token.replace(at, from.size(), to);
  };
}

DecodeStep bytesFromFallback() {
  return [](std::string &token, bool isAdded) {
    if (int byte = isAdded ? -1 : byteOfPiece(token); byte >= 0)
      token.assign(1, static_cast<char>(byte));
  };
}

DecodeStep bytesFromAlphabet() {
  return [](std::string &token, bool isAdded) {
    if (!isAdded)
      token = bytesOfPrintable(token);
  };
}

Status readDecoder(const Json &at, std::vector<DecodeStep> &out) {
  return readSteps<DecodeStep>(at, {"decoder", "decoders"}, kKinds, out);
}

} // namespace lpu::text
