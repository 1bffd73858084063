// From tokens back to bytes.
#pragma once

#include "Steps.h"

namespace lpu::text {

/// Rewrites a token's text towards the bytes it stands for. Added tokens are spelled plainly, not in the alphabet of
/// bytes.
using DecodeStep = std::function<void(std::string &token, bool isAdded)>;

/// Occurrences of `from` become `to`.
DecodeStep respell(std::string from, std::string to);
DecodeStep bytesFromFallback(); ///< "<0x41>" becomes its byte
DecodeStep bytesFromAlphabet(); ///< characters become the bytes they are printed for

/// Appends the steps of a description's "decoder". What a decoder does at the ends of a text (Strip, Metaspace without
/// the first space, the clean-up of WordPiece) is left out: what is decoded goes on from a prompt.
Status readDecoder(const Json &at, std::vector<DecodeStep> &out);

} // namespace lpu::text
