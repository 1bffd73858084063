// Control tokens in what users write are broken by a mark that the text is cut at again before it is encoded: so their
// spelling stays, and its pieces are text. The mark is a noncharacter, which no text may contain.
#include "Prompt.h"

#include <fmt/format.h>

#include <algorithm>

namespace lpu::serve {
namespace {

constexpr std::string_view kMark = "\xEF\xB7\x90"; // U+FDD0

void replaceAll(std::string &text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

/// A mark behind the first byte of every special token's spelling; they begin with ASCII in all vocabularies at hand.
std::string guarded(const Model &model, std::string text) {
  replaceAll(text, kMark, "\xEF\xBF\xBD");
  for (const std::string &special : model.specialTokens()) {
    std::string broken = special;
    broken.insert(1, kMark);
    replaceAll(text, special, broken);
  }
  return text;
}

/// The messages' texts, a line each: what base models continue.
std::string plain(const std::vector<Message> &messages) {
  std::string text;
  for (const Message &message : messages)
    text += (text.empty() ? "" : "\n") + message.content;
  return text;
}

bool hasTemplate(const Model &model, const TemplateRenderer *renderer) {
  return renderer && !model.chatTemplate().empty();
}

OrRefusal<std::string> rendered(const Model &model, std::vector<Message> messages, TemplateRenderer &renderer) {
  for (Message &message : messages)
    message.content = guarded(model, std::move(message.content));
  const text::Tokenizer &tokenizer = *model.tokenizer();
  auto text = renderer.render({model.chatTemplate(), std::move(messages), std::string(tokenizer.piece(tokenizer.bos())),
                               std::string(tokenizer.piece(tokenizer.eos()))});
  if (!text)
    return Refusal{400, "the model's chat template does not take these messages: " + text.error().message, "messages",
                   "template_error"};
  return *text;
}

/// Pieces between marks; what the template wrote may become special tokens. A BOS that the template writes is the only
/// one.
Result<std::vector<TokenId>> encodeRendered(const text::Tokenizer &tokenizer, std::string_view text) {
  std::vector<TokenId> ids;
  const std::string_view bos = tokenizer.piece(tokenizer.bos());
  if (tokenizer.addsBos() && !text.starts_with(bos))
    ids.push_back(tokenizer.bos());
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(kMark), text.size());
    auto piece = tokenizer.encode(text.substr(0, end), {.special = true});
    if (!piece)
      return piece.error();
    ids.insert(ids.end(), piece->begin(), piece->end());
    text.remove_prefix(std::min(end + kMark.size(), text.size()));
  }
  return ids;
}

Result<std::vector<TokenId>> encodeChat(const Model &model, const std::string &text, bool isTemplate) {
  return isTemplate ? encodeRendered(*model.tokenizer(), text) : model.tokenizer()->encodePrompt(text);
}

} // namespace

OrRefusal<std::string> chatText(const Model &model, const std::vector<Message> &messages, TemplateRenderer *renderer) {
  if (!model.tokenizer())
    return Refusal{400, fmt::format("model '{}' has no vocabulary; give token ids to /v1/completions", model.name()),
                   "messages", ""};
  return hasTemplate(model, renderer) ? rendered(model, messages, *renderer) : plain(messages);
}

static void fit(const Model &model, Prepared &prepared) {
  const std::size_t context = model.timing().context();
  for (std::vector<TokenId> &prompt : prepared.prompts)
    if (prepared.request.truncate && prompt.size() > context)
      prompt.erase(prompt.begin() + static_cast<std::ptrdiff_t>(context) - 1, prompt.end() - 1); // the last one ends it
  Request &request = prepared.request;
  if (request.clip && request.maxTokens && prepared.prompts.size() == 1 && prepared.prompts[0].size() <= context)
    request.maxTokens = std::min<std::uint64_t>(*request.maxTokens, context - prepared.prompts[0].size() + 1);
}

OrRefusal<Prepared> tokenize(const Model &model, Request request, TemplateRenderer *renderer) {
  Prepared prepared{std::move(request), {}};
  if (prepared.request.task == Task::Chat && !prepared.request.messages.empty()) {
    auto text = chatText(model, prepared.request.messages, renderer);
    if (!text)
      return text.refusal();
    auto ids = encodeChat(model, *text, hasTemplate(model, renderer));
    if (!ids)
      return Refusal{400, ids.error().message, "messages", ""};
    prepared.prompts.push_back(std::move(*ids));
  }
  const char *param = prepared.request.task == Task::Embedding ? "input" : "prompt";
  for (const Prompt &prompt : prepared.request.prompts) {
    if (const auto *ids = std::get_if<std::vector<TokenId>>(&prompt)) {
      prepared.prompts.push_back(*ids);
      continue;
    }
    if (!model.tokenizer())
      return Refusal{400, fmt::format("model '{}' has no vocabulary; give token ids", model.name()), param, ""};
    auto ids = model.tokenizer()->encodePrompt(std::get<std::string>(prompt));
    if (!ids)
      return Refusal{400, ids.error().message, param, ""};
    prepared.prompts.push_back(std::move(*ids));
  }
  fit(model, prepared);
  return prepared;
}

} // namespace lpu::serve
