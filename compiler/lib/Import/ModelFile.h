// What a path given as the model is. Internal to the importer.
#pragma once

#include "lpu/isa/Result.h"

#include <string>
#include <string_view>

namespace lpu::compiler {

/// What stands around a path in WeightStore::shapeName() and outputsName().
inline constexpr std::string_view kShapePrefix = "shape:", kWeightsMark = "?weights=", kOutputsMark = "?outputs=";

enum class ModelForm { Gguf, Onnx, HuggingFace };

struct ModelFile {
  ModelForm form = ModelForm::Gguf;
  std::string path; ///< a file, or of Hugging Face's a folder
};

/// Decides by content, and for folders by the files in them. One file of a Hugging Face folder stands for the folder.
/// Error: something that people have in its place and that cannot be read (a checkpoint of PyTorch, an adapter, a web
/// page, the name of a model on a hub, …), with what to do.
Result<ModelFile> recognizeModel(const std::string &name);

/// Whether a *.safetensors file of a folder holds no weights of the model itself: adapters, and the same weights once
/// more under the names of their authors ("consolidated").
bool isBesideModel(const std::string &fileName);

} // namespace lpu::compiler
