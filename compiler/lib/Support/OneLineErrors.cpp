// First error only, on one line: later ones are usually consequences of it.

#include "lpu/compiler/Support/OneLineErrors.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Location.h"

namespace lpu::compiler {
namespace {

std::string place(mlir::Location location) {
  auto file = location->findInstanceOf<mlir::FileLineColLoc>();
  if (!file)
    return "";
  std::string text = file.getFilename().str();
  if (file.getLine())
    text += ":" + std::to_string(file.getLine()) + ":" + std::to_string(file.getColumn());
  return text + ": ";
}

std::string render(mlir::Diagnostic &diagnostic) {
  std::string text = place(diagnostic.getLocation()) + "error: " + diagnostic.str();
  for (mlir::Diagnostic &note : diagnostic.getNotes())
    text += " (" + note.str() + ")";
  for (char &c : text)
    if (c == '\n')
      c = ' ';
  return text;
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
    if (line.empty() && diagnostic.getSeverity() == mlir::DiagnosticSeverity::Error)
      line = render(diagnostic);
    return mlir::success();
  });
}

} // namespace lpu::compiler
