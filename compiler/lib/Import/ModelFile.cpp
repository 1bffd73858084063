// People give what they have: a file of a folder, a checkpoint in another form, a name of a hub. Beginnings of files
// tell what they are; their names only serve advice, and tell parts of a folder from each other.

#include "ModelFile.h"

#include "OnnxFile.h"
#include "lpu/compiler/Import/GgufFile.h"
#include "lpu/compiler/Import/ModelFiles.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <regex>
#include <vector>

namespace lpu::compiler {
namespace {

namespace fs = std::filesystem;

constexpr const char *kConvert =
    "; save it as safetensors (transformers: save_pretrained) and give the folder, or convert it to GGUF";

bool isThere(const fs::path &path) {
  std::error_code failed;
  return fs::exists(path, failed);
}

std::string beginning(const std::string &path) {
  std::array<char, 64> buffer = {};
  std::ifstream file(path, std::ios::binary);
  file.read(buffer.data(), buffer.size());
  return {buffer.data(), static_cast<std::size_t>(file.gcount())};
}

/// Names of the files of a folder that end so.
std::vector<std::string> namesIn(const fs::path &folder, std::string_view extension) {
  std::vector<std::string> names;
  std::error_code failed;
  for (const auto &entry : fs::directory_iterator(folder, failed))
    if (entry.path().extension() == extension)
      names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

std::string folderOf(const std::string &path) {
  std::string folder = fs::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

Error adapterError(const std::string &path) {
  return {path, "is an adapter (LoRA), changes to a model that is elsewhere; merge it into that model (peft: "
                "merge_and_unload), save the result and give its folder"};
}

Result<ModelFile> recognizeFolder(const std::string &path) {
  fs::path folder(path);
  bool hasSafetensors = !namesIn(folder, ".safetensors").empty();
  if (isThere(folder / "config.json") && hasSafetensors)
    return ModelFile{ModelForm::HuggingFace, path};
  if (isThere(folder / "adapter_config.json"))
    return adapterError(path);
  for (const char *extension : {".gguf", ".onnx"})
    if (auto names = namesIn(folder, extension); !names.empty())
      return Error{path, "is a folder that holds " + quote(names.front()) + (names.size() > 1 ? " and others" : "") +
                             "; give the file itself"};
  for (const char *extension : {".bin", ".pth", ".pt"})
    if (auto names = namesIn(folder, extension); !names.empty())
      return Error{path, "holds a checkpoint of PyTorch (" + quote(names.front()) + ") and no safetensors" + kConvert};
  if (isThere(folder / "config.json"))
    return ModelFile{ModelForm::HuggingFace, path}; // whose reader says what is missing
  return Error{path, std::string(hasSafetensors
                                     ? "holds *.safetensors files and no config.json, which tells the model's sizes"
                                     : "is a folder that holds no model") +
                         "; give a folder with config.json, the *.safetensors files and tokenizer.json, or a .gguf or "
                         ".onnx file"};
}

/// One file of a folder stands for it.
Result<ModelFile> recognizePartOfFolder(const std::string &path) {
  std::string name = fs::path(path).filename().string(), folder = folderOf(path);
  if (name.starts_with("adapter_"))
    return adapterError(path);
  if (!isThere(fs::path(folder) / "config.json"))
    return Error{path, "has no config.json beside it, which tells the model's sizes; give a folder with config.json, "
                       "the *.safetensors files and tokenizer.json"};
  return recognizeFolder(folder);
}

/// A beginning, and what a file is that has it.
struct Magic {
  std::string_view bytes;
  std::size_t offset;
  const char *what, *remedy;
};
using namespace std::string_view_literals;
constexpr Magic kMagics[] = {
    {"PK\x03\x04"sv, 0, "is a zip archive, as PyTorch (*.pth, *.bin, *.pt) and NumPy (*.npz) write them", kConvert},
    {"\x80\x02"sv, 0, "is a pickled checkpoint of PyTorch", kConvert},
    {"\x80\x04"sv, 0, "is a pickled checkpoint of PyTorch", kConvert},
    {"\x89HDF"sv, 0, "is an HDF5 file, as Keras writes them", kConvert},
    {"LPUX"sv, 0, "is a compiled program", "; run it with lpu-run, or give the model it was made from"},
    {"tjgg"sv, 0, "is a file of a format before GGUF (GGJT)", "; convert the original model to GGUF"},
    {"lmgg"sv, 0, "is a file of a format before GGUF (GGML)", "; convert the original model to GGUF"},
    {"fmgg"sv, 0, "is a file of a format before GGUF (GGMF)", "; convert the original model to GGUF"},
    {"TFL3"sv, 4, "is a TensorFlow Lite model", "; export the model to ONNX"},
    {"<!DOCTYPE"sv, 0, "is a web page, not a model", "; the download went wrong, fetch the file itself"},
    {"<!doctype"sv, 0, "is a web page, not a model", "; the download went wrong, fetch the file itself"},
    {"<html"sv, 0, "is a web page, not a model", "; the download went wrong, fetch the file itself"},
    {"\x1f\x8b"sv, 0, "is compressed (gzip)", "; unpack it first"},
    {"\x28\xb5\x2f\xfd"sv, 0, "is compressed (zstd)", "; unpack it first"},
    {"\xfd\x37zXZ"sv, 0, "is compressed (xz)", "; unpack it first"},
};

Error absent(const std::string &name) {
  static const std::regex hubName("[A-Za-z0-9][\\w.-]*/[\\w.-]+");
  bool isHubName = name.size() < 200 && std::regex_match(name, hubName) && !isThere(fs::path(name).parent_path()) &&
                   fs::path(name).extension() != ".gguf";
  if (isHubName)
    return {name, "does not exist here and looks like the name of a model on a hub, from which nothing is fetched; "
                  "download it (huggingface-cli download " +
                      name + " --local-dir DIR) and give DIR"};
  return {name, "cannot be opened: No such file or directory; check the path and its permissions"};
}

} // namespace

bool isBesideModel(const std::string &fileName) {
  return fileName.starts_with("consolidated") || fileName.starts_with("adapter_");
}

Result<ModelFile> recognizeModel(const std::string &name) {
  std::error_code failed;
  if (!isThere(name))
    return absent(name);
  if (fs::is_directory(name, failed))
    return recognizeFolder(name);
  std::string begin = beginning(name), extension = fs::path(name).extension().string();
  for (const Magic &magic : kMagics)
    if (begin.size() >= magic.offset && begin.substr(magic.offset).starts_with(magic.bytes))
      return Error{name, std::string(magic.what) + magic.remedy};
  if (begin.starts_with("GGUF"))
    return ModelFile{ModelForm::Gguf, name};
  bool isTable = begin.size() > 9 && begin[8] == '{' && begin.substr(5, 3) == std::string(3, '\0');
  if (isTable || extension == ".safetensors" || extension == ".json")
    return recognizePartOfFolder(name);
  if (extension == ".yaml" || extension == ".yml")
    return Error{name, "is YAML, as shapes of models are; give a shape by --arch=" + name};
  if (extension != ".onnx" && extension != ".gguf")
    return Error{name, "is no model; give a GGUF file, a Hugging Face folder, an ONNX file or a dump (.mlir)"};
  return ModelFile{extension == ".onnx" ? ModelForm::Onnx : ModelForm::Gguf, name};
}

std::vector<std::string> modelFiles(const std::string &name) {
  auto mark = name.rfind(kWeightsMark);
  if (name.starts_with(kShapePrefix) && mark != std::string::npos)
    return {name.substr(kShapePrefix.size(), mark - kShapePrefix.size())};
  std::string path = name.substr(0, name.rfind(kOutputsMark));
  auto file = recognizeModel(path);
  if (!file)
    return {path};
  if (file->form == ModelForm::Onnx)
    if (auto onnx = OnnxFile::open(path))
      return (*onnx)->files();
  return {file->path};
}

} // namespace lpu::compiler
