"""Encoder transformers as ONNX files, in the forms in which common tools write them, and their values by numpy.

`Encoder` holds seeded weights; `build` writes the operators that torch.onnx.export writes (float), quantize_dynamic of
onnxruntime (dynamic), and static quantization or quantization-aware training (qdq). `evaluate` runs such a file operator by
operator as the ONNX specification defines them; it knows nothing of how the file was made.
"""
import copy
import dataclasses
import math
import sys

from tools import SKIPPED, np

try:
    import onnx
    from onnx import TensorProto, helper, numpy_helper
except ImportError:
    print(f"skipped: onnx is missing in {sys.executable}; install python3-onnx and use /usr/bin/python3")
    sys.exit(SKIPPED)


@dataclasses.dataclass
class Encoder:
    """Sizes of BERT-tiny unless told otherwise; tables are smaller, because they only take space."""
    hidden: int = 128
    heads: int = 2
    layers: int = 2
    ffn: int = 512
    vocabulary: int = 200
    positions: int = 64
    types: int = 2
    pooler: bool = True
    fused_norm: bool = False   # LayerNormalization instead of its parts
    gelu: str = "erf"          # or what else the writer knows, ReLU and SiLU among them
    key: str = "plain"         # "dynamo": turned between two reshapes, as torch.onnx.export(dynamo=True) does
    guard: bool = False        # NaN becomes 0 behind Softmax
    ids_positions: bool = False  # RoBERTa's: counted from the ids, behind the padding's number 1
    fused: bool = False        # operators of com.microsoft, as ONNX Runtime writes them
    head: str = ""             # "sentence", "classifier", "answers" or "tags" instead of the pooler
    seed: int = 1

    def __post_init__(self):
        self.random = np.random.default_rng(self.seed)
        self.weights = {}
        table = lambda name, rows: self._put(name, self.random.normal(0, 0.5, (rows, self.hidden)))
        table("embeddings.word", self.vocabulary)
        table("embeddings.position", self.positions)
        if self.types:
            table("embeddings.type", self.types)
        self._norm("embeddings.norm")
        for i in range(self.layers):
            p = f"layer.{i}."
            for name in ("query", "key", "value", "output"):
                self._dense(p + name, self.hidden, self.hidden)
            self._norm(p + "attention.norm")
            self._dense(p + "intermediate", self.hidden, self.ffn)
            self._dense(p + "result", self.ffn, self.hidden)
            self._norm(p + "output.norm")
        if self.pooler:
            self._dense("pooler", self.hidden, self.hidden)
        if self.head:
            self._dense("head", self.hidden, {"answers": 2, "tags": 5}.get(self.head, 3))

    def _put(self, name, values):
        self.weights[name] = values.astype(np.float32)

    def _norm(self, name):
        self._put(name + ".gain", self.random.normal(1, 0.1, self.hidden))
        self._put(name + ".offset", self.random.normal(0, 0.1, self.hidden))

    def _dense(self, name, inputs, outputs):
        self._put(name + ".weight", self.random.normal(0, 1 / math.sqrt(inputs), (inputs, outputs)))
        self._put(name + ".bias", self.random.normal(0, 0.1, outputs))


