#ifndef LPU_STREAM_OPS
#define LPU_STREAM_OPS

include "lpu/compiler/Dialect/Stream/StreamDialect.td"

//===-- containers ---------------------------------------------------------===//

def ObjectOp : Stream_Op<"object", [Symbol]> {
  let summary = "a block of memory rows";
  let description = [{
    `planes` slices times `rows` rows of one bank. Vector r of the object has its byte b in row r of slice b.
    `role` is `constant` (contents described by `content`), `zero` (KV cache), `scratch`, `input` or `output`.
    `hint` spreads objects over slice groups: objects that one flow reads together carry different hints.
    `plane` (tiles only) is the MXM plane that loads it; a tile with hint 1 belongs to a sweep and may lie among the
    vectors near VXM, one with hint 2 as well, but rather not in their innermost group. `place` = {side, slice, bank, row} is set by `stream-allocate-memory`; side 0 is east. A tile
    that is no block of 16 slices has also `pieces`: slice, bank and row of each of its four groups of four slices.
    ```mlir
    stream.object @x role("scratch") planes(4) rows(8) hint(0)
    ```
    (C1) role is one of the five; (C2) planes is 1, 2, 4 or 16; (C3) rows is positive;
    (C4) a constant has content, anything else has none; (C5) a place has all four numbers, none negative;
    (C6) an object of 16 planes, and no other, is a tile and has a plane, 0 to 3; (C7) pieces are twelve numbers of a
    tile, none negative.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, StrAttr:$role, I64Attr:$planes, I64Attr:$rows,
                       OptionalAttr<I64Attr>:$hint, OptionalAttr<I64Attr>:$plane,
                       OptionalAttr<DictionaryAttr>:$content, OptionalAttr<DictionaryAttr>:$place);
  let assemblyFormat = [{
    $sym_name `role` `(` $role `)` `planes` `(` $planes `)` `rows` `(` $rows `)`
    (`hint` `(` $hint^ `)`)? (`plane` `(` $plane^ `)`)? (`content` $content^)? (`place` $place^)? attr-dict
  }];
  let hasVerifier = 1;
}

def BindingOp : Stream_Op<"binding", [HasParent<"ProgramOp">, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "an object the host writes before, or reads after, a step";
  let description = [{
    `items` tokens of `vectors` vectors each; `elements` per item, `lanes_used` in each vector.
    ```mlir
    stream.object @token role("input") planes(4) rows(1)
    stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
      stream.binding "token" of @token items(1) vectors(1) lanes(320) elements(1)
    }
    ```
    (C1) the object exists; its role is input or output; (C2) items × vectors are positive and fit its rows.
  }];
  let arguments = (ins StrAttr:$name, FlatSymbolRefAttr:$object, I64Attr:$items, I64Attr:$vectors,
                       I64Attr:$lanes_used, I64Attr:$elements);
  let assemblyFormat = [{
    $name `of` $object `items` `(` $items `)` `vectors` `(` $vectors `)` `lanes` `(` $lanes_used `)`
    `elements` `(` $elements `)` attr-dict
  }];
}

def ProgramOp : Stream_Op<"program", [Symbol, IsolatedFromAbove, NoTerminator, SingleBlock]> {
  let summary = "one step program: bindings and phases in order";
  let description = [{
    `weight_bytes` is what one execution must bring into the arrays: the int8 weights the model uses, unpadded.
    ```mlir
    stream.program @decode_64 kind("decode") tokens(1) context(64) weight_bytes(0) {
    }
    ```
    (C1) kind is prefill, decode or encode; (C2) tokens, context and users are positive.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, StrAttr:$kind, I64Attr:$tokens, I64Attr:$context,
                       I64Attr:$weight_bytes, OptionalAttr<I64Attr>:$users);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $sym_name `kind` `(` $kind `)` `tokens` `(` $tokens `)` `context` `(` $context `)` (`users` `(` $users^ `)`)?
    `weight_bytes` `(` $weight_bytes `)` attr-dict-with-keyword $body
  }];
  let hasVerifier = 1;
}

