// Steps that rewrite text before it is split.
#pragma once

#include "Steps.h"

namespace lpu::text {

/// Rewrites the text in place. Error: a pattern that takes too long.
using Normalizer = std::function<Status(Text &)>;

/// Puts `before` in front of a text that is not empty.
Normalizer prepend(Text before);
/// Every match becomes `content`.
Normalizer replace(Pattern pattern, Text content);

/// Appends the steps of a description's "normalizer".
Status readNormalizers(const Json &at, std::vector<Normalizer> &out);
Status applyAll(const std::vector<Normalizer> &steps, Text &text);

} // namespace lpu::text
