//===- the llm dialect: a transformer as a graph ---------------------------===//
//
// Where it stands
//
//   model.gguf ──import──▶ llm (float) ──llm-quantize──▶ llm (quantized)
//     ──llm-plan-steps──▶ llm + steps ──llm-verify-quantized──▶ conversion to stream ▶ lpu ▶ program
//
// At entry (import): one module with the attribute llm.source (path of the weight
// file); one llm.weight per use of a tensor; one llm.kv_cache per layer; one
// func.func @forward(%token: tensor<?xi32>, %position: tensor<?xi32>)
// -> tensor<?xVxf32>, all activations f32. The leading dynamic dimension counts the
// tokens of one step.
// At exit: linear weights are int8 with per-row scales, inputs of linears and
// queries, keys and attention results are int16 with static scales in their
// types; llm.step names every program to be built.
//
// llm-partition, the last step of the phase when a model takes several chips, puts a
// module per class of equal chips into the module, each with its own @forward over
// pieces of the activations, and lists the chips in llm.chips (see LLM.h).
//
// Weights are handles: no operation ever holds weight data. Arithmetic:
// docs/spec/numerics.md (rules N1–N26).
//
// Encoders (module attribute llm.outputs) have @forward(%token, %type: tensor<?xi32>)
// and any number of results, no caches, and the operations of LLMEncoderOps.td.
//
//===-----------------------------------------------------------------------===//
#ifndef LPU_COMPILER_DIALECT_LLM_LLMOPS_TD
#define LPU_COMPILER_DIALECT_LLM_LLMOPS_TD

include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def LLMDialect : Dialect {
  let name = "llm";
  let cppNamespace = "::lpu::compiler::llm";
  let summary = "Quantized transformer graphs";
  let description = [{
    A Llama model as a graph over a KV cache, without any notion of a machine. Quantized values use the types of
    the upstream `quant` dialect: int16 activations are `!quant.uniform<i16<-32639:32639>:f32, SCALE>`, those
    that only feed linears may be `!quant.uniform<i8<-127:127>:f32, SCALE>`; int8 weights are
    `!quant.any<i8<-127:127>:f32>` (their per-row scales follow from the data, N3). Weights with a scale per 32
    columns (N12) are `!quant.any<i8<-128:127>:f32>` or `!quant.any<i4<-8:7>:f32>`.
  }];
  let dependentDialects = ["::mlir::quant::QuantDialect"];
  let useDefaultAttributePrinterParser = 1;
  let extraClassDeclaration = [{
    /// Weights that were rounded with the activations in view, by `llm.source`: they follow from no file, so every pass
    /// over a module with `llm.rounding` finds them here (Source.h).
    std::map<std::string, std::shared_ptr<::lpu::compiler::WeightStore>> roundedSources;
  }];
}

class LLM_Op<string mnemonic, list<Trait> traits = []> : Op<LLMDialect, mnemonic, traits> {
  let hasVerifier = 1;
}

/// An operation that computes activations and looks symbols up.
class LLM_ComputeOp<string mnemonic, list<Trait> traits = []>
    : LLM_Op<mnemonic, !listconcat(traits, [DeclareOpInterfaceMethods<SymbolUserOpInterface>])>;

def LLM_Tokens : 1DTensorOf<[I32]>;
def LLM_Activation : 2DTensorOf<[AnyType]>;

class LLM_Attr<string name, string mnem> : AttrDef<LLMDialect, name> { let mnemonic = mnem; }

def LLM_CutAttr : LLM_Attr<"Cut", "cut"> {
  let summary = "one piece of a dimension that several chips share";
  let description = [{
    The dimension has `whole` elements and is cut into `pieces` of equal length, the last ones padded. Which piece
    a chip holds follows from its shard.

    Constraints:
    - C1: `pieces` and `whole` are at least 1.
  }];
  let parameters = (ins "int64_t":$pieces, "int64_t":$whole);
  let assemblyFormat = "`<` $pieces `of` $whole `>`";
  let genVerifyDecl = 1;
}

//===-----------------------------------------------------------------------===//
// Declarations
//===-----------------------------------------------------------------------===//

