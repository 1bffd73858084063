// Every option of lpu-run that names a file, on the side where it belongs.
#include "RunFiles.h"

namespace lpu::rt {

Status checkFiles(const RunOptions &options, const std::vector<std::string> &encoded) {
  std::vector<isa::FileUse> reads, writes;
  isa::addUse(reads, "the program", options.program);
  for (const std::string &file : options.promptFile)
    isa::addUse(reads, "--prompt-file", file);
  for (const std::string &file : options.idFiles)
    isa::addUse(reads, "--input-ids or --token-type-ids", file);
  isa::addUse(reads, "--perplexity", options.perplexity);
  isa::addUse(writes, "--report", options.report);
  isa::addUse(writes, "--logits", options.logits);
  isa::addUse(reads, "--energy", options.energy);
  isa::addUse(writes, "--trace", options.trace);
  isa::addUse(writes, "--vcd", options.vcd.path);
  for (const std::string &file : encoded)
    isa::addUse(writes, "--output", file);
  return isa::checkOutputs(reads, writes);
}

} // namespace lpu::rt
