// Constraints of the llm operations. The labels C1, C2, … are those of LLMOps.td
// and open every message, so that constraint, check and test find each other.

#include "lpu/compiler/Dialect/LLM/LLM.h"
#include "lpu/compiler/Dialect/LLM/Precisions.h"

#include "llvm/ADT/SmallSet.h"

#include <cmath>

namespace lpu::compiler::llm {
namespace {

using mlir::failure;
using mlir::LogicalResult;
using mlir::success;

mlir::Type element(mlir::Value value) { return mlir::getElementTypeOrSelf(value.getType()); }
bool isFloat(mlir::Value value) { return element(value).isF32(); }
bool isInt16(mlir::Value value) { return activationBits(value) == 16; }
bool isInteger(mlir::Value value) { return activationBits(value) != 0; }
bool sameShape(mlir::Value a, mlir::Value b) {
  return llvm::cast<mlir::RankedTensorType>(a.getType()).getShape() ==
         llvm::cast<mlir::RankedTensorType>(b.getType()).getShape();
}
bool positive(const llvm::APFloat &value) { return value.isFinite() && !value.isZero() && !value.isNegative(); }

/// Do pieces of `length` elements hold the whole?
LogicalResult covers(mlir::Operation *op, const char *label, std::optional<CutAttr> cut, int64_t length) {
  if (!cut || cut->getPieces() * length >= cut->getWhole())
    return success();
  return op->emitOpError(label) << ": " << cut->getPieces() << " pieces of " << length << " do not hold "
                                << cut->getWhole();
}

LogicalResult checkLinks(mlir::Operation *op, llvm::ArrayRef<int64_t> links) {
  llvm::SmallSet<int64_t, 8> seen;
  if (links.empty() || llvm::any_of(links, [&](int64_t link) { return link < 0 || !seen.insert(link).second; }))
    return op->emitOpError("C1: needs one link or several different ones, numbered from 0");
  return success();
}

template <typename Op>
Op lookup(mlir::SymbolTableCollection &tables, mlir::Operation *user, mlir::FlatSymbolRefAttr symbol) {
  return tables.lookupNearestSymbolFrom<Op>(user, symbol);
}

} // namespace

LogicalResult CutAttr::verify(llvm::function_ref<mlir::InFlightDiagnostic()> emitError, int64_t pieces, int64_t whole) {
  if (pieces < 1 || whole < 1)
    return emitError() << "C1: " << pieces << " pieces of " << whole << ", both are at least 1";
  return success();
}

LogicalResult WeightOp::verify() {
  auto type = getTensorType();
  if (!type.hasStaticShape() || type.getRank() < 1 || type.getRank() > 2 || type.getNumElements() == 0)
    return emitOpError("C1: needs a static tensor of rank 1 or 2 without empty dimensions, found ") << type;
  mlir::Type element = type.getElementType();
  if (!element.isF32() && (type.getRank() == 1 || !(element.isF16() || isQuantized())))
    return emitOpError("C2: elements must be f32, f16 or a weight type of the dialect (rank 1: f32), found ")
           << element;
  if (getSource().empty())
    return emitOpError("C3: names no tensor of the weight file");
  if (mlir::failed(covers(*this, "C4", getRowCut(), getRows())))
    return failure();
  return covers(*this, "C4", getColumnCut(), getCols());
}

LogicalResult KVCacheOp::verify() {
  auto layer = static_cast<int64_t>(getLayer()), heads = static_cast<int64_t>(getHeads()),
       kvHeads = static_cast<int64_t>(getKvHeads()), headDim = static_cast<int64_t>(getHeadDim()),
       capacity = static_cast<int64_t>(getCapacity());
  if (layer < 0 || heads < 1 || kvHeads < 1 || headDim < 1 || capacity < 1)
    return emitOpError("C1: layer must be at least 0; heads, kv_heads, head_dim and capacity at least 1");
  if (heads % kvHeads)
    return emitOpError("C2: ") << kvHeads << " KV heads do not divide " << heads << " heads";
  if (headDim % 2)
    return emitOpError("C3: head_dim ") << headDim << " is odd";
  if (getHeadsCut().has_value() != getQueryGroup().has_value() || getQueryGroup().value_or(1) == 0)
    return emitOpError("C4: heads_cut and query_group come together");
  if (getWindow().value_or(1) < 1)
    return emitOpError("C5: window must be at least 1");
  if (getRing() && *getRing() < getWindow().value_or(capacity))
    return emitOpError("C5: a ring of ") << *getRing() << " positions does not hold a window";
  return covers(*this, "C4", getHeadsCut(), heads);
}

LogicalResult StepOp::verify() {
  auto tokens = static_cast<int64_t>(getTokens()), context = static_cast<int64_t>(getContext());
  if (tokens < 1 || tokens > context)
    return emitOpError("C1: feeds ") << tokens << " tokens, possible are 1 to its context of " << context;
  if (getKind() == StepKind::Decode && tokens != 1)
    return emitOpError("C2: a decode step feeds one token, found ") << tokens;
  if (getKind() == StepKind::Encode && tokens != context)
    return emitOpError("C3: an encode step feeds its context of ") << context << " tokens, found " << tokens;
  if (auto users = static_cast<int64_t>(getUsers().value_or(1));
      users < 1 || (users > 1 && getKind() != StepKind::Decode))
    return emitOpError("C4: feeds ") << users << " users, possible are 1 or, in decode steps, more";
  return success();
}

LogicalResult EmbeddingOp::verify() { return success(); }

LogicalResult EmbeddingOp::verifySymbolUses(mlir::SymbolTableCollection &tables) {
  auto weight = lookup<WeightOp>(tables, *this, getWeightAttr());
  if (!weight || weight.getTensorType().getRank() != 2 || weight.isQuantized())
    return emitOpError("C1: ") << getWeightAttr() << " is not an llm.weight of rank 2 with f32 or f16 elements";
  if (!isFloat(getResult()) || width(getResult()) != weight.getCols())
    return emitOpError("C2: result must be f32 and ")
           << weight.getCols() << " wide like the table, found " << getResult().getType();
  return success();
}

LogicalResult RmsNormOp::verify() {
  if (!positive(getEps()))
    return emitOpError("C2: eps must be positive and finite, found ") << getEpsAttr();
  if (!sameShape(getInput(), getResult()) || !isFloat(getInput()) || !(isFloat(getResult()) || isInteger(getResult())))
    return emitOpError("C3: needs an f32 input and an f32, int16 or int8 result of its shape, found ")
           << getInput().getType() << " and " << getResult().getType();
  if (!positive(getFactor()))
    return emitOpError("C4: factor must be positive and finite, found ") << getFactorAttr();
  return success();
}

LogicalResult RmsNormOp::verifySymbolUses(mlir::SymbolTableCollection &tables) {
  auto weight = lookup<WeightOp>(tables, *this, getWeightAttr());
  if (!weight || weight.getTensorType().getRank() != 1 || weight.getCols() != width(getInput()))
    return emitOpError("C1: ") << getWeightAttr() << " is not an llm.weight of rank 1 with " << width(getInput())
                               << " elements";
  return success();
}

LogicalResult HeadNormOp::verify() {
  if (!positive(getEps()))
    return emitOpError("C2: eps must be positive and finite, found ") << getEpsAttr();
  if (!isFloat(getInput()))
    return emitOpError("C3: input must be f32, found ") << getInput().getType();
  if (!positive(getScale()))
    return emitOpError("C4: scale must be positive and finite, found ") << getScaleAttr();
  return success();
}

LogicalResult HeadNormOp::verifySymbolUses(mlir::SymbolTableCollection &tables) {
  auto weight = lookup<WeightOp>(tables, *this, getWeightAttr());
  if (!weight || weight.getTensorType().getRank() != 1 || width(getInput()) % weight.getCols())
    return emitOpError("C1: ") << getWeightAttr() << " is not an llm.weight of rank 1 that heads of an input of "
                               << width(getInput()) << " elements can have";
  return success();
}

LogicalResult LinearOp::verify() {
  if (!isFloat(getResult()))
    return emitOpError("C4: result must be f32, found ") << getResult().getType();
  if (!positive(getFactor()))
    return emitOpError("C5: factor must be positive and finite, found ") << getFactorAttr();
  if (getCap() && !positive(*getCap()))
    return emitOpError("C7: cap must be positive and finite, found ") << getCapAttr();
  return success();
}

LogicalResult LinearOp::verifySymbolUses(mlir::SymbolTableCollection &tables) {
  auto weight = lookup<WeightOp>(tables, *this, getWeightAttr());
  if (!weight || weight.getTensorType().getRank() != 2)
    return emitOpError("C1: ") << getWeightAttr() << " is not an llm.weight of rank 2";
  if (weight.getCols() != width(getInput()) || weight.getRows() != width(getResult()))
    return emitOpError("C2: weight is ") << weight.getRows() << "x" << weight.getCols() << ", but the input is "
                                         << width(getInput()) << " and the result " << width(getResult()) << " wide";
  bool half = activationBits(getInput()) == kHalfBits,
       quantized = half ? isHalf(weight) : weight.isQuantized() && isInteger(getInput());
  bool real = weight.getTensorType().getElementType().isF32() && isFloat(getInput());
  if (!quantized && !real)
    return emitOpError("C3: needs an int8 weight with an int16 input, f16 with f16 or f32 with f32, found ")
           << weight.getTensorType() << " and " << getInput().getType();
  if (!getBiasAttr())
    return success();
  auto bias = lookup<WeightOp>(tables, *this, getBiasAttr());
  if (!bias || bias.getTensorType().getRank() != 1 || !bias.getTensorType().getElementType().isF32() ||
      bias.getCols() != width(getResult()))
    return emitOpError("C6: ") << getBiasAttr() << " is not an f32 llm.weight of rank 1 with " << width(getResult())
                               << " elements";
  return success();
}

LogicalResult RopeOp::verify() {
  auto heads = static_cast<int64_t>(getHeads()), headDim = static_cast<int64_t>(getHeadDim());
  if (heads < 1 || headDim < 1 || headDim % 2 || width(getInput()) / heads != headDim || width(getInput()) % heads)
    return emitOpError("C1: ") << heads << " heads of even width " << headDim << " do not make up the input's width "
                               << width(getInput());
  if (!positive(getBase()))
    return emitOpError("C2: base must be positive and finite, found ") << getBaseAttr();
  if (!sameShape(getInput(), getResult()) || !isFloat(getInput()) ||
      !(isFloat(getResult()) || activationBits(getResult()) > 0))
    return emitOpError("C4: needs an f32 input and an f32 or integer result of its shape, found ")
           << getInput().getType() << " and " << getResult().getType();
  if (!positive(getMagnitude()))
    return emitOpError("C5: magnitude must be positive and finite, found ") << getMagnitudeAttr();
  if (getLongFreqs().has_value() != getOriginal().has_value())
    return emitOpError("C6: long_freqs and original come together");
  return success();
}

LogicalResult RopeOp::verifySymbolUses(mlir::SymbolTableCollection &tables) {
  auto expected = static_cast<int64_t>(getHeadDim()) / 2;
  for (auto [label, symbol] : {std::pair("C3: ", getFreqsAttr()), {"C6: ", getLongFreqsAttr()}}) {
    auto weight = symbol ? lookup<WeightOp>(tables, *this, symbol) : WeightOp();
    if (symbol && (!weight || weight.getTensorType().getRank() != 1 || weight.getCols() != expected))
      return emitOpError(label) << symbol << " is not an llm.weight of rank 1 with " << expected << " elements";
  }
  return success();
}

LogicalResult AttentionOp::verify() {
  bool quantized =
      isInt16(getQuery()) && (isInt16(getKey()) || kvType(*this) == KVType::Int8) && isInteger(getResult());
  bool real = isFloat(getQuery()) && isFloat(getKey()) && isFloat(getResult());
  if (!(quantized || real) || !isFloat(getValue()))
    return emitOpError("C3: query, key and result must be all f32 or all int16 and value f32, found ")
           << getQuery().getType() << ", " << getKey().getType() << ", " << getResult().getType() << " and "
           << getValue().getType();
  if (getScale() && !positive(*getScale()))
    return emitOpError("C5: scale must be positive and finite, found ") << getScaleAttr();
  if (getCap() && !positive(*getCap()))
    return emitOpError("C5: cap must be positive and finite, found ") << getCapAttr();
  return success();
}

LogicalResult AttentionOp::verifySymbolUses(mlir::SymbolTableCollection &tables) {
  auto cache = lookup<KVCacheOp>(tables, *this, getCacheAttr());
  if (!cache)
    return emitOpError("C1: ") << getCacheAttr() << " is not an llm.kv_cache";
  auto queries = static_cast<int64_t>(cache.getHeads() * cache.getHeadDim()),
       keys = static_cast<int64_t>(cache.getKvHeads() * cache.getHeadDim());
  if (width(getQuery()) != queries || width(getResult()) != queries || width(getKey()) != keys ||
      width(getValue()) != keys)
    return emitOpError("C2: the cache needs query and result ")
           << queries << ", key and value " << keys << " wide, found " << width(getQuery()) << ", "
           << width(getResult()) << ", " << width(getKey()) << " and " << width(getValue());
  if (getTiles() && cache.getHeadDim() % 32)
    return emitOpError("C4: heads of ") << cache.getHeadDim()
                                        << " elements do not fill tiles, which takes a multiple of 32";
  return success();
}

LogicalResult SiluMulOp::verify() {
  if (!sameShape(getGate(), getUp()) || !sameShape(getGate(), getResult()) || !isFloat(getGate()) || !isFloat(getUp()))
    return emitOpError("C1: needs f32 gate and up and a result of one shape, found ")
           << getGate().getType() << ", " << getUp().getType() << " and " << getResult().getType();
  if (!isFloat(getResult()) && !isInteger(getResult()))
    return emitOpError("C2: result must be f32, int16 or int8, found ") << getResult().getType();
  return success();
}

LogicalResult AddOp::verify() {
  if (!isFloat(getBranch()) || getBranch().getType() != getResidual().getType() ||
      getBranch().getType() != getResult().getType())
    return emitOpError("C1: operands and result must have one f32 type, found ")
           << getBranch().getType() << ", " << getResidual().getType() << " and " << getResult().getType();
  return success();
}

LogicalResult AllGatherOp::verify() {
  auto pieces = static_cast<int64_t>(getPieces());
  if (pieces < 2 || pieces * width(getPiece()) < width(getResult()))
    return emitOpError("C1: ") << pieces << " pieces of " << width(getPiece()) << " elements do not make up "
                               << width(getResult());
  if (element(getPiece()) != element(getResult()))
    return emitOpError("C2: piece and result must have one element type, found ")
           << getPiece().getType() << " and " << getResult().getType();
  return success();
}

LogicalResult SendOp::verify() {
  if (mlir::failed(checkLinks(*this, getLinks())))
    return failure();
  if (!isFloat(getValue()))
    return emitOpError("C2: sends f32, found ") << getValue().getType();
  if (getPiece() && getPiece()->getWhole() != width(getValue()))
    return emitOpError("C3: pieces of ") << getPiece()->getWhole() << " elements are not those of "
                                         << getValue().getType();
  return success();
}

LogicalResult ReceiveOp::verify() {
  if (mlir::failed(checkLinks(*this, getLinks())))
    return failure();
  if (!isFloat(getResult()))
    return emitOpError("C2: receives f32, found ") << getResult().getType();
  return covers(*this, "C3", getPiece(), width(getResult()));
}

} // namespace lpu::compiler::llm
