// A compiled model as a service holds it.
#pragma once

#include "lpu/isa/Program.h"
#include "lpu/serve/Request.h"
#include "lpu/serve/Timing.h"
#include "lpu/text/Tokenizer.h"

#include <memory>
#include <string>
#include <vector>

namespace lpu::serve {

/// One argument of lpu-serve: [NAME=]PATH[:systems=N][:template=FILE].
struct ModelSource {
  std::string name; ///< what clients call it; by default the file's name without its ending
  std::string path; ///< .lpx, or a model that lpucc compiles
  unsigned systems = 1;
  std::string templateFile; ///< empty: the model's own
};

/// Error: an option that is not known or has no value, or two models of one name.
Result<std::vector<ModelSource>> parseModelSources(const std::vector<std::string> &arguments);

class Model {
public:
  /// `program`: the compiled file; source.path where that is compiled already, else made with these flags of lpucc.
  static Result<std::unique_ptr<Model>> load(const ModelSource &source, const std::string &program,
                                             const std::vector<std::string> &compilerFlags = {});

  const std::string &name() const { return source.name; }
  unsigned systems() const { return source.systems; }
  const isa::Program &program() const { return compiled; }
  /// Null: the program has no vocabulary, and takes token ids alone.
  const text::Tokenizer *tokenizer() const { return words.get(); }
  /// Each of them ends what is generated.
  std::vector<TokenId> endTokens() const;
  const Timing &timing() const { return *times; }
  /// SHA-256 of the program's file, hex.
  const std::string &sha256() const { return digest; }
  /// The Jinja template of its chats: a file's, or the model's own; empty: none.
  const std::string &chatTemplate() const { return chats; }
  /// Where that is from: "file", "model" or "plain" (messages are joined by lines).
  const char *templateOrigin() const;
  /// Spellings of control tokens, which users must not write as such.
  const std::vector<std::string> &specialTokens() const { return specials; }
  /// What makes the program and runs it again, from any folder, up to the request's own options. A program that was
  /// made of a model is made again, as model.lpx in the folder the command runs in.
  std::string runCommand() const;
  std::int64_t created() const { return writtenAt; }

private:
  explicit Model(ModelSource source) : source(std::move(source)) {}
  Status readTemplate();
  void listSpecialTokens();

  ModelSource source;
  std::string programPath, digest, chats;
  std::vector<std::string> specials;
  std::vector<std::string> compilerFlags;
  std::int64_t writtenAt = 0; ///< seconds since 1970
  isa::Program compiled;
  std::unique_ptr<text::Tokenizer> words;
  std::unique_ptr<Timing> times;
};

/// A word for a POSIX shell.
std::string quoted(const std::string &word);

} // namespace lpu::serve