def PhaseOp : Stream_Op<"phase", [NoTerminator, SingleBlock, HasParent<"ProgramOp">]> {
  let summary = "flows that may overlap; a barrier stands between phases";
  let description = [{
    Scratch objects that no phase needs together may share rows. A phase that is `joined` has no barrier before it: its flows are
    scheduled together with those of the phase before, in program order wherever one touches what another does.
    ```mlir
    stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
      stream.phase "layer 0: norm" {
      }
    }
    ```
  }];
  let arguments = (ins StrAttr:$label, UnitAttr:$joined);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$label (`joined` $joined^)? attr-dict-with-keyword $body";
}

def LoadTileOp : Stream_Op<"load_tile", [HasParent<"PhaseOp">, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "stream a tile into a plane's weight buffer";
  let description = [{
    Rows `row` … `row + rows − 1` of the object (all of them unless `rows` is given) become row groups of the tile, from
    `group` on; 16 rows of the tile a group. A constant may start before its phase does, as soon as the plane's weight buffer is
    free. `transposed` sends the rows through SXM: lane l of slice i becomes lane i of the tile's row l, inside every superlane.
    `twin` also loads the other plane of the side, from the same streams. `packed` expands int4 on the way: a row of the object holds two
    row groups.
    ```mlir
    stream.object @tile role("constant") planes(16) rows(20) plane(2) content {kind = "ones"}
    stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
      stream.phase "layer 0: norm" {
        stream.load_tile @tile plane(2)
        stream.install plane(2)
        stream.load_tile @tile row(8) rows(8) group(8) plane(2) transposed twin
      }
    }
    ```
    (C1) the object exists and has 16 planes; (C2) plane is 0..3 and on the object's side once that is placed;
    (C3) the rows are inside of the object.
  }];
  let arguments = (ins FlatSymbolRefAttr:$object, I64Attr:$plane, DefaultValuedAttr<I64Attr, "0">:$row, OptionalAttr<I64Attr>:$rows,
                       DefaultValuedAttr<I64Attr, "0">:$group, UnitAttr:$transposed, UnitAttr:$twin, UnitAttr:$packed);
  let assemblyFormat = [{
    $object (`row` `(` $row^ `)`)? (`rows` `(` $rows^ `)`)? (`group` `(` $group^ `)`)? `plane` `(` $plane `)`
    (`transposed` $transposed^)? (`twin` $twin^)? (`packed` $packed^)? attr-dict
  }];
}

def InstallOp : Stream_Op<"install", [HasParent<"PhaseOp">]> {
  let summary = "the plane's weight buffer becomes its installed tile";
  let description = [{
    ```mlir
    stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
      stream.phase "layer 0: norm" {
        stream.install plane(2)
      }
    }
    ```
    (C1) plane is 0..3.
  }];
  let arguments = (ins I64Attr:$plane);
  let assemblyFormat = "`plane` `(` $plane `)` attr-dict";
  let hasVerifier = 1;
}

def FlowOp : Stream_Op<"flow", [NoTerminator, SingleBlock, HasParent<"PhaseOp">]> {
  let summary = "a rigid dataflow from sources through units to sinks, `repeat` times, one a cycle";
  let description = [{
    With repeat > 1 everything in the flow happens in `repeat` consecutive cycles, except reads marked `once`
    (they initialise accumulators) and what hangs on a `stream.last` (it happens once, after the burst).
    ```mlir
    stream.object @x role("scratch") planes(4) rows(8)
    stream.object @y role("scratch") planes(4) rows(8)
    stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
      stream.phase "layer 0: norm" {
        stream.flow repeat(1) {
          %x = stream.read @x[0] : !stream.vec<4>
          %y = stream.alu "mulf"(%x) slots([0, 0]) : (!stream.vec<4>) -> !stream.vec<4>
          stream.write %y, @y[0] : !stream.vec<4>
        }
      }
    }
    ```
    (C1) repeat is positive; (C2) the body has no arguments, so that every value is made in the flow.
  }];
  let arguments = (ins I64Attr:$repeat);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "`repeat` `(` $repeat `)` attr-dict-with-keyword $body";
  let hasVerifier = 1;
}

//===-- inside a flow ------------------------------------------------------===//

