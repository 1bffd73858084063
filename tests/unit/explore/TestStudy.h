// Studies without files.
#pragma once

#include "lpu/explore/Study.h"
#include "lpu/isa/Unpublished.h"

#include <gtest/gtest.h>

namespace lpu::explore {

/// Presets are known; every model is there, and its digest is its name.
class TestFiles final : public StudyFiles {
public:
  Result<std::string> machine(const std::string &spelled) override { return isa::machineText(spelled); }
  Result<std::string> energy(const std::string &spelled) override { return isa::energyModelText(spelled); }
  Result<std::string> digest(const std::string &spelled) override {
    if (spelled == "missing.yaml")
      return Error{"", "cannot be read; paths are relative to the study's folder"};
    return "digest of " + spelled;
  }
  std::string path(const std::string &spelled) const override { return "/models/" + spelled; }
};

/// Line 1 is the machine, line 2 the workload; `rest` begins in line 3.
inline Result<Study> studyWith(const std::string &rest, const std::string &workload = "{arch: m.yaml}") {
  TestFiles files;
  return parseStudy("s.yaml", "base: small\nworkloads: [" + workload + "]\n" + rest, files);
}
inline Study goodStudy(const std::string &rest, const std::string &workload = "{arch: m.yaml}") {
  Result<Study> study = studyWith(rest, workload);
  EXPECT_TRUE(study) << study.error().str();
  return std::move(*study);
}

} // namespace lpu::explore