class Writer:
    """Appends nodes; every method returns the name of the result."""
    opset = 0  # 0: the oldest that has all operators

    def __init__(self, encoder, form="float", per_channel=False, activation=None, fixed=None):
        self.e, self.form, self.per_channel, self.fixed = encoder, form, per_channel, fixed
        self.activation = activation or {}  # qdq: scale and zero of what each dense layer is fed, uint8
        self.nodes, self.initializers, self.count = [], [], 0

    def node(self, op, *inputs, outputs=1, **attributes):
        self.count += 1
        names = [f"{op}_{self.count}" + (f".{i}" if outputs > 1 else "") for i in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, name=f"/{op}_{self.count}", **attributes))
        return names[0] if outputs == 1 else names

    def initializer(self, name, values):
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def constant(self, values, kind):
        return self.node("Constant", value=numpy_helper.from_array(np.array(values, kind)))

    def weight(self, name):
        return self.initializer(name, self.e.weights[name])

    def embeddings(self, ids, types):
        length = self.node("Unsqueeze", self.node("Gather", self.node("Shape", ids), self.constant(1, np.int64), axis=0), self.constant([0], np.int64))
        numbers = self.initializer("position_ids", np.arange(self.e.positions, dtype=np.int64)[None])
        positions = self.node("Slice", numbers, self.constant([0], np.int64), length, self.constant([1], np.int64), self.constant([1], np.int64))
        if self.e.ids_positions:
            real = self.node("Cast", self.node("Not", self.node("Equal", ids, self.constant(1, np.int64))), to=TensorProto.INT64)
            counted = self.node("Mul", self.node("CumSum", real, self.constant(1, np.int64)), real)
            positions = self.node("Add", counted, self.constant(1, np.int64))
        x = self.node("Gather", self.weight("embeddings.word"), ids, axis=0)
        if self.e.types:
            x = self.node("Add", x, self.node("Gather", self.weight("embeddings.type"), types, axis=0))
        return self.node("Add", x, self.node("Gather", self.weight("embeddings.position"), positions, axis=0))

    def norm(self, x, name):
        gain, offset = self.weight(name + ".gain"), self.weight(name + ".offset")
        if self.e.fused_norm:
            return self.node("LayerNormalization", x, gain, offset, axis=-1, epsilon=1e-12)
        centered = self.node("Sub", x, self.node("ReduceMean", x, axes=[-1]))
        variance = self.node("ReduceMean", self.node("Pow", centered, self.constant(2, np.float32)), axes=[-1])
        deviation = self.node("Sqrt", self.node("Add", variance, self.constant(1e-12, np.float32)))
        return self.node("Add", self.node("Mul", self.node("Div", centered, deviation), gain), offset)

    def dense(self, x, name):
        matrix, bias = self.e.weights[name + ".weight"], self.weight(name + ".bias")
        if self.form == "float":
            return self.node("Add", self.node("MatMul", x, self.initializer(name + ".weight", matrix)), bias)
        magnitude = np.abs(matrix).max(axis=0 if self.per_channel else None)
        scale = (magnitude / 127).astype(np.float32)
        codes = np.clip(np.rint(matrix / scale), -127, 127).astype(np.int8)
        scale_name = self.initializer(name + ".scale", scale)
        if self.form == "dynamic":
            codes_name, zero_name = self.initializer(name + ".codes", codes), self.initializer(name + ".zero", np.int8(0))
            q, s, z = self.node("DynamicQuantizeLinear", x, outputs=3)
            sums = self.node("Cast", self.node("MatMulInteger", q, codes_name, z, zero_name), to=TensorProto.FLOAT)
            return self.node("Add", self.node("Mul", sums, self.node("Mul", s, scale_name)), bias)
        zero_name = self.initializer(name + ".zero", np.zeros_like(scale, dtype=np.int8))
        axis = dict(axis=1) if self.per_channel else {}
        if self.form == "qat":  # the tensor holds real values, which training rounded in passing
            codes_name = self.node("QuantizeLinear", self.initializer(name + ".weight", matrix), scale_name, zero_name, **axis)
        else:
            codes_name = self.initializer(name + ".codes", codes)
        y = self.node("MatMul", self.rounded(x, name), self.node("DequantizeLinear", codes_name, scale_name, zero_name, **axis))
        return self.node("Add", y, bias)

    def rounded(self, x, name):
        scale, zero = self.activation[name]
        s, z = self.initializer(name + ".in.scale", np.float32(scale)), self.initializer(name + ".in.zero", np.uint8(zero))
        return self.node("DequantizeLinear", self.node("QuantizeLinear", x, s, z), s, z)

    def split(self, x, perm):
        """[1, L, H] to heads, with a shape that is computed as exporters compute it."""
        shape = self.node("Shape", x)
        dims = [self.node("Unsqueeze", self.node("Gather", shape, self.constant(i, np.int64), axis=0), self.constant([0], np.int64)) for i in range(2)]
        target = self.node("Concat", *dims, self.constant([self.e.heads], np.int64), self.constant([self.e.hidden // self.e.heads], np.int64), axis=0)
        return self.node("Transpose", self.node("Reshape", x, target), perm=perm)

    def gelu(self, x):
        number = lambda v: self.constant(v, np.float32)
        if self.e.gelu == "factored":  # x·(1 + 0.044715·x·x), with the half last
            square = self.node("Mul", self.node("Mul", x, x), number(0.044715))
            inner = self.node("Mul", self.node("Mul", x, self.node("Add", number(1), square)), number(math.sqrt(2 / math.pi)))
            return self.node("Mul", self.node("Mul", x, self.node("Add", self.node("Tanh", inner), number(1))), number(0.5))
        if self.e.gelu == "halves":  # 0.5 + 0.5·erf(x·0.7071)
            erf = self.node("Erf", self.node("Mul", number(math.sqrt(0.5)), x))
            return self.node("Mul", self.node("Add", self.node("Mul", erf, number(0.5)), number(0.5)), x)
        if self.e.gelu == "quick":
            return self.node("Mul", x, self.node("Sigmoid", self.node("Mul", x, number(1.702))))
        if self.e.gelu == "silu":
            return self.node("Mul", self.node("Sigmoid", x), x)
        if self.e.gelu == "exp":  # SiLU without Sigmoid
            return self.node("Div", x, self.node("Add", number(1), self.node("Exp", self.node("Neg", x))))
        if self.e.gelu == "relu":
            return self.node("Relu", x)
        if self.e.gelu == "max":
            return self.node("Max", x, number(0))
        if self.e.gelu == "erf":
            erf = self.node("Erf", self.node("Div", x, self.constant(math.sqrt(2), np.float32)))
            return self.node("Mul", self.node("Mul", x, self.node("Add", erf, self.constant(1, np.float32))), self.constant(0.5, np.float32))
        cube = self.node("Mul", self.node("Pow", x, self.constant(3, np.float32)), self.constant(0.044715, np.float32))
        inner = self.node("Mul", self.node("Add", x, cube), self.constant(math.sqrt(2 / math.pi), np.float32))
        half = self.node("Mul", x, self.constant(0.5, np.float32))
        return self.node("Mul", half, self.node("Add", self.node("Tanh", inner), self.constant(1, np.float32)))

    def keys(self, x):
        if self.e.key == "plain":
            return self.split(x, [0, 2, 3, 1])
        heads, width = self.e.heads, self.e.hidden // self.e.heads
        flat = self.node("Reshape", self.split(x, [0, 2, 1, 3]), self.constant([heads, -1, width], np.int64))
        return self.node("Reshape", self.node("Transpose", flat, perm=[0, 2, 1]), self.constant([1, heads, width, -1], np.int64))

    def microsoft(self, op, *inputs, **attributes):
        return self.node(op, *inputs, domain="com.microsoft", **attributes)

    def fused_layer(self, x, mask, i):
        p = f"layer.{i}."
        side = lambda kind: np.concatenate([self.e.weights[f"{p}{n}.{kind}"] for n in ("query", "key", "value")], axis=-1)
        qkv, bias = self.initializer(p + "qkv.weight", side("weight")), self.initializer(p + "qkv.bias", side("bias"))
        mixed = self.microsoft("Attention", x, qkv, bias, mask, num_heads=self.e.heads)
        matrix = lambda name: self.initializer(p + name + ".weight", self.e.weights[p + name + ".weight"])
        norm = lambda y, name, by: self.microsoft("SkipLayerNormalization", y, x, self.weight(p + name + ".gain"),
                                                  self.weight(p + name + ".offset"), self.weight(p + by + ".bias"), epsilon=1e-12)
        x = norm(self.node("MatMul", mixed, matrix("output")), "attention.norm", "output")
        h = self.microsoft("BiasGelu", self.node("MatMul", x, matrix("intermediate")), self.weight(p + "intermediate.bias"))
        return norm(self.node("MatMul", h, matrix("result")), "output.norm", "result")

    def heads(self, x):
        """The head's results by name."""
        if self.e.head == "sentence":
            ones = self.node("Cast", self.node("Expand", self.node("Unsqueeze", "attention_mask", self.constant([2], np.int64)), self.node("Shape", x)), to=TensorProto.FLOAT)
            count = self.node("Clip", self.node("ReduceSum", ones, self.constant([1], np.int64), keepdims=0), self.constant(1e-9, np.float32))
            mean = self.node("Div", self.node("ReduceSum", self.node("Mul", x, ones), self.constant([1], np.int64), keepdims=0), count)
            length = self.node("Clip", self.node("ReduceL2", mean, axes=[1], keepdims=1), self.constant(1e-12, np.float32))
            return {"sentence_embedding": self.node("Div", mean, self.node("Expand", length, self.node("Shape", mean)))}
        if self.e.head == "classifier":
            first = self.node("Gather", x, self.constant(0, np.int64), axis=1)
            return {"logits": self.dense(self.node("Relu", self.dense(first, "pooler")), "head")}
        logits = self.dense(x, "head")
        if self.e.head == "tags":
            return {"logits": logits}
        parts = self.node("Split", logits, self.constant([1, 1], np.int64), outputs=2, axis=-1)
        return {name: self.node("Squeeze", part, self.constant([-1], np.int64)) for name, part in zip(("start_logits", "end_logits"), parts)}

    def attended(self, x, mask, p):
        """What the heads make of x, side by side again."""
        q = self.split(self.dense(x, p + "query"), [0, 2, 1, 3])
        k = self.keys(self.dense(x, p + "key"))
        v = self.split(self.dense(x, p + "value"), [0, 2, 1, 3])
        scores = self.node("Div", self.node("MatMul", q, k), self.constant(math.sqrt(self.e.hidden // self.e.heads), np.float32))
        weights = self.node("Softmax", self.node("Add", scores, mask), axis=-1)
        if self.e.guard:
            weights = self.node("Where", self.node("IsNaN", weights), self.constant(0, np.float32), weights)
        mixed = self.node("MatMul", weights, v)
        return self.node("Reshape", self.node("Transpose", mixed, perm=[0, 2, 1, 3]), self.constant([1, -1, self.e.hidden], np.int64))

    def layer(self, x, mask, i):
        if self.e.fused:
            return self.fused_layer(x, mask, i)
        p = f"layer.{i}."
        x = self.norm(self.node("Add", self.dense(self.attended(x, mask, p), p + "output"), x), p + "attention.norm")
        h = self.dense(self.gelu(self.dense(x, p + "intermediate")), p + "result")
        return self.norm(self.node("Add", h, x), p + "output.norm")

    def model(self):
        length = self.fixed or "sequence"
        info = lambda name, kind, shape: helper.make_tensor_value_info(name, kind, shape)
        inputs = [info(name, TensorProto.INT64, [1 if self.fixed else "batch", length]) for name in ("input_ids", "attention_mask", "token_type_ids")]
        mask = self.node("Cast", self.node("Unsqueeze", "attention_mask", self.constant([1, 2], np.int64)), to=TensorProto.FLOAT)
        mask = self.node("Mul", self.node("Sub", self.constant(1, np.float32), mask), self.constant(-10000, np.float32))
        if self.e.fused:
            tables = [self.weight("embeddings." + name) for name in ("word", "position", "type", "norm.gain", "norm.offset")]
            whole = self.node("Cast", "attention_mask", to=TensorProto.INT32)
            ids = [self.node("Cast", name, to=TensorProto.INT32) for name in ("input_ids", "token_type_ids")]
            x, mask = self.microsoft("EmbedLayerNormalization", *ids, *tables, whole, outputs=2, epsilon=1e-12)
        else:
            x = self.norm(self.embeddings("input_ids", "token_type_ids"), "embeddings.norm")
        for i in range(self.e.layers):
            x = self.layer(x, mask, i)
        results = {"last_hidden_state": x}
        if self.e.head:
            results |= self.heads(x)
        elif self.e.pooler:
            first = self.node("Gather", x, self.constant(0, np.int64), axis=1)
            results["pooler_output"] = self.node("Tanh", self.dense(first, "pooler"))
        for name, value in results.items():
            self.nodes.append(helper.make_node("Identity", [value], [name], name=f"/out/{name}"))
        outputs = [info(name, TensorProto.FLOAT, None) for name in results]
        graph = helper.make_graph(self.nodes, "encoder", inputs, outputs, self.initializers)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset or (17 if self.e.fused_norm else 13)),
                                                       helper.make_opsetid("com.microsoft", 1)])


def build(encoder, form="float", **options):
    if form in ("qdq", "qat") and "activation" not in options:
        options["activation"] = calibrated(encoder)
    return Writer(encoder, form, **options).model()


def calibrated(encoder):
    """Scale and zero of what each dense layer is fed, from a few random sequences."""
    ranges = {}
    float_model = build(encoder)
    makers = {i: n for n in float_model.graph.node if n.op_type == "MatMul" for i in n.input if i.endswith(".weight")}
    random = np.random.default_rng(99)
    for _ in range(3):
        ids = random.integers(0, encoder.vocabulary, (1, min(16, encoder.positions)))
        values = evaluate(float_model, ids, np.zeros_like(ids), everything=True)
        for name, node in makers.items():
            x = values[node.input[0]]
            low, high = ranges.get(name, (0.0, 0.0))
            ranges[name] = min(low, float(x.min())), max(high, float(x.max()))
    out = {}
    for name, (low, high) in ranges.items():
        scale = (high - low) / 255
        out[name.removesuffix(".weight")] = scale, int(np.clip(round(-low / scale), 0, 255))
    return out


def save(model, path, external=None):
    """The model's file, with the data of its initializers in file `external` beside it if one is named."""
    if external:
        model = copy.deepcopy(model)  # saving takes the data out of it
        onnx.save_model(model, str(path), save_as_external_data=True, all_tensors_to_one_file=True, location=external, size_threshold=64)
    else:
        path.write_bytes(model.SerializeToString())
    return path


def _quantize(x, scale, zero, axis):
    shape = [-1 if i == axis % x.ndim else 1 for i in range(x.ndim)] if np.ndim(scale) == 1 and np.size(scale) > 1 else []
    s, z = (np.reshape(scale, shape), np.reshape(zero, shape)) if shape else (np.float32(np.ravel(scale)[0]), np.ravel(zero)[0])
    info = np.iinfo(np.asarray(zero).dtype)
    return np.clip(np.rint(x / s).astype(np.int64) + np.asarray(z, np.int64), info.min, info.max).astype(np.asarray(zero).dtype)


def _dequantize(q, scale, zero, axis):
    shape = [-1 if i == axis % q.ndim else 1 for i in range(q.ndim)] if np.ndim(scale) == 1 and np.size(scale) > 1 else []
    s, z = (np.reshape(scale, shape), np.reshape(zero, shape)) if shape else (np.float32(np.ravel(scale)[0]), np.ravel(zero)[0])
    return ((q.astype(np.int64) - np.asarray(z, np.int64)).astype(np.float32) * s).astype(np.float32)


def _run(node, x):
    a = {i.name: helper.get_attribute_value(i) for i in node.attribute}
    op = node.op_type
    simple = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Pow": np.power, "Sqrt": np.sqrt, "Tanh": np.tanh, "MatMul": np.matmul,
              "Identity": lambda v: v, "Not": np.logical_not, "Equal": np.equal, "IsNaN": np.isnan, "Where": np.where, "Exp": np.exp,
              "Neg": np.negative, "Max": np.maximum, "Expand": lambda v, to: np.broadcast_to(v, np.broadcast_shapes(v.shape, tuple(int(i) for i in to))),
              "Relu": lambda v: np.maximum(v, 0), "Sigmoid": lambda v: 1 / (1 + np.exp(-v)), "CumSum": lambda v, axis: np.cumsum(v, int(axis)),
              "Clip": np.maximum, "Shape": lambda v: np.array(v.shape, np.int64), "Erf": lambda v: np.vectorize(math.erf)(v).astype(np.float32)}
    if op in simple:
        return [simple[op](*x)]
    if op == "Constant":
        return [numpy_helper.to_array(a["value"])]
    if op == "Div":
        return [x[0] // x[1] if x[0].dtype.kind == "i" else x[0] / x[1]]
    if op == "Gather":
        return [np.take(x[0], x[1], axis=a.get("axis", 0))]
    if op == "Unsqueeze":
        return [np.expand_dims(x[0], tuple(int(i) for i in x[1]))]
    if op == "Concat":
        return [np.concatenate(x, axis=a["axis"])]
    if op == "Cast":
        return [x[0].astype({TensorProto.FLOAT: np.float32, TensorProto.INT64: np.int64, TensorProto.INT32: np.int32}[a["to"]])]
    if op == "Slice":
        at = [slice(None)] * x[0].ndim
        for start, end, axis in zip(x[1], x[2], x[3]):
            at[axis] = slice(int(start), int(end))
        return [x[0][tuple(at)]]
    if op == "Reshape":
        return [x[0].reshape([x[0].shape[i] if d == 0 else int(d) for i, d in enumerate(x[1])])]
    if op == "Transpose":
        return [np.transpose(x[0], a.get("perm"))]
    if op == "ReduceMean":
        return [x[0].mean(axis=tuple(a["axes"]), keepdims=True)]
    if op in ("ReduceSum", "ReduceL2"):
        axes = tuple(a["axes"]) if "axes" in a else tuple(int(i) for i in x[1])
        sums = (x[0] if op == "ReduceSum" else x[0] ** 2).sum(axis=axes, keepdims=bool(a["keepdims"]))
        return [sums if op == "ReduceSum" else np.sqrt(sums)]
    if op == "Squeeze":
        return [np.squeeze(x[0], tuple(int(i) for i in x[1]))]
    if op == "Split":
        return np.split(x[0], np.cumsum(x[1])[:-1], axis=a["axis"])
    if node.domain == "com.microsoft":
        return _run_fused(op, x, a)
    if op == "Softmax":
        e = np.exp(x[0] - x[0].max(axis=-1, keepdims=True))
        return [e / e.sum(axis=-1, keepdims=True)]
    if op == "LayerNormalization":
        centered = x[0] - x[0].mean(axis=-1, keepdims=True)
        return [centered / np.sqrt((centered ** 2).mean(axis=-1, keepdims=True) + np.float32(a["epsilon"])) * x[1] + x[2]]
    if op == "DynamicQuantizeLinear":
        low, high = min(0.0, float(x[0].min())), max(0.0, float(x[0].max()))
        scale = np.float32((high - low) / 255)
        zero = np.uint8(np.clip(np.rint(-low / scale), 0, 255))
        return [_quantize(x[0], scale, zero, -1), scale, zero]
    if op == "MatMulInteger":
        return [np.matmul(x[0].astype(np.int32) - np.int32(x[2]), x[1].astype(np.int32) - np.int32(x[3]))]
    if op == "QuantizeLinear":
        return [_quantize(x[0], x[1], x[2], a.get("axis", 1))]
    if op == "DequantizeLinear":
        return [_dequantize(x[0], x[1], x[2], a.get("axis", 1))]
    raise NotImplementedError(op)


def _layer_norm(x, gain, offset, eps):
    centered = x - x.mean(axis=-1, keepdims=True)
    return centered / np.sqrt((centered ** 2).mean(axis=-1, keepdims=True) + np.float32(eps)) * gain + offset


def _run_fused(op, x, a):
    """Operators of ONNX Runtime, as its documents define them; masks here hide nothing."""
    if op == "EmbedLayerNormalization":
        ids, types, word, position, kind, gain, offset, mask = x
        return [_layer_norm(word[ids] + position[np.arange(ids.shape[1])] + kind[types], gain, offset, a["epsilon"]), mask.sum(axis=1)]
    if op == "SkipLayerNormalization":
        return [_layer_norm(x[0] + x[1] + x[4], x[2], x[3], a["epsilon"])]
    if op == "BiasGelu":
        y = x[0] + x[1]
        return [(y / 2 * (1 + np.vectorize(math.erf)(y / math.sqrt(2)))).astype(np.float32)]
    if op == "Attention":
        heads = a["num_heads"]
        q, k, v = (np.stack(np.split(part, heads, axis=-1), axis=1) for part in np.split(x[0] @ x[1] + x[2], 3, axis=-1))
        scores = q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1])
        e = np.exp(scores - scores.max(axis=-1, keepdims=True))
        return [np.concatenate(list((e / e.sum(axis=-1, keepdims=True) @ v).swapaxes(0, 1)), axis=-1)]
    raise NotImplementedError(op)


def evaluate(model, ids, types=None, everything=False):
    """Outputs by name (or all values) for ids [1, L]."""
    ids = np.asarray(ids, np.int64).reshape(1, -1)
    types = np.zeros_like(ids) if types is None else np.asarray(types, np.int64).reshape(1, -1)
    values = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": types}
    values |= {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    for node in model.graph.node:
        for name, value in zip(node.output, _run(node, [values[i] for i in node.input])):
            values[name] = value
    return values if everything else {o.name: values[o.name] for o in model.graph.output}