def ReadOp : Stream_Op<"read", [HasParent<"FlowOp">, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "a row of an object, all its planes, towards VXM";
  let description = [{
    In copy j of a burst the row is `row + j·step`; with `once` there is one read however long the burst.
    ```mlir
    stream.object @x role("scratch") planes(4) rows(8)
    stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
      stream.phase "layer 0: norm" {
        stream.flow repeat(4) {
          %x = stream.read @x[3] step(1) : !stream.vec<4>
        }
      }
    }
    ```
    (C1) the object exists and has as many planes as the vector has bytes; (C2) every row is inside of it.
  }];
  let arguments = (ins FlatSymbolRefAttr:$object, I64Attr:$row, DefaultValuedAttr<I64Attr, "0">:$step, UnitAttr:$once);
  let results = (outs Stream_VecType:$result);
  let assemblyFormat = "$object `[` $row `]` (`step` `(` $step^ `)`)? (`once` $once^)? attr-dict `:` type($result)";
}

def GatherOp : Stream_Op<"gather", [HasParent<"FlowOp">, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "rows chosen by data: superlane k takes the row its map word names";
  let description = [{
    The map holds absolute row numbers; 0xFFFF gives zeros.
    ```mlir
    stream.object @token role("input") planes(4) rows(1)
    stream.object @table role("constant") planes(4) rows(100) content {kind = "ones"}
    stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
      stream.phase "layer 0: norm" {
        stream.flow repeat(1) {
          %id = stream.read @token[0] : !stream.vec<4>
          %map = stream.alu "addi"(%id) slots([0, -1]) imm(0) row_of @table : (!stream.vec<4>) -> !stream.vec<2>
          %x = stream.gather %map, @table : !stream.vec<2>, !stream.vec<4>
        }
      }
    }
    ```
    (C1) the object exists and has as many planes as the vector has bytes; (C2) the map has 2 bytes.
  }];
  let arguments = (ins Stream_VecType:$map, FlatSymbolRefAttr:$object);
  let results = (outs Stream_VecType:$result);
  let assemblyFormat = "$map `,` $object attr-dict `:` type($map) `,` type($result)";
}

def AluOp : Stream_Op<"alu", [HasParent<"FlowOp">, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "one VXM operation";
  let description = [{
    `slots` names the operands a, b, c: n ≥ 0 is SSA argument n, −1 the immediate, −2 the ALU's accumulator.
    `init` says what the accumulator holds before the first operation: SSA argument `init`, or the bits
    `init_imm`. A row that initialises it arrives the cycle before, or `early` cycles sooner. `acc_write` makes the operation accumulate. `imm_row_of` adds the first row of a placed
    object to the immediate. `width` bytes of the result travel when it leaves VXM.
    ```mlir
    stream.object @x role("scratch") planes(4) rows(8)
    stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
      stream.phase "layer 0: norm" {
        stream.flow repeat(1) {
          %x = stream.read @x[0] : !stream.vec<4>
          %y = stream.alu "addi"(%x) slots([0, -1]) imm(128) : (!stream.vec<4>) -> !stream.vec<2>
        }
      }
    }
    ```
    (C1) the mnemonic is a VXM operation and takes as many slots as given; (C2) slots and init name existing arguments;
    (C3) an accumulator slot needs init or init_imm; (C4) the object of row_of exists; (C5) early is not negative.
  }];
  let arguments = (ins StrAttr:$opcode, Variadic<Stream_VecType>:$args, DenseI64ArrayAttr:$slots,
                       OptionalAttr<I64Attr>:$imm, OptionalAttr<FlatSymbolRefAttr>:$imm_row_of,
                       OptionalAttr<I64Attr>:$init, OptionalAttr<I64Attr>:$init_imm, UnitAttr:$acc_write,
                       DefaultValuedAttr<I64Attr, "0">:$early);
  let results = (outs Stream_VecType:$result);
  let assemblyFormat = [{
    $opcode `(` $args `)` `slots` `(` $slots `)` (`imm` `(` $imm^ `)`)? (`row_of` $imm_row_of^)?
    (`init` `(` $init^ `)`)? (`init_imm` `(` $init_imm^ `)`)? (`acc` $acc_write^)? (`early` `(` $early^ `)`)?
    attr-dict `:` functional-type($args, $result)
  }];
  let hasVerifier = 1;
}

