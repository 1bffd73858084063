// Steps that rewrite text by SentencePiece's map of characters.
#pragma once

#include "Normalizer.h"

namespace lpu::text {

/// "Precompiled" of Hugging Face's library.
Normalizer precompiled(Fields &fields);
/// "SentencePiece", a step of this project's own: all that a tokenizer.model says of normalizing, as that library does
/// it. Fields are the map (base64) and the names of its settings.
Normalizer sentencePieceRules(Fields &fields);

} // namespace lpu::text
