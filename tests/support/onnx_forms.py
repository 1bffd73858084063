"""One part of an encoder in a form that some tool writes: an operator of ONNX Runtime's com.microsoft, a newer operator of
ONNX itself, or another arrangement of plain ones. Every form means the same as encoder.py's own, so the plain twin, by
numpy, tells the right values. That ONNX Runtime reads the files as meant was seen with its own package (onnxruntime-node).
"""
import math

from encoder import Encoder, TensorProto, Writer, helper, numpy_helper
from tools import np

SMALL = dict(hidden=64, heads=4, layers=1, ffn=96)


class Form(Writer):
    """`form` names what is written otherwise; an encoder's own options say the rest."""

    def __init__(self, form, **options):
        super().__init__(Encoder(**SMALL | {"fused_norm": True} | options))
        self.of = form
        self.opset = next((int(word) for word in form.split() if word.isdigit()), 0)

    def number(self, value):
        return self.constant(value, np.float32)

    def side(self, p, kind):
        return np.concatenate([self.e.weights[f"{p}{name}.{kind}"] for name in ("query", "key", "value")], axis=-1)

    def codes(self, name, matrix):
        """(codes, scale, zero) of a matrix whose values are those of the codes: see `exact`."""
        scale = np.float32(np.abs(matrix).max() / 127)
        return (self.initializer(name + ".codes", np.rint(matrix / scale).astype(np.int8)), self.initializer(name + ".scale", scale),
                self.initializer(name + ".zero", np.int8(0)))

    def exact(self):
        """The matrices become what their codes stand for, so that codes cost nothing."""
        for name, matrix in self.e.weights.items():
            if name.endswith(".weight"):
                scale = np.float32(np.abs(matrix).max() / 127)
                self.e.weights[name] = np.rint(matrix / scale).astype(np.float32) * scale
        return self

    def plain(self):
        """The twin: the same weights, all plain."""
        twin = Writer(Encoder(**SMALL | {"fused_norm": True}))
        twin.e = self.e
        return twin.model()

    #===-- attention

    def mask_of(self, kind):
        if kind == "padding":
            return self.node("Cast", "attention_mask", to=TensorProto.INT32)
        if kind == "lengths":
            return self.node("ReduceSum", self.node("Cast", "attention_mask", to=TensorProto.INT32), self.constant([1], np.int64), keepdims=0)
        if kind == "cube":  # [1, tokens, tokens]
            row = self.node("Unsqueeze", self.node("Cast", "attention_mask", to=TensorProto.INT32), self.constant([1], np.int64))
            length = self.node("Gather", self.node("Shape", "attention_mask"), self.constant([1], np.int64))
            one = self.constant([1], np.int64)
            return self.node("Expand", row, self.node("Concat", one, length, one, axis=0))
        return ""

    def truths(self, kind=TensorProto.BOOL):
        """Which tokens see which, [1, 1, tokens, tokens]."""
        row = self.node("Cast", self.node("Unsqueeze", "attention_mask", self.constant([1, 2], np.int64)), to=kind)
        length = self.node("Gather", self.node("Shape", "attention_mask"), self.constant([1], np.int64))
        one = self.constant([1], np.int64)
        return self.node("Expand", row, self.node("Concat", one, one, length, length, axis=0))

    def attended(self, x, mask, p):
        of, heads, width = self.of, self.e.heads, self.e.hidden // self.e.heads
        kind = next((word for word in of.split() if word in ("padding", "lengths", "cube")), "")
        if of.startswith("Attention "):
            sizes = {"qkv_hidden_sizes": [self.e.hidden] * 3} if "sizes" in of else {}
            if "causal" in of:
                sizes["unidirectional"] = 1
            if "scale" in of:
                sizes["scale"] = 1 / math.sqrt(width)
            weight, bias = (self.initializer(p + "qkv." + k, self.side(p, k)) for k in ("weight", "bias"))
            more = ["", mask_4d(self, mask)] if "biased" in of else []
            return self.microsoft("Attention", x, weight, bias, self.mask_of(kind), *more, num_heads=heads, **sizes)
        if of.startswith("QAttention"):
            codes, scale, zero = self.codes(p + "qkv", self.side(p, "weight"))
            q, s, z = self.node("DynamicQuantizeLinear", x, outputs=3)
            return self.microsoft("QAttention", q, codes, self.initializer(p + "qkv.bias", self.side(p, "bias")), s, scale, self.mask_of(kind), z, zero, num_heads=heads)
        if of.startswith("MultiHeadAttention"):
            if "biased" in of:
                parts = [self.node("MatMul", x, self.weight(p + name + ".weight")) for name in ("query", "key", "value")]
                bias = self.initializer(p + "qkv.bias", self.side(p, "bias"))
            else:
                parts, bias = [self.dense(x, p + name) for name in ("query", "key", "value")], ""
            return self.microsoft("MultiHeadAttention", *parts, bias, self.mask_of(kind), num_heads=heads)
        if of.startswith("Attention-ONNX"):
            parts = [self.dense(x, p + name) for name in ("query", "key", "value")]
            if "packed" in of:
                return self.node("Attention", *parts, q_num_heads=heads, kv_num_heads=heads)
            parts = [self.split(part, [0, 2, 1, 3]) for part in parts]
            masks = [self.truths()] if "mask" in of else []
            y = self.node("Attention", *parts, *masks, scale=1 / math.sqrt(width))
            return self.node("Reshape", self.node("Transpose", y, perm=[0, 2, 1, 3]), self.constant([0, 0, -1], np.int64))
        if of.startswith("scores"):
            return self.written_out(x, mask, p)
        if of in ("FusedMatMul", "TransposeMatMul", "BiasSoftmax"):
            q, k, v = (self.split(self.dense(x, p + name), [0, 2, 1, 3]) for name in ("query", "key", "value"))
            op = "FusedMatMul" if of == "BiasSoftmax" else of
            scores = self.microsoft(op, q, k, transB=1, alpha=1 / math.sqrt(width))
            if of == "BiasSoftmax":
                weights = self.microsoft("BiasSoftmax", scores, mask, axis=3, is_inner_broadcast=0)
            else:
                weights = self.node("Softmax", self.node("Add", scores, mask), axis=-1)
            y = self.node("Transpose", self.node("MatMul", weights, v), perm=[0, 2, 1, 3])
            return self.node("Reshape", y, self.constant([0, 0, self.e.hidden], np.int64))
        return super().attended(x, mask, p)

    def written_out(self, x, mask, p):
        """Attention as torch writes scaled_dot_product_attention out, and masks as models of different years have them."""
        of, width = self.of, self.e.hidden // self.e.heads
        q, k, v = (self.split(self.dense(x, p + name), [0, 2, 1, 3]) for name in ("query", "key", "value"))
        root = self.node("Sqrt", self.number(1 / math.sqrt(width)))
        if "both sides" in of:
            scores = self.node("MatMul", self.node("Mul", q, root), self.node("Mul", self.node("Transpose", k, perm=[0, 1, 3, 2]), root))
        else:
            scores = self.node("Div", self.node("MatMul", q, self.node("Transpose", k, perm=[0, 1, 3, 2])), self.number(math.sqrt(width)))
        if "Where of scores" in of:  # DistilBERT: masked_fill
            hidden = self.node("Equal", self.truths(TensorProto.FLOAT), self.number(0))
            scores = self.node("Where", hidden, self.number(-np.inf), scores)
        elif "Where" in of:  # since transformers 4.36: what the inverted mask hides becomes the least number
            hidden = self.node("Sub", self.number(1), self.truths(TensorProto.FLOAT))
            scores = self.node("Add", scores, self.node("Where", self.node("Cast", hidden, to=TensorProto.BOOL), self.number(-3.4028235e38), hidden))
        else:
            scores = self.node("Add", scores, mask)
        y = self.node("Transpose", self.node("MatMul", self.node("Softmax", scores, axis=-1), v), perm=[0, 2, 1, 3])
        return self.node("Reshape", y, self.constant([0, 0, self.e.hidden], np.int64))

    #===-- linears

    def dense(self, x, name):
        matrix = self.e.weights[name + ".weight"]
        if self.of == "MatMulIntegerToFloat":
            q, s, z = self.node("DynamicQuantizeLinear", x, outputs=3)
            codes, scale, zero = self.codes(name, matrix)
            return self.microsoft("MatMulIntegerToFloat", q, codes, s, scale, z, zero, self.weight(name + ".bias"))
        if self.of == "DynamicQuantizeMatMul":
            return self.microsoft("DynamicQuantizeMatMul", x, *self.codes(name, matrix), self.weight(name + ".bias"))
        if self.of == "QLinearMatMul":
            codes, scale, zero = self.codes(name, matrix)
            s, z = self.initializer(name + ".in.scale", np.float32(1 / 20)), self.initializer(name + ".in.zero", np.uint8(128))
            y = self.node("QLinearMatMul", self.node("QuantizeLinear", x, s, z), s, z, codes, scale, zero, s, z)
            return self.node("Add", self.node("DequantizeLinear", y, s, z), self.weight(name + ".bias"))
        if self.of == "Gemm" or (self.of.startswith("FusedGemm") and name.endswith("intermediate")):
            # Two dimensions, and the matrix the other way round, as nn.Linear has it.
            flat = self.node("Reshape", x, self.constant([-1, matrix.shape[0]], np.int64))
            turned, bias = self.initializer(name + ".turned", matrix.T), self.weight(name + ".bias")
            if self.of == "Gemm":
                y = self.node("Gemm", flat, turned, bias, transB=1)
            else:
                y = self.microsoft("FusedGemm", flat, turned, bias, transB=1, activation=self.of.split()[1])
            return self.node("Reshape", y, self.constant([1, -1, matrix.shape[1]] if not name.startswith(("pooler", "head")) else [1, -1], np.int64))
        if name.endswith("intermediate") and self.of in ("BiasGelu", "FastGelu biased"):
            return self.node("MatMul", x, self.initializer(name + ".weight", matrix))  # the activation adds the bias
        return super().dense(x, name)

    #===-- activations and norms

    def gelu(self, x):
        if self.of == "BiasGelu":
            return self.microsoft("BiasGelu", x, self.weight("layer.0.intermediate.bias"))
        if self.of == "FastGelu biased":
            return self.microsoft("FastGelu", x, self.weight("layer.0.intermediate.bias"))
        if self.of in ("FastGelu", "Gelu"):
            return self.microsoft(self.of, x)
        if self.of == "QuickGelu":
            return self.microsoft("QuickGelu", x, alpha=1.702)
        if self.of.startswith("Gelu-ONNX"):
            return self.node("Gelu", x, approximate="tanh" if "tanh" in self.of else "none")
        return x if self.of.startswith("FusedGemm") else super().gelu(x)

    def sum_of_codes(self, a, b):
        """a + b, both and the sum as eight bits."""
        s, z = self.constant(1 / 16, np.float32), self.constant(120, np.uint8)
        codes = [self.node("QuantizeLinear", x, s, z) for x in (a, b)]
        return self.node("DequantizeLinear", self.microsoft("QLinearAdd", codes[0], s, z, codes[1], s, z, s, z), s, z)

    def layer(self, x, mask, i):
        p = f"layer.{i}."
        if self.of == "QLinearAdd":
            x = self.norm(self.sum_of_codes(self.dense(self.attended(x, mask, p), p + "output"), x), p + "attention.norm")
            return self.norm(self.sum_of_codes(self.dense(self.gelu(self.dense(x, p + "intermediate")), p + "result"), x), p + "output.norm")
        if not self.of.startswith("Skip"):
            return super().layer(x, mask, i)
        sums = self.of.endswith("sum")

        def norm(y, x, name):
            more = {"outputs": 4} if sums else {}
            made = self.microsoft("SkipLayerNormalization", y, x, self.weight(p + name + ".gain"), self.weight(p + name + ".offset"), epsilon=1e-12, **more)
            return made[0] if sums else made
        x = norm(self.dense(self.attended(x, mask, p), p + "output"), x, "attention.norm")
        return norm(self.dense(self.gelu(self.dense(x, p + "intermediate")), p + "result"), x, "output.norm")

    def embeddings(self, ids, types):
        if self.of.startswith("RoBERTa"):
            one = self.constant(1, np.int64)
            # As transformers writes it: counted where the id is not the padding's, which is 1.
            real = self.node("Cast", self.node("Not", self.node("Equal", ids, one)), to=TensorProto.INT32)
            counted = self.node("Mul", self.node("Add", self.node("CumSum", real, self.constant(1, np.int32)), self.constant(0, np.int32)), real)
            positions = self.node("Add", self.node("Cast", counted, to=TensorProto.INT64), one)
            zeros = self.node("Mul", ids, self.constant(0, np.int64))
            x = self.node("Gather", self.weight("embeddings.word"), ids)
            x = self.node("Add", x, self.node("Gather", self.weight("embeddings.type"), zeros if "zeros" in self.of else types))
            return self.node("Add", x, self.node("Gather", self.weight("embeddings.position"), positions))
        return super().embeddings(ids, types)

    #===-- heads

    def heads(self, x):
        of = self.of
        axis = self.constant([1], np.int64)
        if of.startswith("length"):
            mean = self.node("ReduceMean", x, axis, keepdims=0) if self.opset >= 18 else self.node("ReduceMean", x, axes=[1], keepdims=0)
            if "LpNormalization" in of:
                return {"sentence_embedding": self.node("LpNormalization", mean, axis=1, p=2)}
            if "input" in of:  # axes are an input since set 18
                length = self.node("ReduceL2", mean, self.constant([-1], np.int64), keepdims=1)
            elif "squares" in of:
                length = self.node("Sqrt", self.node("ReduceSumSquare", mean, axes=[1], keepdims=1))
            else:
                length = self.node("Pow", self.node("ReduceSum", self.node("Mul", mean, mean), axis, keepdims=1), self.number(0.5))
            return {"sentence_embedding": self.node("Div", mean, self.node("Max", length, self.number(1e-12)))}
        if of.startswith("If"):
            first = self.node("Slice", x, self.constant([0], np.int64), axis, axis)  # [1, 1, H]
            known = self.node("Equal", self.node("Gather", self.node("Shape", first), self.constant(1, np.int64)), self.constant(1, np.int64))
            squeezed = helper.make_node("Squeeze", [first, axis], ["squeezed"], name="/then")
            same = helper.make_node("Identity", [first], ["same"], name="/else")
            branch = lambda node, name: helper.make_graph([node], name, [], [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)])
            first = self.node("If", known, then_branch=branch(squeezed, "squeezed"), else_branch=branch(same, "same"))
            return {"logits": self.dense(self.node("Relu", self.dense(first, "pooler")), "head")}
        return super().heads(x)


def mask_4d(writer, mask):
    """A mask [1, 1, 1, tokens] written out for every head and token."""
    length = writer.node("Gather", writer.node("Shape", "attention_mask"), writer.constant([1], np.int64))
    one = writer.constant([1], np.int64)
    return writer.node("Expand", mask, writer.node("Concat", one, writer.constant([writer.e.heads], np.int64), length, length, axis=0))


def halved(model):
    """The model with fp16 tensors, as converters make it: small constants become the least that they keep, 1e-7."""
    def half(tensor):
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32:
            kept = np.where((values > 0) & (values < 1e-7), np.float32(1e-7), np.clip(values, -1e4, 1e4))
            tensor.CopyFrom(numpy_helper.from_array(np.asarray(kept, np.float16), tensor.name))
    for tensor in model.graph.initializer:
        half(tensor)
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name == "value":
                half(attribute.t)
            elif attribute.name == "to" and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.FLOAT16
    for output in model.graph.output:
        output.type.tensor_type.elem_type = TensorProto.FLOAT16
    return model