def LastOp : Stream_Op<"last", [HasParent<"FlowOp">]> {
  let summary = "after the burst: an operation on the accumulator of an accumulating ALU";
  let description = [{
    `opcode` is applied on the same ALU to its accumulator (first operand) and, if given, `arg` (second).
    It may wait: `stagger` is the least number of cycles between the burst's last operation and this one.
    ```mlir
    stream.object @x role("scratch") planes(4) rows(8)
    stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
      stream.phase "layer 0: norm" {
        stream.flow repeat(8) {
          %x = stream.read @x[0] step(1) : !stream.vec<4>
          %acc = stream.alu "addi"(%x) slots([-2, 0]) init_imm(0) acc : (!stream.vec<4>) -> !stream.vec<4>
          %m = stream.last "move" of %acc : !stream.vec<4> -> !stream.vec<4>
        }
      }
    }
    ```
    (C1) the operand is an accumulating stream.alu; (C2) the mnemonic is a VXM operation of one operand, or two with `arg`.
  }];
  let arguments = (ins StrAttr:$opcode, Stream_VecType:$acc, Optional<Stream_VecType>:$arg,
                       DefaultValuedAttr<I64Attr, "0">:$stagger);
  let results = (outs Stream_VecType:$result);
  let assemblyFormat = "$opcode `of` $acc (`with` $arg^ `:` type($arg) `,`)? (`stagger` `(` $stagger^ `)`)? attr-dict `:` type($acc) `->` type($result)";
  let hasVerifier = 1;
}

def WriteOp : Stream_Op<"write", [HasParent<"FlowOp">, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "a vector into a row of an object";
  let description = [{
    In copy j of a burst the row is `row + j·step`.
    ```mlir
    stream.object @x role("scratch") planes(4) rows(8)
    stream.object @y role("scratch") planes(4) rows(8)
    stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
      stream.phase "layer 0: norm" {
        stream.flow repeat(8) {
          %x = stream.read @x[0] step(1) : !stream.vec<4>
          %y = stream.alu "move"(%x) slots([0]) : (!stream.vec<4>) -> !stream.vec<4>
          stream.write %y, @y[0] step(1) : !stream.vec<4>
        }
      }
    }
    ```
    (C1) the object exists and has as many planes as the vector has bytes; (C2) every row is inside of it; (C3) it is not
    a constant; (C4) the value comes from VXM, which is where streams turn outwards.
  }];
  let arguments = (ins Stream_VecType:$value, FlatSymbolRefAttr:$object, I64Attr:$row, DefaultValuedAttr<I64Attr, "0">:$step);
  let hasVerifier = 1;
  let assemblyFormat = "$value `,` $object `[` $row `]` (`step` `(` $step^ `)`)? attr-dict `:` type($value)";
}

def ScatterOp : Stream_Op<"scatter", [HasParent<"FlowOp">, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "a vector into rows chosen by data";
  let description = [{
    The map is that of stream.gather; 0xFFFF writes nothing.
    ```mlir
    stream.object @position role("input") planes(4) rows(1)
    stream.object @cache role("zero") planes(2) rows(64)
    stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
      stream.phase "layer 0: norm" {
        stream.flow repeat(1) {
          %p = stream.read @position[0] : !stream.vec<4>
          %map = stream.alu "addi"(%p) slots([0, -1]) imm(0) row_of @cache : (!stream.vec<4>) -> !stream.vec<2>
          %x = stream.alu "move"(%p) slots([0]) : (!stream.vec<4>) -> !stream.vec<2>
          stream.scatter %x, %map, @cache : !stream.vec<2>, !stream.vec<2>
        }
      }
    }
    ```
    (C1) the object exists and has as many planes as the vector has bytes; (C2) the map has 2 bytes; (C3) the object is not
    a constant.
  }];
  let arguments = (ins Stream_VecType:$value, Stream_VecType:$map, FlatSymbolRefAttr:$object);
  let assemblyFormat = "$value `,` $map `,` $object attr-dict `:` type($value) `,` type($map)";
}

