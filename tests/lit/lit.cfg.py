# lit configuration. Tools are found in the build's bin/ and FileCheck, not and
# split-file in LLVM's. A folder whose tool is not built is skipped by the
# features below (`REQUIRES: lpucc`), so that a partial build can be tested.
# Substitutions: %source (repository), %machines (isa/arch).
import os

import lit.formats

config.name = "lpu"
config.test_format = lit.formats.ShTest(True)
config.suffixes = [".test", ".mlir"]
config.excludes = ["Inputs"]
config.test_source_root = os.path.dirname(os.path.abspath(__file__))

config.environment["PATH"] = os.pathsep.join(
    [config.lpu_bin_dir, config.llvm_bin_dir, os.environ.get("PATH", "")]
)
# Messages of the C library must not depend on who runs the tests.
config.environment["LC_ALL"] = "C"
for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
    if name in os.environ:
        config.environment[name] = os.environ[name]

repository = os.path.dirname(os.path.dirname(config.test_source_root))
config.substitutions.append(("%source", repository))
config.substitutions.append(("%machines", os.path.join(repository, "isa", "arch")))

if os.path.isdir(os.path.join(os.path.dirname(repository), "shared", "models")):
    config.available_features.add("shared-models")
for tool in os.listdir(config.lpu_bin_dir) if os.path.isdir(config.lpu_bin_dir) else []:
    config.available_features.add(tool)
