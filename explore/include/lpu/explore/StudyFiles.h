// The files of a study, from the disk and from a store, which keeps all texts so that reports
// need nothing else.
#pragma once

#include "lpu/explore/Study.h"

#include <map>
#include <string>

namespace lpu::explore {

/// Everything that was read for a study: names as spelled to contents.
struct StudyInputs {
  std::string file, text;
  std::map<std::string, std::string> machines, energies, digests, paths;
};

/// A study and all it refers to, from the disk. Relative paths in it are relative to its folder.
Result<Study> readStudy(const std::string &path, StudyInputs &inputs);
/// The same again from what was read then.
Result<Study> studyOf(const StudyInputs &inputs);

std::string writeInputs(const StudyInputs &inputs);
Result<StudyInputs> readInputs(const std::string &json);

} // namespace lpu::explore
