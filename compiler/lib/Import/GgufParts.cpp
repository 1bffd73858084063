// Split files: large models come in parts, each a GGUF file with some of the tensors. The first has the model's
// metadata, all say which part they are (split.no), of how many (split.count), and end in -00001-of-00003.gguf.

#include "GgufParts.h"

#include <fmt/format.h>

#include <limits>

namespace lpu::compiler {
namespace {

constexpr std::uint64_t kMostParts = 99999; // as many as names have digits for

/// The name of part `number`, counted from 0, of those that `path` is one of; empty when it is not named like a part.
std::string partName(const std::string &path, std::uint64_t number, std::uint64_t count) {
  constexpr std::size_t kLength = std::string_view("-00001-of-00003.gguf").size();
  if (path.size() < kLength || !path.ends_with(fmt::format("-of-{:05}.gguf", count)))
    return "";
  return fmt::format("{}-{:05}-of-{:05}.gguf", path.substr(0, path.size() - kLength), number + 1, count);
}

/// Number of the part and of all parts; {0, 1} for a file that is not split.
Result<std::pair<std::uint64_t, std::uint64_t>> splitOf(const GgufFile &file) {
  auto number = file.unsignedValue("split.no", kMostParts), count = file.unsignedValue("split.count", kMostParts);
  if (!number || !count)
    return !number ? number.error() : count.error();
  return std::pair(number->value_or(0), std::max<std::uint64_t>(1, count->value_or(1)));
}

} // namespace

Status GgufParts::add(std::shared_ptr<const GgufFile> part) {
  for (const GgufTensor &tensor : part->tensors())
    if (!table.try_emplace(tensor.name, Located{part.get(), &tensor}).second)
      return Error{part->path(),
                   "tensor " + quote(tensor.name) + " is in another part of the split file as well; fetch it again"};
  files.push_back(std::move(part));
  return Ok{};
}

Status GgufParts::addOthers() {
  auto split = splitOf(first());
  if (!split)
    return split.error();
  auto [own, count] = *split;
  if (count == 1)
    return Ok{};
  const std::string &path = first().path();
  std::string what = fmt::format("is part {} of the {} of a split GGUF file; ", own + 1, count),
              begin = partName(path, 0, count);
  if (begin.empty() || partName(path, own, count) != path)
    return Error{path, what + "give the parts the names they had, which end in -00001-of-00003.gguf and so on"};
  if (own != 0)
    return Error{path, what + "give the first one, " + begin};
  for (std::uint64_t i = 1; i < count; ++i) {
    auto part = GgufFile::open(partName(path, i, count));
    if (!part)
      return Error{part.error().place,
                   fmt::format("{} (part {} of the {} of {})", part.error().message, i + 1, count, path)};
    auto found = splitOf(**part);
    if (!found || *found != std::pair(i, count))
      return Error{(*part)->path(),
                   fmt::format("is not part {} of {}, which it is named after; fetch it again", i + 1, count)};
    if (Status ok = add(*part); !ok)
      return ok;
  }
  auto all = first().unsignedValue("split.tensors.count", std::numeric_limits<std::uint32_t>::max());
  if (!all)
    return all.error();
  if (*all && **all != table.size())
    return Error{path,
                 fmt::format("and the other parts hold {} tensors, not the {} of the split file; fetch them again",
                             table.size(), **all)};
  return Ok{};
}

Result<GgufParts> GgufParts::open(const std::string &path) {
  auto file = GgufFile::open(path);
  if (!file)
    return file.error();
  GgufParts parts;
  if (Status ok = parts.add(*file); !ok)
    return ok.error();
  if (Status ok = parts.addOthers(); !ok)
    return ok.error();
  return parts;
}

} // namespace lpu::compiler
