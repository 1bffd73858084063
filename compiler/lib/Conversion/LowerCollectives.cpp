// What chips exchange: pieces of a group gathered whole, and the residual handed
// from stage to stage. Rows go from memory to memory, a byte of all lanes at a
// time; every chip of a group sends its piece on all links at once, and finds the
// pieces of the others behind its own.

#include "ProgramLowering.h"

#include <fmt/format.h>

using namespace mlir;

namespace lpu::compiler {

Layout ProgramLowering::headsOf(llm::KVCacheOp cache, std::int64_t group, bool swap) const {
  std::int64_t headDim = cache.getHeadDim();
  Layout heads = Layout::heads(machine.lanes(), cache.getHeads(), headDim, group, swap);
  auto cut = cache.getHeadsCut();
  return cut ? heads.pieceOf(cut->getWhole() * headDim, cut->getPieces()) : heads;
}

void ProgramLowering::setResidual(const Layout &piece) {
  residualLayout = piece;
  residual = pool.scratch("x", 4, tokens * piece.gather().vectors(), 0);
}

Layout ProgramLowering::plainRows(llm::LinearOp op) const {
  std::int64_t width = cast<RankedTensorType>(op.getResult().getType()).getDimSize(1);
  return cut(Layout::plain(machine.lanes(), width), llm::lookupWeight(op, op.getWeightAttr()).getRowCut());
}

void ProgramLowering::noteDigits(Value result, const Layout &layout, std::int64_t row, const std::string &object) {
  bool gathers = mlir::isa<llm::AllGatherOp>(*result.getUsers().begin());
  if (!gathers)
    digits[result] = {layout, row, scaleOf(result), chunked ? object : "", false};
  bool isHidden = mlir::isa_and_nonnull<llm::SiluMulOp>(result.getDefiningOp());
  if (!gathers && (!chunked || isHidden)) // chunkSiluMul has places of its own
    return;
  // Digits of a chunk are written while a residual is read; what waits for the feed-forward part comes later.
  std::int64_t hint = chunked && !isHidden ? 4 : 0;
  pool.scratch(object + ".east", 2, tokens * layout.gather().vectors(), hint);
  pool.scratch(object + ".west", 2, tokens * layout.gather().vectors(), hint + 1);
  written[result] = {object, layout, 0};
}

void ProgramLowering::passOnDigits(FlowWriter &w, Value result, Value scaled, std::int64_t token, std::int64_t vector,
                                   std::int64_t row, std::int64_t step) {
  auto piece = written.find(result);
  if (piece == written.end())
    return w.loadDigits16(scaled, row, 2 * step, llm::activationBits(result));
  const auto &[object, layout, free] = piece->second;
  w.storeDigits16(scaled, object + ".east", object + ".west", writtenRow(layout, token, vector), step,
                  llm::activationBits(result));
}

void ProgramLowering::passOnQuantized(FlowWriter &w, Value result, Value quantized, std::int64_t token,
                                      std::int64_t vector, std::int64_t row, std::int64_t step) {
  auto piece = written.find(result);
  if (piece == written.end())
    return w.loadDigits(quantized, row, step);
  const auto &[object, layout, free] = piece->second;
  w.storeDigits(quantized, object + ".east", object + ".west", writtenRow(layout, token, vector),
                writtenRow(layout, 1, 0));
}

void ProgramLowering::sendRow(ArrayRef<std::string> objects, std::int64_t row, std::int64_t byte,
                              ArrayRef<std::int64_t> links) {
  SmallVector<std::int64_t> east, west;
  for (std::int64_t link : links)
    (link < machine.c2cEastLinks ? east : west).push_back(link);
  if (!east.empty())
    flow().send(objects.front(), row, byte, east);
  if (!west.empty())
    flow().send(objects.back(), row, byte, west);
}

void ProgramLowering::exchange(ArrayRef<std::string> objects, std::int64_t planes, const Layout &piece) {
  std::int64_t own = piece.pieceVectors();
  SmallVector<std::int64_t> links;
  for (std::int64_t link = 0; link < piece.shards - 1; ++link)
    links.push_back(link);
  auto row = [&](std::int64_t t, std::int64_t v) {
    return objects.size() > 1 ? writtenRow(piece, t, v) : residualRow(t, v);
  };
  for (std::int64_t t = 0; t < tokens; ++t)
    for (std::int64_t v = 0; v < own; ++v)
      for (std::int64_t byte = 0; byte < planes; ++byte) {
        sendRow(objects, row(t, v), byte, links);
        for (std::int64_t link : links)
          flow().receive(link, objects, row(t, piece.gatheredVector(v, link + 1)), byte);
      }
}

void ProgramLowering::lowerAllGather(llm::AllGatherOp op) {
  flushLinears();
  Operation *user = *op->getUsers().begin(), *source = op.getPiece().getDefiningOp();
  std::string tensor = tensorOf(user->getAttrOfType<FlatSymbolRefAttr>("weight").getValue());
  auto piece = written.find(op.getPiece());
  if (piece == written.end()) {
    beginPhase(layerLabel(tensor, "gather residual"));
    return exchange({residual}, 4, residualLayout);
  }
  const std::string &object = piece->second.object;
  const Layout &layout = piece->second.layout;
  // A sweep goes on meanwhile: its phase holds the exchange, too.
  auto silu = dyn_cast<llm::SiluMulOp>(source);
  bool sweeps = silu && isSwept(machine, silu) && !chunked;
  if (!sweeps)
    beginPhase(layerLabel(tensor, silu ? "gather ffn" : "gather attention"));
  exchange({object + ".east", object + ".west"}, 2, layout);
  digits[op.getResult()] = {layout.gather(), piece->second.row, scaleOf(op.getPiece()), object, sweeps};
}

void ProgramLowering::lowerSend(llm::SendOp op) {
  flushLinears();
  beginPhase("send residual");
  for (std::int64_t t = 0; t < tokens; ++t)
    for (std::int64_t v = 0; v < residualLayout.vectors(); ++v)
      for (std::int64_t byte = 0; byte < 4; ++byte)
        sendRow({residual}, residualRow(t, v), byte, op.getLinks());
}

void ProgramLowering::lowerReceive(llm::ReceiveOp op) {
  beginPhase(kReceivePhase);
  std::int64_t width = cast<RankedTensorType>(op.getResult().getType()).getDimSize(1);
  setResidual(cut(Layout::plain(machine.lanes(), width), op.getPiece()));
  // What is added to the residual at once waits in rows for two tokens.
  std::int64_t all = residualLayout.gather().vectors(), rows = std::min<std::int64_t>(tokens, 2) * all;
  auto buffer = [&](std::size_t source) {
    return source ? pool.scratch(fmt::format("x.in.{}", source), 4, rows, source) : residual;
  };
  auto row = [&](std::size_t source, std::int64_t t, std::int64_t v) {
    return source ? t % 2 * all + v : residualRow(t, v);
  };
  for (std::int64_t t = 0; t < tokens; ++t)
    for (std::int64_t v = 0; v < residualLayout.vectors(); ++v) {
      for (std::int64_t byte = 0; byte < 4; ++byte)
        for (auto [source, link] : llvm::enumerate(op.getLinks()))
          flow().receive(link, {buffer(source)}, row(source, t, v), byte);
      // The part of the vocabulary that holds a token's row sends it, the others send zeros.
      for (std::size_t source = 1; source < op.getLinks().size(); ++source) {
        FlowWriter w = flow();
        w.write(w.alu("or", {w.read(residual, residualRow(t, v)), w.read(buffer(source), row(source, t, v))}), residual,
                residualRow(t, v));
      }
    }
}

} // namespace lpu::compiler
