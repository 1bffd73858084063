// Byte-level vocabularies spell bytes with printable characters.
#pragma once

#include "Text.h"

namespace lpu::text {

/// GPT-2's stand-in for each byte of a text's UTF-8.
Text printable(TextView text);
/// The bytes behind a token's characters; those that stand for none are kept.
std::string bytesOfPrintable(std::string_view token);

} // namespace lpu::text