def ScatterTileOp : Stream_Op<"scatter_tile", [HasParent<"FlowOp">, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "a byte of a vector into rows of a tile chosen by data";
  let description = [{
    All 16 slices of the object see the byte; slice i takes, for superlane k, the row in lane 16·k + i of the map. 0xFFFF writes nothing.
    ```mlir
    stream.object @position role("input") planes(4) rows(1)
    stream.object @keys role("zero") planes(16) rows(20) plane(1)
    stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
      stream.phase "layer 0: attention" {
        stream.flow repeat(1) {
          %p = stream.read @position[0] : !stream.vec<4>
          %map = stream.alu "addi"(%p) slots([0, -1]) imm(0) row_of @keys : (!stream.vec<4>) -> !stream.vec<2>
          %x = stream.alu "move"(%p) slots([0]) : (!stream.vec<4>) -> !stream.vec<2>
          stream.scatter_tile %x byte(1), %map, @keys : !stream.vec<2>, !stream.vec<2>
        }
      }
    }
    ```
    (C1) the object exists and has 16 planes; (C2) the map has 2 bytes; (C3) the object is not a constant; (C4) byte is one
    of the vector; (C5) value and map come from VXM.
  }];
  let arguments = (ins Stream_VecType:$value, I64Attr:$byte, Stream_VecType:$map, FlatSymbolRefAttr:$object);
  let assemblyFormat = "$value `byte` `(` $byte `)` `,` $map `,` $object attr-dict `:` type($value) `,` type($map)";
  let hasVerifier = 1;
}

def LanesOp : Stream_Op<"lanes", [HasParent<"FlowOp">, AllTypesMatch<["value", "result"]>]> {
  let summary = "a vector through SXM and back, its lanes moved";
  let description = [{
    `kind` names the instruction and the pattern, with n = `amount` + j·`step` in copy j of a burst:
    `permute.broadcast` puts superlane n into all superlanes, `permute.rotate` superlane k + n (modulo their number) into superlane k;
    `permute.exchange` exchanges the first n superlanes with the next n; `permute.spread` puts the last superlane into the first n, the one before
    it into the next n, and so on;
    `distribute.broadcast` puts lane n of each superlane into all of its lanes, `distribute.rotate` lane i + n (modulo 16) into lane i;
    `rotate` puts lane i − n (modulo 16) into lane i. Byte b takes queue `queue` + b of the instruction's queues on the side.
    ```mlir
    stream.object @x role("scratch") planes(4) rows(8)
    stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
      stream.phase "layer 0: attention" {
        stream.flow repeat(4) {
          %x = stream.read @x[0] : !stream.vec<4>
          %y = stream.alu "move"(%x) slots([0]) : (!stream.vec<4>) -> !stream.vec<4>
          %z = stream.lanes "distribute.rotate" %y side(0) amount(1) step(1) queue(0) : !stream.vec<4>
          %w = stream.alu "move"(%z) slots([0]) : (!stream.vec<4>) -> !stream.vec<4>
          stream.write %w, @x[1] step(1) : !stream.vec<4>
        }
      }
    }
    ```
    (C1) kind is one of the seven; (C2) side is 0 or 1; (C3) the value comes from VXM; (C4) amount and queue are not negative.
  }];
  let arguments = (ins StrAttr:$kind, Stream_VecType:$value, I64Attr:$side, I64Attr:$amount, DefaultValuedAttr<I64Attr, "0">:$step, I64Attr:$queue);
  let results = (outs Stream_VecType:$result);
  let assemblyFormat = [{
    $kind $value `side` `(` $side `)` `amount` `(` $amount `)` (`step` `(` $step^ `)`)? `queue` `(` $queue `)` attr-dict `:` type($value)
  }];
  let hasVerifier = 1;
}

def LoadOp : Stream_Op<"load", [HasParent<"FlowOp">]> {
  let summary = "bytes of a vector into activation rows of planes of one side";
  let description = [{
    Entry i: byte bytes[i] of the vector goes into activation row rows[i] of plane planes[i], all in one cycle; in copy j of a
    burst into row rows[i] + j·step.
    ```mlir
    stream.object @x role("scratch") planes(4) rows(8)
    stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
      stream.phase "layer 0: norm" {
        stream.flow repeat(1) {
          %x = stream.read @x[0] : !stream.vec<4>
          %d = stream.alu "move"(%x) slots([0]) : (!stream.vec<4>) -> !stream.vec<2>
          stream.load %d planes([0, 1]) bytes([0, 1]) rows([4, 5]) : !stream.vec<2>
        }
      }
    }
    ```
    (C1) the lists have equal length; (C2) all planes are on one side; (C3) no plane appears twice, because
    an A queue takes one load a cycle; (C4) planes are 0..3 and bytes are bytes of the vector; (C5) the value comes from VXM.
  }];
  let arguments = (ins Stream_VecType:$value, DenseI64ArrayAttr:$planes, DenseI64ArrayAttr:$bytes, DenseI64ArrayAttr:$rows,
                       DefaultValuedAttr<I64Attr, "0">:$step);
  let hasVerifier = 1;
  let assemblyFormat = "$value `planes` `(` $planes `)` `bytes` `(` $bytes `)` `rows` `(` $rows `)` (`step` `(` $step^ `)`)? attr-dict `:` type($value)";
}

