// lpu-isa-gen: writes docs/isa.md from the instruction table, or checks that
// the file is what the table says.
#include "IsaDoc.h"
#include "ToolSupport.h"

using namespace lpu;

int main(int argc, char **argv) {
  CLI::App app("Writes the instruction reference (docs/isa.md) to a file or stdout.", "lpu-isa-gen");
  app.footer("Examples: lpu-isa-gen -o docs/isa.md\n          lpu-isa-gen --check docs/isa.md");
  std::string output, check;
  auto *outputOption = app.add_option("-o,--output", output, "file to write; stdout without it")->type_name("FILE");
  app.add_option("--check", check, "exit with 1 when this file differs from what would be written")
      ->excludes(outputOption)
      ->type_name("FILE");
  if (const auto code = tools::parseArguments(app, argc, argv))
    return *code;

  const std::string text = tools::isaDocument();
  if (!check.empty()) {
    const Result<std::string> present = readFile(check);
    if (!present)
      return tools::fail(present.error());
    if (*present == text)
      return 0;
    std::size_t line = 1;
    for (std::size_t i = 0; i < std::min(text.size(), present->size()) && text[i] == (*present)[i]; ++i)
      line += text[i] == '\n';
    return tools::fail({check + ":" + std::to_string(line),
                        "differs from the instruction table; write it again with lpu-isa-gen -o " + check});
  }
  if (output.empty()) {
    std::fputs(text.c_str(), stdout);
    return 0;
  }
  if (const Status status = writeFileAtomically(output, text); !status)
    return tools::fail(status.error());
  return 0;
}
