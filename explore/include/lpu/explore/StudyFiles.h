// The files of a study, from the disk and from a store, which keeps all texts so that reports
// need nothing else.
#pragma once

#include "lpu/explore/Study.h"
#include "lpu/isa/FileUses.h"

#include <map>
#include <string>
#include <vector>

namespace lpu::explore {

/// Everything that was read for a study: names as spelled to contents.
struct StudyInputs {
  std::string file, text;
  std::map<std::string, std::string> machines, energies, digests;
  std::map<std::string, std::string> paths; ///< of the study, and of what is no preset: absolute
};

/// What no output may overwrite.
std::vector<isa::FileUse> inputFiles(const StudyInputs &inputs);

/// A study and all it refers to, from the disk. Relative paths in it are relative to its folder.
Result<Study> readStudy(const std::string &path, StudyInputs &inputs);
/// The same again from what was read then.
Result<Study> studyOf(const StudyInputs &inputs);

std::string writeInputs(const StudyInputs &inputs);
Result<StudyInputs> readInputs(const std::string &json);

} // namespace lpu::explore
