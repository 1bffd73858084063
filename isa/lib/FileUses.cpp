// Writing replaces a file, so a path given twice by mistake would destroy what was to be read. Two paths are the same
// file when the system says so (links, inodes), or when they resolve to one name (the file need not exist yet).

#include "lpu/isa/FileUses.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <regex>

namespace lpu::isa {
namespace {

namespace fs = std::filesystem;

bool isDeviceOrPipe(const fs::path &path) {
  std::error_code ec;
  return fs::exists(path, ec) && !fs::is_regular_file(path, ec) && !fs::is_directory(path, ec);
}

bool isSameFile(const fs::path &a, const fs::path &b) {
  std::error_code ec;
  if (isDeviceOrPipe(a) || isDeviceOrPipe(b))
    return false;
  if (fs::equivalent(a, b, ec) && !ec)
    return true;
  std::error_code failedA, failedB;
  fs::path realA = fs::weakly_canonical(fs::absolute(a, ec), failedA),
           realB = fs::weakly_canonical(fs::absolute(b, ec), failedB);
  return !failedA && !failedB && realA == realB;
}

/// Files that belong to a model in a folder; reports and programs, which users put beside them, do not.
bool isOfModel(const fs::path &path) {
  static constexpr std::array kWeights = {".safetensors", ".gguf", ".onnx",  ".onnx_data", ".bin", ".pth",
                                          ".pt",          ".npz",  ".model", ".tiktoken",  ".txt", ".jinja"};
  static const std::regex names(".*(config|token|vocab|index|params|modules|special).*\\.json");
  std::string name = path.filename().string(), extension = path.extension().string();
  return std::find(kWeights.begin(), kWeights.end(), extension) != kWeights.end() || std::regex_match(name, names);
}

bool isOfFolder(const fs::path &folder, const fs::path &output) {
  std::error_code ec;
  for (const fs::directory_entry &entry : fs::directory_iterator(folder, ec))
    if (isOfModel(entry.path()) && isSameFile(entry.path(), output))
      return true;
  return false;
}

/// Every part of the split GGUF file that `path` is a part of, or the path alone.
std::vector<fs::path> partsOf(const fs::path &path) {
  static const std::regex part("(.*-)\\d{5}(-of-(\\d{5})\\.gguf)");
  std::string name = path.filename().string();
  std::smatch match;
  if (!std::regex_match(name, match, part))
    return {path};
  std::vector<fs::path> parts;
  for (int i = 1; i <= std::stoi(match[3]); ++i)
    parts.push_back(path.parent_path() / fmt::format("{}{:05}{}", match[1].str(), i, match[2].str()));
  return parts;
}

bool reads(const FileUse &input, const fs::path &output) {
  std::error_code ec;
  if (input.path == "-")
    return isSameFile("/proc/self/fd/0", output);
  if (fs::is_directory(input.path, ec))
    return isOfFolder(input.path, output);
  std::vector<fs::path> parts = partsOf(input.path);
  return std::any_of(parts.begin(), parts.end(), [&](const fs::path &part) { return isSameFile(part, output); });
}

} // namespace

void addUse(std::vector<FileUse> &uses, const std::string &option, const std::string &path) {
  if (!path.empty())
    uses.push_back({option, path});
}

Status checkOutputs(const std::vector<FileUse> &inputs, const std::vector<FileUse> &outputs) {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const FileUse &output = outputs[i];
    for (const FileUse &input : inputs)
      if (reads(input, output.path))
        return Error{output.path, fmt::format("{} would overwrite {}, which is read from this file; write elsewhere",
                                              output.option, input.option)};
    for (std::size_t j = 0; j < i; ++j)
      if (isSameFile(outputs[j].path, output.path))
        return Error{output.path, fmt::format("{} and {} name the same file; give each a file of its own",
                                              outputs[j].option, output.option)};
  }
  return Ok{};
}

} // namespace lpu::isa
