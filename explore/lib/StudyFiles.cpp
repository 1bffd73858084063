#include "lpu/explore/StudyFiles.h"

#include "lpu/explore/Point.h"
#include "lpu/isa/Files.h"
#include "lpu/isa/Sha256.h"
#include "lpu/isa/Unpublished.h"

#include <nlohmann/json.hpp>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <optional>
#include <vector>

namespace lpu::explore {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// Reads, and notes what it has read.
class DiskFiles final : public StudyFiles {
public:
  DiskFiles(const fs::path &folder, StudyInputs &inputs) : folder(folder), inputs(inputs) {}

  Result<std::string> machine(const std::string &spelled) override {
    const std::vector<std::string> presets = isa::presetNames();
    return kept(inputs.machines, spelled, isa::machineText(named(presets, spelled)));
  }
  Result<std::string> energy(const std::string &spelled) override {
    const std::vector<std::string> presets = isa::energyModelNames();
    return kept(inputs.energies, spelled, isa::energyModelText(named(presets, spelled)));
  }
  Result<std::string> digest(const std::string &spelled) override {
    inputs.paths[spelled] = path(spelled);
    return kept(inputs.digests, spelled, contents(path(spelled)));
  }
  std::string path(const std::string &spelled) const override {
    std::error_code failed;
    const fs::path full = fs::absolute(folder / spelled, failed).lexically_normal();
    return failed ? spelled : full.string();
  }

private:
  std::string named(const std::vector<std::string> &presets, const std::string &spelled) {
    if (std::ranges::find(presets, spelled) != presets.end())
      return spelled;
    return inputs.paths[spelled] = path(spelled);
  }

  static Result<std::string> kept(std::map<std::string, std::string> &in, const std::string &name,
                                  Result<std::string> text) {
    if (text)
      in[name] = *text;
    return text;
  }

  /// Of a folder all files directly in it, by name.
  static Result<std::string> contents(const std::string &path) {
    std::error_code failed;
    std::vector<fs::path> files;
    if (fs::is_directory(path, failed)) {
      for (const fs::directory_entry &entry : fs::directory_iterator(path, failed))
        if (entry.is_regular_file(failed))
          files.push_back(entry.path());
      std::ranges::sort(files);
    } else {
      files.push_back(path);
    }
    std::string digests;
    for (const fs::path &file : files) {
      const Result<std::string> text = readFile(file.string());
      if (!text)
        return Error{"", "cannot be read; paths are relative to the study's folder"};
      digests += (files.size() > 1 ? file.filename().string() + " " : "") + hex(sha256(*text));
    }
    return files.size() == 1 ? digests : hex(sha256(digests));
  }

  fs::path folder;
  StudyInputs &inputs;
};

class StoredFiles final : public StudyFiles {
public:
  explicit StoredFiles(const StudyInputs &inputs) : inputs(inputs) {}
  Result<std::string> machine(const std::string &spelled) override { return find(inputs.machines, spelled); }
  Result<std::string> energy(const std::string &spelled) override { return find(inputs.energies, spelled); }
  Result<std::string> digest(const std::string &spelled) override { return find(inputs.digests, spelled); }
  std::string path(const std::string &spelled) const override {
    const auto known = inputs.paths.find(spelled);
    return known == inputs.paths.end() ? spelled : known->second;
  }

private:
  static Result<std::string> find(const std::map<std::string, std::string> &in, const std::string &name) {
    const auto known = in.find(name);
    return known == in.end() ? Result<std::string>(Error{"", "not in the store"}) : known->second;
  }
  const StudyInputs &inputs;
};

Error mistake(const Study &study, int line, const std::string &message) {
  return {fmt::format("{}:{}", study.file, line), message};
}

/// The longest context of a shape; nothing: another key of it is wrong, which the compiler tells with its line.
Result<std::optional<double>> longestContext(const Study &study, const Workload &workload) {
  const Error noShape = mistake(study, workload.line,
                                fmt::format("arch: '{}' is no shape in YAML; name one, or write model: for a file with "
                                            "weights",
                                            workload.model));
  const Result<std::string> text = readFile(workload.path);
  if (!text)
    return noShape;
  try {
    const YAML::Node shape = YAML::Load(*text);
    if (!shape.IsMap())
      return noShape;
    double context = 0;
    const bool isKnown = shape["context"].IsDefined() && YAML::convert<double>::decode(shape["context"], context);
    return isKnown ? std::optional(context) : std::nullopt;
  } catch (const std::exception &) { // not YAML
    return noShape;
  }
}

Status checkContext(const Study &study, int line, const std::string &key, const std::string &value, double most) {
  if (std::stod(value) <= most)
    return Ok{};
  return mistake(study, line,
                 fmt::format("{}: {} is more than the {} of the model; take at most that", key, value, most));
}

/// Mistakes that would otherwise be those of every point.
Status checkShapes(const Study &study) {
  const auto chosen = std::ranges::find(study.parameters, "mapping.context", &Parameter::key);
  for (const Workload &workload : study.workloads) {
    if (!workload.isShape)
      continue;
    const Result<std::optional<double>> most = longestContext(study, workload);
    if (!most)
      return most.error();
    if (!*most)
      continue;
    if (chosen != study.parameters.end()) {
      for (const std::string &value : chosen->values)
        if (Status good = checkContext(study, chosen->line, chosen->key, value, **most); !good)
          return good;
    } else if (const auto own = workload.mapping.find("context"); own != workload.mapping.end()) {
      if (Status good = checkContext(study, workload.line, "context", own->second, **most); !good)
        return good;
    }
  }
  return Ok{};
}

} // namespace

Result<Study> readStudy(const std::string &path, StudyInputs &inputs) {
  const Result<std::string> text = readFile(path);
  if (!text)
    return text.error();
  inputs.file = path, inputs.text = *text;
  std::error_code failed;
  inputs.paths[path] = fs::absolute(path, failed).lexically_normal().string();
  DiskFiles files(fs::path(path).parent_path(), inputs);
  Result<Study> study = parseStudy(path, *text, files);
  if (!study)
    return study;
  if (Status good = checkShapes(*study); !good)
    return good.error();
  return study;
}

Result<Study> studyOf(const StudyInputs &inputs) {
  StoredFiles files(inputs);
  return parseStudy(inputs.file, inputs.text, files);
}

std::vector<isa::FileUse> inputFiles(const StudyInputs &inputs) {
  std::vector<isa::FileUse> files;
  for (const auto &[spelled, path] : inputs.paths)
    isa::addUse(files, spelled == inputs.file ? "the study" : fmt::format("'{}' of the study", spelled), path);
  return files;
}

std::string writeInputs(const StudyInputs &inputs) {
  return Json{{"file", inputs.file},         {"text", inputs.text},       {"machines", inputs.machines},
              {"energies", inputs.energies}, {"digests", inputs.digests}, {"paths", inputs.paths}}
      .dump();
}

Result<StudyInputs> readInputs(const std::string &json) {
  try {
    const Json in = Json::parse(json);
    using Map = std::map<std::string, std::string>;
    return StudyInputs{in.at("file"),
                       in.at("text"),
                       in.at("machines").get<Map>(),
                       in.at("energies").get<Map>(),
                       in.at("digests").get<Map>(),
                       in.at("paths").get<Map>()};
  } catch (const std::exception &) {
    return Error{"", "holds no study that this version can read; run the study again into a new store"};
  }
}

} // namespace lpu::explore