def FetchOp : Stream_Op<"fetch", [HasParent<"FlowOp">, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "a byte row of an object straight into activation rows of planes of its side";
  let description = [{
    The row never passes VXM: it leaves memory outwards. Plane planes[i] takes it into activation row rows[i]; all
    planes sample the same value in one cycle. Digits that wait in memory reach the MXM this way.
    ```mlir
    stream.object @h role("scratch") planes(2) rows(8)
    stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
      stream.phase "layer 0: ffn" {
        stream.flow repeat(1) {
          stream.fetch @h[3] byte(1) planes([0, 1]) rows([7, 7])
        }
      }
    }
    ```
    (C1) the object exists and has the byte; (C2) every row is inside of it; (C3) the lists have equal length; (C4) planes
    are 0..3, all on one side, none twice, and on the object's side once that is placed.
  }];
  let arguments = (ins FlatSymbolRefAttr:$object, I64Attr:$row, I64Attr:$byte, DenseI64ArrayAttr:$planes, DenseI64ArrayAttr:$rows);
  let hasVerifier = 1;
  let assemblyFormat = "$object `[` $row `]` `byte` `(` $byte `)` `planes` `(` $planes `)` `rows` `(` $rows `)` attr-dict";
}

def PassOp : Stream_Op<"pass", [HasParent<"FlowOp">]> {
  let summary = "play an activation row through the plane's tile and take the sum into an accumulator row";
  let description = [{
    Only the superlanes whose bit is set in `mask` take part, all unless it is given. In copy j of a burst both rows are j further.
    With a result the accumulator row leaves for VXM in the cycle in which it takes the sum, so that no other word has to emit it.
    ```mlir
    stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
      stream.phase "layer 0: norm" {
        stream.flow repeat(1) {
          stream.pass plane(0) row(4) acc(10) add(false)
        }
        stream.flow repeat(4) {
          stream.pass plane(0) row(4) acc(10) add(true) mask(255)
        }
        stream.flow repeat(1) {
          %s = stream.pass plane(0) row(4) acc(10) add(true) : !stream.vec<4>
          %y = stream.alu "cvt.i32.f32"(%s) slots([0]) : (!stream.vec<4>) -> !stream.vec<4>
        }
        stream.flow repeat(1) {
          stream.pass plane(0) row(5) acc(11) add(false) mask(1023) fp16
        }
      }
    }
    ```
    With `fp16` the plane and the one above it sum fp16 values, of which they hold the low and the high bytes (timing.md T5.6); the fp32 sum
    is in the plane's accumulators.
    (C1) plane is 0..3; (C2) a result has 4 bytes; (C3) with fp16 the plane is even and there is a mask.
  }];
  let arguments = (ins I64Attr:$plane, I64Attr:$row, I64Attr:$acc, BoolAttr:$add, OptionalAttr<I64Attr>:$mask, UnitAttr:$fp16);
  let results = (outs Optional<Stream_VecType>:$result);
  let hasVerifier = 1;
  let assemblyFormat = [{
    `plane` `(` $plane `)` `row` `(` $row `)` `acc` `(` $acc `)` `add` `(` $add `)` (`mask` `(` $mask^ `)`)? (`fp16` $fp16^)? attr-dict (`:` type($result)^)?
  }];
}

