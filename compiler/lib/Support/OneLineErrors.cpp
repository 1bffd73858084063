// First error only, on one line: later ones are usually consequences of it.

#include "lpu/compiler/Support/OneLineErrors.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Location.h"

#include <algorithm>

namespace lpu::compiler {
namespace {

std::string place(mlir::Location location) {
  auto file = location->findInstanceOf<mlir::FileLineColLoc>();
  if (!file)
    return "";
  std::string text = file.getFilename().str();
  if (file.getLine())
    text += ":" + std::to_string(file.getLine()) + ":" + std::to_string(file.getColumn());
  return text;
}

/// What the location is called: "layer 3".
std::string subject(mlir::Location location) {
  auto named = location->findInstanceOf<mlir::NameLoc>();
  return named ? named.getName().str() + ": " : "";
}

/// Who compiles a model knows layers, not operations of the IR: "'llm.attention' op a cache of …" becomes "attention: a
/// cache of …", "'stream.flow' op uses …" "a flow uses …". Errors about IR that someone wrote keep their words.
std::string inWordsOfModels(std::string text) {
  constexpr llvm::StringLiteral kMark = "' op ";
  std::size_t mark = text.find(kMark), dot = text.find('.');
  if (!text.starts_with("'") || mark == std::string::npos || dot > mark)
    return text;
  std::string dialect = text.substr(1, dot - 1), name = text.substr(dot + 1, mark - dot - 1);
  std::replace(name.begin(), name.end(), '_', ' ');
  std::string rest = text.substr(mark + kMark.size());
  return dialect == "llm" ? name + ": " + rest : (name == "program" ? "the " : "a ") + name + " " + rest;
}

Error render(mlir::Diagnostic &diagnostic) {
  std::string at = place(diagnostic.getLocation()), said = diagnostic.str();
  bool ofIR = at.find(".mlir") != std::string::npos;
  std::string text = subject(diagnostic.getLocation()) + (ofIR ? said : inWordsOfModels(said));
  for (mlir::Diagnostic &note : diagnostic.getNotes())
    text += " (" + note.str() + ")";
  for (char &c : text)
    if (c == '\n')
      c = ' ';
  return {at, text};
}

} // namespace

mlir::LogicalResult report(mlir::MLIRContext *context, const Error &error) {
  mlir::Location location = mlir::UnknownLoc::get(context);
  if (!error.place.empty())
    location = mlir::FileLineColLoc::get(context, error.place, 0, 0);
  return mlir::emitError(location) << error.message;
}

OneLineErrors::OneLineErrors(mlir::MLIRContext *context) : ScopedDiagnosticHandler(context) {
  setHandler([this](mlir::Diagnostic &diagnostic) {
    if (!first && diagnostic.getSeverity() == mlir::DiagnosticSeverity::Error)
      first = render(diagnostic);
    return mlir::success();
  });
}

std::string OneLineErrors::str() const { return first ? first->str() : ""; }

} // namespace lpu::compiler