def LLM_WeightOp : LLM_Op<"weight", [Symbol]> {
  let summary = "a named tensor of the weight file";
  let description = [{
    Declares a handle: tensor `source` of the module's `llm.source` file, used with the element type of `type`.
    A tensor used in two ways (an embedding tied to the output projection) has two handles.
    On one of several chips `type` is the part that the chip holds of the cut dimensions; rows of keys and values follow
    the heads of their cache.

    ```mlir
    llm.weight @blk.0.attn_q "blk.0.attn_q.weight" : tensor<64x64xf32>
    ```

    Constraints:
    - C1: `type` is a static tensor of rank 1 or 2 without empty dimensions.
    - C2: its elements are f32, f16 or one of the dialect's three weight types; rank 1 is f32.
    - C3: `source` is not empty.
    - C4: a cut dimension's pieces hold all of it.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, StrAttr:$source, TypeAttrOf<AnyRankedTensor>:$type,
                       OptionalAttr<LLM_CutAttr>:$row_cut, OptionalAttr<LLM_CutAttr>:$column_cut);
  let builders = [OpBuilder<(ins "::mlir::StringAttr":$sym_name, "::mlir::StringAttr":$source, "::mlir::TypeAttr":$type),
                             [{ build($_builder, $_state, sym_name, source, type, {}, {}); }]>];
  let assemblyFormat = "$sym_name $source (`rows` $row_cut^)? (`columns` $column_cut^)? attr-dict `:` $type";
  let extraClassDeclaration = [{
    ::mlir::RankedTensorType getTensorType() { return ::llvm::cast<::mlir::RankedTensorType>(getType()); }
    int64_t getRows() { return getTensorType().getRank() == 1 ? 1 : getTensorType().getDimSize(0); }
    int64_t getCols() { return getTensorType().getShape().back(); }
    /// How the machine stores it; nothing for a float tensor.
    std::optional<WeightType> quantization();
    bool isQuantized() { return quantization().has_value(); }
  }];
}

def LLM_KVCacheOp : LLM_Op<"kv_cache", [Symbol]> {
  let summary = "the keys and values of one layer";
  let description = [{
    Declares storage for `capacity` positions of `kv_heads` keys (int16) and values (fp16, or int16 when attention
    works in tiles) of width `head_dim`, read by `heads` query heads. It starts empty and lives across steps.
    On one of several chips `heads_cut` says which of the layer's query heads these are, and `query_group` how many
    of those share a KV head; KV heads that several chips need are stored by each of them. With `window` a query sees
    the last so many positions, its own among them; `llm-plan-steps` says in `ring` how many are kept, position p in
    place p modulo `ring`, where these are fewer than all.

    ```mlir
    llm.kv_cache @cache.0 {layer = 0 : i64, heads = 8 : i64, kv_heads = 4 : i64, head_dim = 8 : i64, capacity = 512 : i64}
    ```

    Constraints:
    - C1: `layer` is at least 0, everything else at least 1.
    - C2: `kv_heads` divides `heads`.
    - C3: `head_dim` is even.
    - C4: `heads_cut` and `query_group` come together; the pieces hold all heads.
    - C5: `window` is at least 1, `ring` at least the window.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, I64Attr:$layer, I64Attr:$heads, I64Attr:$kv_heads, I64Attr:$head_dim,
                   I64Attr:$capacity, OptionalAttr<LLM_CutAttr>:$heads_cut, OptionalAttr<I64Attr>:$query_group,
                   OptionalAttr<I64Attr>:$window, OptionalAttr<I64Attr>:$ring);
  let builders = [OpBuilder<(ins "::llvm::StringRef":$sym_name, "uint64_t":$layer, "uint64_t":$heads, "uint64_t":$kv_heads,
                                 "uint64_t":$head_dim, "uint64_t":$capacity),
                             [{ build($_builder, $_state, sym_name, layer, heads, kv_heads, head_dim, capacity, {}, {}, {}, {}); }]>];
  let assemblyFormat = "$sym_name attr-dict";
}

def LLM_StepKind : I32EnumAttr<"StepKind", "what a step does", [
    I32EnumAttrCase<"Prefill", 0, "prefill">, I32EnumAttrCase<"Decode", 1, "decode">, I32EnumAttrCase<"Encode", 2, "encode">]> {
  let cppNamespace = "::lpu::compiler::llm";
  let genSpecializedAttr = 0;
}
def LLM_StepKindAttr : EnumAttr<LLMDialect, LLM_StepKind, "step_kind">;

def LLM_StepOp : LLM_Op<"step", [Symbol]> {
  let summary = "one program to build";
  let description = [{
    Asks for a program that feeds `tokens` tokens to @forward, at positions below `context`. One program serves
    every position of its context bucket. An encode step feeds whole sequences of up to `tokens` tokens. A decode step
    may feed the tokens of several `users`, each of whom has caches of their own.

    ```mlir
    llm.step @decode_64 decode tokens 1 context 64
    llm.step @decode_128 decode tokens 1 context 128 users 8
    ```

    Constraints:
    - C1: `tokens` is at least 1 and at most `context`.
    - C2: a decode step feeds exactly one token of each user.
    - C3: an encode step feeds `context` tokens.
    - C4: `users` is at least 1, and more than that for decode steps alone.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, LLM_StepKindAttr:$kind, I64Attr:$tokens, I64Attr:$context,
                       OptionalAttr<I64Attr>:$users);
  let assemblyFormat = "$sym_name $kind `tokens` $tokens `context` $context (`users` $users^)? attr-dict";
}

//===-----------------------------------------------------------------------===//
// Computation
//===-----------------------------------------------------------------------===//

def LLM_EmbeddingOp : LLM_ComputeOp<"embedding", [Pure]> {
  let summary = "rows of the embedding table";
  let description = [{
    Row `token` of the table for every token, as f32. After quantization the table is fp16 (N9).

    ```mlir
    %x = llm.embedding %token, @token_embd : (tensor<?xi32>) -> tensor<?x64xf32>
    ```

    Constraints:
    - C1: the symbol names an `llm.weight` of rank 2 with f32 or f16 elements.
    - C2: the result is f32 and as wide as the table.
  }];
  let arguments = (ins LLM_Tokens:$token, FlatSymbolRefAttr:$weight);
  let results = (outs LLM_Activation:$result);
  let assemblyFormat = "$token `,` $weight attr-dict `:` functional-type(operands, results)";
}

def LLM_RmsNormOp : LLM_ComputeOp<"rms_norm", [Pure]> {
  let summary = "x / sqrt(mean(x²) + eps) ∘ weight · factor";
  let description = [{
    Root-mean-square norm over the width (N5). A quantized result has the static scale that the norm's own bound
    gives, so it never clips. The norm of a branch, which `llm.add` takes, stays f32.

    ```mlir
    %n = llm.rms_norm %x, @blk.0.attn_norm {eps = 1.0e-05 : f32} : (tensor<?x64xf32>) -> tensor<?x64xf32>
    ```

    Constraints:
    - C1: the symbol names an `llm.weight` of rank 1, f32, as wide as the input.
    - C2: `eps` is positive and finite.
    - C3: input and result have the same shape; the input is f32, the result f32 or int16.
    - C4: `factor` is positive and finite.
  }];
  let arguments = (ins LLM_Activation:$input, FlatSymbolRefAttr:$weight, F32Attr:$eps,
                   DefaultValuedAttr<F64Attr, "1.0">:$factor);
  let results = (outs LLM_Activation:$result);
  let assemblyFormat = "$input `,` $weight attr-dict `:` functional-type(operands, results)";
}

def LLM_HeadNormOp : LLM_ComputeOp<"head_norm", [Pure, AllTypesMatch<["input", "result"]>]> {
  let summary = "x / sqrt(mean(x²) + eps) ∘ weight of every head, divided by scale";
  let description = [{
    Root-mean-square norm of queries or keys over the elements of each head, as many as the weight has (N25). `scale` is
    that of the rope which takes the result (N6).

    ```mlir
    %n = llm.head_norm %q, @blk.0.attn_q_norm {eps = 1.0e-06 : f32} : tensor<?x64xf32>
    ```

    Constraints:
    - C1: the symbol names an `llm.weight` of rank 1, f32, whose elements make up the input's width a whole number of
      times.
    - C2: `eps` is positive and finite.
    - C3: the input is f32.
    - C4: `scale` is positive and finite.
  }];
  let arguments = (ins LLM_Activation:$input, FlatSymbolRefAttr:$weight, F32Attr:$eps,
                   DefaultValuedAttr<F64Attr, "1.0">:$scale);
  let results = (outs LLM_Activation:$result);
  let assemblyFormat = "$input `,` $weight attr-dict `:` type($result)";
}

def LLM_LinearOp : LLM_ComputeOp<"linear", [Pure]> {
  let summary = "(x · Wᵀ + bias) · factor";
  let description = [{
    Output n is the dot product of the input with row n of the weight, plus `bias[n]` when given, times `factor`
    (N3). The factor lets a consumer with a static output scale have its reciprocal applied here for nothing (N6, N8).
    With `cap` a result y, which must be the model's, becomes cap·tanh(y/cap) (N26).

    ```mlir
    %q = llm.linear %n, @blk.0.attn_q : (tensor<?x64xf32>) -> tensor<?x64xf32>
    ```

    Constraints:
    - C1: the symbol names an `llm.weight` of rank 2.
    - C2: the weight has as many columns as the input is wide and as many rows as the result.
    - C3: either the weight is int8 and the input int16, or both are f32.
    - C4: the result is f32.
    - C5: `factor` is positive and finite.
    - C6: `bias` names an `llm.weight` of rank 1, f32, as wide as the result.
    - C7: `cap` is positive and finite.
  }];
  let arguments = (ins LLM_Activation:$input, FlatSymbolRefAttr:$weight, DefaultValuedAttr<F64Attr, "1.0">:$factor,
                   OptionalAttr<FlatSymbolRefAttr>:$bias, OptionalAttr<F64Attr>:$cap);
  let builders = [OpBuilder<(ins "::mlir::Type":$result, "::mlir::Value":$input, "::mlir::FlatSymbolRefAttr":$weight,
                                 "::mlir::FloatAttr":$factor, "::mlir::FlatSymbolRefAttr":$bias),
                             [{ build($_builder, $_state, result, input, weight, factor, bias, {}); }]>];
  let results = (outs LLM_Activation:$result);
  let assemblyFormat = "$input `,` $weight attr-dict `:` functional-type(operands, results)";
}

def LLM_RopeOp : LLM_ComputeOp<"rope", [Pure]> {
  let summary = "rotary position embedding";
  let description = [{
    Rotates the interleaved pairs (2i, 2i+1) of each head by position · base^(−2i/head_dim), divided by
    `freqs[i]` when given (N6); a pair whose divisor is infinite keeps its place. Pairs that turn are multiplied by
    `magnitude`. In a cache of more than `original` positions `long_freqs` take the place of `freqs`. With `still` no
    pair turns: the layer has no positions. A quantized result of scale s expects its
    input to carry the factor 1/s already (`llm-verify-quantized` checks it).

    ```mlir
    %r = llm.rope %q, %position {heads = 8 : i64, head_dim = 8 : i64, base = 1.0e+04 : f64} : (tensor<?x64xf32>, tensor<?xi32>) -> tensor<?x64xf32>
    ```

    Constraints:
    - C1: the width is `heads` · `head_dim`, both at least 1, `head_dim` even.
    - C2: `base` is positive and finite.
    - C3: `freqs` names an `llm.weight` of rank 1, f32, with head_dim/2 elements.
    - C4: input and result have the same shape; the input is f32, the result f32 or int16.
    - C5: `magnitude` is positive and finite.
    - C6: `long_freqs` is like `freqs`, and comes with `original`.
  }];
  let arguments = (ins LLM_Activation:$input, LLM_Tokens:$position, I64Attr:$heads, I64Attr:$head_dim, F64Attr:$base,
                   OptionalAttr<FlatSymbolRefAttr>:$freqs, DefaultValuedAttr<F64Attr, "1.0">:$magnitude, UnitAttr:$still,
                   OptionalAttr<FlatSymbolRefAttr>:$long_freqs, OptionalAttr<I64Attr>:$original);
  let results = (outs LLM_Activation:$result);
  let assemblyFormat = "$input `,` $position attr-dict `:` functional-type(operands, results)";
}

def LLM_AttentionOp : LLM_ComputeOp<"attention"> {
  let summary = "append to a KV cache and attend to it";
  let description = [{
    Stores the keys and values of these positions in the cache, then computes softmax(q·kᵀ·scale)·v over all
    positions up to the own one, or those in the cache's window, per query head; `scale` is 1/√head_dim unless given;
    query heads share KV heads in groups. With `cap` a score s becomes cap·tanh(s/cap) (N26). There are two ways to
    do so, which round differently: sweeping over positions (N7), and with `tiles` contracting over them in tiles of the
    cache (N11). `llm-quantize` chooses by the model's shape; with `tiles` the values of the cache are int16 of the result's
    scale s, and the linear that makes them is expected to carry the factor 1/s (`llm-verify-quantized` checks it).

    ```mlir
    %a = llm.attention %q, %k, %v, %position, @cache.0 : (tensor<?x64xf32>, tensor<?x32xf32>, tensor<?x32xf32>, tensor<?xi32>) -> tensor<?x64xf32>
    ```

    Constraints:
    - C1: the symbol names an `llm.kv_cache`.
    - C2: queries and result are heads · head_dim wide, keys and values kv_heads · head_dim.
    - C3: queries, keys and result are all f32 or all int16; values are f32.
    - C4: with `tiles` the cache's head_dim is a multiple of 32.
    - C5: `scale` and `cap` are positive and finite.
  }];
  let arguments = (ins LLM_Activation:$query, LLM_Activation:$key, LLM_Activation:$value, LLM_Tokens:$position,
                   FlatSymbolRefAttr:$cache, UnitAttr:$tiles, OptionalAttr<F64Attr>:$scale, OptionalAttr<F64Attr>:$cap);
  let results = (outs LLM_Activation:$result);
  let assemblyFormat = "$query `,` $key `,` $value `,` $position `,` $cache attr-dict `:` functional-type(operands, results)";
}

def LLM_SiluMulOp : LLM_Op<"silu_mul", [Pure]> {
  let summary = "gate / (1 + e^−gate) ∘ up";
  let description = [{
    The gate of a gated FFN (N8); with `gelu` it is gelu(gate) ∘ up, by the tanh form of N22. A quantized result of scale
    s expects `up` to carry the factor 1/s already (`llm-verify-quantized` checks it).

    ```mlir
    %h = llm.silu_mul %g, %u : (tensor<?x172xf32>, tensor<?x172xf32>) -> tensor<?x172xf32>
    ```

    Constraints:
    - C1: gate, up and result have the same shape; gate and up are f32.
    - C2: the result is f32 or int16.
  }];
  let arguments = (ins LLM_Activation:$gate, LLM_Activation:$up, UnitAttr:$gelu);
  let results = (outs LLM_Activation:$result);
  let assemblyFormat = "$gate `,` $up attr-dict `:` functional-type(operands, results)";
}

def LLM_AddOp : LLM_Op<"add", [Pure]> {
  let summary = "residual sum";
  let description = [{
    branch + residual in f32, in this order (N9).

    ```mlir
    %y = llm.add %branch, %residual : (tensor<?x64xf32>, tensor<?x64xf32>) -> tensor<?x64xf32>
    ```

    Constraints:
    - C1: both operands and the result have one type, f32.
  }];
  let arguments = (ins LLM_Activation:$branch, LLM_Activation:$residual);
  let results = (outs LLM_Activation:$result);
  let assemblyFormat = "$branch `,` $residual attr-dict `:` functional-type(operands, results)";
}

//===-----------------------------------------------------------------------===//
// Between chips
//===-----------------------------------------------------------------------===//

def LLM_AllGatherOp : LLM_Op<"all_gather", [Pure]> {
  let summary = "the whole vector from the pieces of a group of chips";
  let description = [{
    Every chip of a group of `pieces` sends its piece to all others and has the whole afterwards. Nothing is computed.

    ```mlir
    %x = llm.all_gather %own 8 pieces : (tensor<?x8xf32>) -> tensor<?x64xf32>
    ```

    Constraints:
    - C1: there are at least 2 pieces, and together they hold the result.
    - C2: piece and result have the same element type.
  }];
  let arguments = (ins LLM_Activation:$piece, I64Attr:$pieces);
  let results = (outs LLM_Activation:$result);
  let assemblyFormat = "$piece $pieces `pieces` attr-dict `:` functional-type(operands, results)";
}

def LLM_SendOp : LLM_Op<"send"> {
  let summary = "an activation to chips of another stage";
  let description = [{
    The same f32 values leave on each of `links`; which chip stands at the other end is the wiring's. Of a value that
    every chip of a group has whole, each sends its `piece`.

    ```mlir
    llm.send %x links [10] : tensor<?x64xf32>
    ```

    Constraints:
    - C1: there is at least one link, none appears twice, none is negative.
    - C2: the value is f32.
    - C3: the pieces are those of the value's width.
  }];
  let arguments = (ins LLM_Activation:$value, DenseI64ArrayAttr:$links, OptionalAttr<LLM_CutAttr>:$piece);
  let assemblyFormat = "$value `links` $links (`piece` $piece^)? attr-dict `:` type($value)";
}

def LLM_ReceiveOp : LLM_Op<"receive"> {
  let summary = "an activation from chips of another stage";
  let description = [{
    What arrives on `links`, one equally shaped value on each; all but one of several are zeros, and their bits are
    joined. `piece` says which part of the model's vector a chip gets, when it gets a part.

    ```mlir
    %x = llm.receive links [7] : tensor<?x64xf32>
    ```

    Constraints:
    - C1: there is at least one link, none appears twice, none is negative.
    - C2: the value is f32.
    - C3: the pieces hold the whole.
  }];
  let arguments = (ins DenseI64ArrayAttr:$links, OptionalAttr<LLM_CutAttr>:$piece);
  let results = (outs LLM_Activation:$result);
  let assemblyFormat = "`links` $links (`piece` $piece^)? attr-dict `:` type($result)";
}

include "lpu/compiler/Dialect/LLM/LLMEncoderOps.td"

#endif // LPU_COMPILER_DIALECT_LLM_LLMOPS_TD
