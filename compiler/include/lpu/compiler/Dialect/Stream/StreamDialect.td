// The `stream` dialect: one chip's work as flows, without cycles.
//
//   llm --convert-llm-to-stream--> stream --stream-allocate-memory--> placed stream
//       --convert-stream-to-lpu--> lpu
//
// On entry: every tensor is quantized and every step program is named (llm.step).
// On exit:  every memory object has a place; a program is a list of phases, a
//           phase a list of flows, and only the start cycle of each flow is open.
#ifndef LPU_STREAM_DIALECT
#define LPU_STREAM_DIALECT

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/IR/RegionKindInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Stream_Dialect : Dialect {
  let name = "stream";
  let cppNamespace = "::lpu::stream";
  let summary = "Flows of vectors between memory objects and functional units, untimed";
  let description = [{
    A *flow* is rigid: the machine's streams never stall, so the start cycle of a flow fixes the cycle of
    everything in it. What a flow touches (memory rows, activation rows, accumulator rows, tiles) orders
    it against other flows of its phase: program order of conflicting accesses is kept. Phases follow one
    another: no flow of a phase starts before all effects of the previous phase are visible, except tile loads.

    MXM planes are numbered 0, 1 (east) and 2, 3 (west).
  }];
  let useDefaultTypePrinterParser = 1;
}

class Stream_Type<string name, string mnem> : TypeDef<Stream_Dialect, name> { let mnemonic = mnem; }

def Stream_VecType : Stream_Type<"Vec", "vec"> {
  let summary = "one vector on a group of streams: `width` bytes in each lane";
  let description = "(C1) width is 1, 2 or 4: stream groups of other sizes do not exist (docs/spec/timing.md T2.6).";
  let parameters = (ins "unsigned":$width);
  let assemblyFormat = "`<` $width `>`";
  let genVerifyDecl = 1;
}

class Stream_Op<string mnemonic, list<Trait> traits = []> : Op<Stream_Dialect, mnemonic, traits>;

#endif
