// The `lpu` dialect: timed machine instructions on named queues.
//
//   stream --convert-stream-to-lpu--> lpu --lpu-allocate-code--> lpu --lpu-verify-schedule--> lpu --emit--> .lpx
//
// On entry: every object has a place, every flow a start cycle.
// On exit:  each instruction has its queue, cycle, streams and addresses; what
//           is left is to write words.
#ifndef LPU_LPU_DIALECT
#define LPU_LPU_DIALECT

include "mlir/IR/OpBase.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/IR/RegionKindInterface.td"

def Lpu_Dialect : Dialect {
  let name = "lpu";
  let cppNamespace = "::lpu::timed";
  let summary = "Timed instructions on the queues of a chip";
}

class Lpu_Op<string mnemonic, list<Trait> traits = []> : Op<Lpu_Dialect, mnemonic, traits>;

def RegionOp : Lpu_Op<"region"> {
  let summary = "a block of memory rows and what it starts with";
  let description = [{
    `kind` is constant, zero, scratch or code; side 0 is east. `content` tells how a constant is made.
    ```mlir
    lpu.region "x" kind("scratch") side(0) slice(0) slices(4) bank(0) row(0) rows(8)
    ```
    (C1) kind is one of the four; (C2) a constant has content, anything else has none; (C3) no number is negative,
    slices and rows are positive.
  }];
  let arguments = (ins StrAttr:$name, StrAttr:$kind, I64Attr:$side, I64Attr:$slice, I64Attr:$slices, I64Attr:$bank,
                       I64Attr:$row, I64Attr:$rows, OptionalAttr<DictionaryAttr>:$content);
  let assemblyFormat = [{
    $name `kind` `(` $kind `)` `side` `(` $side `)` `slice` `(` $slice `)` `slices` `(` $slices `)` `bank` `(` $bank `)`
    `row` `(` $row `)` `rows` `(` $rows `)` (`content` $content^)? attr-dict
  }];
  let hasVerifier = 1;
}

def ProgramOp : Lpu_Op<"program", [Symbol, NoTerminator, SingleBlock]> {
  let summary = "one step program with its claimed length and bounds";
  let description = [{
    `cycles` is the length of the step (docs/spec/timing.md, T1.5). `bounds` = {weight_stream, resource,
    critical_path, lower}; `usage` = unit utilization of the schedule;
    `phases` lists {name, cycles, bound, bound_cycles}, what each phase took and what bounds it.
    ```mlir
    lpu.program @decode_64 kind("decode") tokens(1) context(64) cycles(100) bounds({}) usage({}) {
    }
    ```
    (C1) cycles is not less than the lower bound; (C2) no queue appears twice.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, StrAttr:$kind, I64Attr:$tokens, I64Attr:$context, I64Attr:$cycles,
                       DictionaryAttr:$bounds, DictionaryAttr:$usage, OptionalAttr<ArrayAttr>:$phases,
                       OptionalAttr<I64Attr>:$users);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $sym_name `kind` `(` $kind `)` `tokens` `(` $tokens `)` `context` `(` $context `)` (`users` `(` $users^ `)`)? `cycles` `(` $cycles `)`
    `bounds` `(` $bounds `)` `usage` `(` $usage `)` (`phases` $phases^)? attr-dict-with-keyword $body
  }];
  let hasVerifier = 1;
}

def BindingOp : Lpu_Op<"binding", [HasParent<"ProgramOp">]> {
  let summary = "where the host writes an input or reads an output";
  let description = [{
    The numbers are those of lpu::isa::Binding: byte b of vector v of item k is row `row + k·vectors + v` of slice `slice + b`.
    ```mlir
    lpu.program @decode_64 kind("decode") tokens(1) context(64) cycles(100) bounds({}) usage({}) {
      lpu.binding "token" direction("in") width(4) items(1) vectors(1) lanes(320) elements(1) side(0) slice(0) bank(0) row(0)
    }
    ```
    (C1) direction is in or out; (C2) width is 1, 2 or 4; (C3) items and vectors are positive, no number is negative.
  }];
  let arguments = (ins StrAttr:$name, StrAttr:$direction, I64Attr:$width, I64Attr:$items, I64Attr:$vectors,
                       I64Attr:$lanes_used, I64Attr:$elements, I64Attr:$side, I64Attr:$slice, I64Attr:$bank, I64Attr:$row);
  let assemblyFormat = [{
    $name `direction` `(` $direction `)` `width` `(` $width `)` `items` `(` $items `)` `vectors` `(` $vectors `)`
    `lanes` `(` $lanes_used `)` `elements` `(` $elements `)` `side` `(` $side `)` `slice` `(` $slice `)` `bank` `(` $bank `)`
    `row` `(` $row `)` attr-dict
  }];
  let hasVerifier = 1;
}

def QueueOp : Lpu_Op<"queue", [NoTerminator, SingleBlock, HasParent<"ProgramOp">]> {
  let summary = "the instructions of one queue in order of time";
  let description = [{
    ```mlir
    lpu.program @decode_64 kind("decode") tokens(1) context(64) cycles(100) bounds({}) usage({}) {
      lpu.queue "mem.e0" {
      }
    }
    ```
    (C1) the name is one of lpu::isa::queueName.
  }];
  let arguments = (ins StrAttr:$queue);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$queue attr-dict-with-keyword $body";
  let hasVerifier = 1;
}

def IssueOp : Lpu_Op<"issue", [HasParent<"QueueOp">]> {
  let summary = "an instruction dispatched at `cycle`, and `count` − 1 times more, `window` cycles apart";
  let description = [{
    `fields` are those of Instructions.def by name, zero ones and `copies` and `wait` omitted. Cycle 0 is the release of the opening SYNC.
    With `window` w > 1 the copies repeat this and the w − 1 issues before it.
    ```mlir
    lpu.program @decode_64 kind("decode") tokens(1) context(64) cycles(200) bounds({}) usage({}) {
      lpu.queue "mem.e0" {
        lpu.issue 118 count(20) "mem" {rd = 1, rdrow = 4, rdstep = 1} for "layer 0: qkv"
      }
    }
    ```
    (C1) the mnemonic exists and the queue takes it; (C2) fields belong to it and fit their bits; (C3) cycle is not
    negative, count is positive and window is 1 to 255.
  }];
  let arguments = (ins I64Attr:$cycle, DefaultValuedAttr<I64Attr, "1">:$count, DefaultValuedAttr<I64Attr, "1">:$window,
                       StrAttr:$opcode, DictionaryAttr:$fields, StrAttr:$label);
  let assemblyFormat = [{
    $cycle (`count` `(` $count^ `)`)? (`window` `(` $window^ `)`)? $opcode $fields `for` $label attr-dict
  }];
  let hasVerifier = 1;
}

#endif