def EmitOp : Stream_Op<"emit", [HasParent<"FlowOp">]> {
  let summary = "an accumulator row, int32 or fp32, towards VXM";
  let description = [{
    In copy j of a burst the row is acc + j.
    ```mlir
    stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
      stream.phase "layer 0: norm" {
        stream.flow repeat(1) {
          %s = stream.emit plane(0) acc(10) : !stream.vec<4>
        }
      }
    }
    ```
    (C1) plane is 0..3; (C2) the result has 4 bytes.
  }];
  let arguments = (ins I64Attr:$plane, I64Attr:$acc);
  let results = (outs Stream_VecType:$result);
  let hasVerifier = 1;
  let assemblyFormat = "`plane` `(` $plane `)` `acc` `(` $acc `)` attr-dict `:` type($result)";
}

def SweepOp : Stream_Op<"sweep", [HasParent<"FlowOp">]> {
  let summary = "stream-through pass: byte of a vector -> activation row -> tile -> sum -> VXM, every cycle";
  let description = [{
    Uses 8 activation rows from `row` in turn; each vector is played 1 + `delay` cycles after it is
    loaded, so that digits that must meet later in VXM can be told apart by four cycles.
    ```mlir
    stream.object @x role("scratch") planes(4) rows(8)
    stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
      stream.phase "layer 0: norm" {
        stream.flow repeat(8) {
          %x = stream.read @x[0] step(1) : !stream.vec<4>
          %d = stream.alu "move"(%x) slots([0]) : (!stream.vec<4>) -> !stream.vec<4>
          %s = stream.sweep %d byte(3) plane(0) row(0) acc(511) delay(0) : !stream.vec<4>, !stream.vec<4>
        }
      }
    }
    ```
    (C1) plane is 0..3; (C2) byte is one of the vector; (C3) the result has 4 bytes.
  }];
  let arguments = (ins Stream_VecType:$value, I64Attr:$byte, I64Attr:$plane, I64Attr:$row, I64Attr:$acc, I64Attr:$delay);
  let results = (outs Stream_VecType:$result);
  let assemblyFormat = [{
    $value `byte` `(` $byte `)` `plane` `(` $plane `)` `row` `(` $row `)` `acc` `(` $acc `)` `delay` `(` $delay `)`
    attr-dict `:` type($value) `,` type($result)
  }];
  let hasVerifier = 1;
}

//===-- between chips ------------------------------------------------------===//

def SendOp : Stream_Op<"send", [HasParent<"FlowOp">, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "one byte of a row's elements out on links of one side";
  let description = [{
    A link carries a vector of bytes at a time, so a row of n planes takes n of these. The row goes straight from memory
    to the links; those of one side sample the same stream.
    ```mlir
    stream.object @x role("scratch") planes(4) rows(8)
    stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
      stream.phase "layer 0: gather x" {
        stream.flow repeat(1) {
          stream.send @x[3] byte(0) links([0, 1, 2])
        }
      }
    }
    ```
    (C1) the object exists; (C2) the row and the byte are inside of it; (C3) there is at least one link, none twice and none
    negative; (C4) the flow happens once.
  }];
  let arguments = (ins FlatSymbolRefAttr:$object, I64Attr:$row, I64Attr:$byte, DenseI64ArrayAttr:$links);
  let assemblyFormat = "$object `[` $row `]` `byte` `(` $byte `)` `links` `(` $links `)` attr-dict";
  let hasVerifier = 1;
}

def ReceiveOp : Stream_Op<"receive", [HasParent<"FlowOp">, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "the oldest vector of a link into one byte of a row's elements";
  let description = [{
    The row is the same in every object; on its way past or through VXM the vector can be written on both sides.
    Links that join a group of equal chips deliver what this program sends (llm.shards of its class says which those are);
    it is received C2cSend cycles after that or later. The order on a link is that of the program.
    ```mlir
    stream.object @x role("scratch") planes(4) rows(8)
    stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
      stream.phase "layer 0: gather x" {
        stream.flow repeat(1) {
          stream.receive link(0) into [@x] row(5) byte(0)
        }
      }
    }
    ```
    (C1) there are objects and they exist; (C2) the row and the byte are inside of them; (C3) the link is not negative;
    (C4) the flow happens once; (C5) no object is a constant.
  }];
  let arguments = (ins I64Attr:$link, TypedArrayAttrBase<FlatSymbolRefAttr, "objects">:$objects, I64Attr:$row, I64Attr:$byte);
  let assemblyFormat = "`link` `(` $link `)` `into` $objects `row` `(` $row `)` `byte` `(` $byte `)` attr-dict";
  let hasVerifier = 1;
}

#endif
