// From messages to token ids.
#pragma once

#include "TemplateRenderer.h"
#include "lpu/serve/Engine.h"

namespace lpu::serve {

/// The token ids of a request's prompts. A chat is what the model's template makes of its messages; without a template,
/// or a renderer (null), it is the messages' texts, a line each. What users write never becomes a control token.
/// Refused: text without a vocabulary, or that the vocabulary or the template cannot express.
OrRefusal<Prepared> tokenize(const Model &model, Request request, TemplateRenderer *renderer);

/// The text that a chat is made of, for people to look at.
OrRefusal<std::string> chatText(const Model &model, const std::vector<Message> &messages, TemplateRenderer *renderer);

} // namespace lpu::serve
