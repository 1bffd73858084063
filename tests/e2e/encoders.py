#!/usr/bin/python3
"""Encoders from ONNX files: simulator and reference interpreter agree bit for bit, and both with the file as the ONNX
specification defines it, evaluated by numpy (tests/support/encoder.py), within tolerances stated here.
"""
import copy
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import encoder
from encoder import Encoder, build, evaluate, save
from onnx import helper, numpy_helper
from tools import ROOT, Case, ids, load_json, main, np, run, succeed

SEQUENCE = [5, 7, 101, 42, 199, 0, 17]


def distance(value, expected):
    """Root mean square difference over that of the expected values around their mean."""
    return float(np.sqrt(np.mean((value - expected) ** 2)) / np.std(expected))


class Encoders(Case):
    def check(self, model, tolerance, tokens=SEQUENCE, types=None, context=32, external=None):
        """Compiles, runs, interprets and evaluates; returns the distances of the outputs."""
        path = save(model, self.dir / "model.onnx", external)
        succeed("lpucc", path, "-o", self.dir / "m.lpx", f"--max-context={context}")
        out = self.dir / "out"
        out.mkdir(exist_ok=True)
        more = [] if types is None else [f"--token-type-ids={ids(types)}"]
        succeed("lpu-run", self.dir / "m.lpx", f"--input-ids={ids(tokens)}", *more, f"--output={out}", f"--report={self.dir}/run.json")
        succeed("lpu-interpret", path, f"--input-ids={ids(tokens)}", *more, f"--outputs={self.dir}/ref", f"--max-context={context}")
        step, = load_json(self.dir / "run.json")["steps"]
        self.assertEqual(step["predicted_cycles"], step["simulated_cycles"])
        self.assertEqual(step["kind"], "encode")
        expected, distances = evaluate(model, tokens, types), {}
        for name, want in expected.items():
            got, reference = np.load(out / f"{name}.npy"), np.load(self.dir / f"ref.{name}.npy")
            self.assertEqual(got.shape, want.shape)
            self.assertEqual(got.tobytes(), reference.tobytes(), f"{name}: simulator and interpreter differ")
            distances[name] = distance(got, want)
        self.assertLess(max(distances.values()), tolerance, distances)
        return distances

    # Float models get int8 matrices: a few per mille of noise a layer.
    def test_float(self):
        self.check(build(Encoder()), 0.03)

    def test_token_types(self):
        self.check(build(Encoder()), 0.03, types=[0, 0, 0, 1, 1, 1, 1])

    def test_every_length_of_a_bucket(self):
        model = build(Encoder(layers=1, ffn=128))
        for length in (1, 31, 32):
            self.check(model, 0.03, tokens=[(7 * i + 3) % 200 for i in range(length)])

    def test_buckets_agree(self):
        """The same bits from programs of 24 and 32 tokens; 40 are no multiple of a tile's row group."""
        model = build(Encoder(layers=1, ffn=128))
        path = save(model, self.dir / "model.onnx")
        for context in (24, 32):
            succeed("lpucc", path, "-o", self.dir / "m.lpx", f"--max-context={context}")
            succeed("lpu-run", self.dir / "m.lpx", f"--input-ids={ids(SEQUENCE)}", f"--outputs={self.dir}/{context}")
        for name in ("last_hidden_state", "pooler_output"):
            self.assertEqual((self.dir / f"24.{name}.npy").read_bytes(), (self.dir / f"32.{name}.npy").read_bytes())
        self.check(model, 0.03, tokens=[(11 * i + 3) % 200 for i in range(38)], context=40)

    def test_tanh_form_fused_norms_no_types_no_pooler(self):
        e = Encoder(hidden=96, heads=3, ffn=384, types=0, pooler=False, fused_norm=True, gelu="tanh")
        self.check(build(e), 0.03)

    def test_several_vectors(self):
        """Widths beyond a vector of 320 lanes, heads that do not fill one."""
        self.check(build(Encoder(hidden=384, heads=6, layers=1, ffn=704)), 0.03)

    def test_long_sequences_of_wide_models(self):
        """BERT-base's layer: bursts of 128 tokens, in which everything that a flow reads and writes is on the way at once."""
        e = Encoder(hidden=768, heads=12, layers=1, ffn=1536, positions=128)
        self.check(build(e), 0.03, tokens=[(13 * i + 5) % 200 for i in range(101)], context=128)

    def test_longest_sequence(self):
        model = build(Encoder(layers=1, ffn=128, positions=256))
        self.check(model, 0.03, tokens=[(13 * i + 5) % 200 for i in range(256)], context=256)

    def test_narrow_heads(self):
        self.check(build(Encoder(hidden=64, heads=4, layers=1, ffn=96)), 0.03)

    # What people's exporters write: each form alone, in one small layer.
    SMALL = dict(hidden=64, heads=4, layers=1, ffn=96)

    def test_activations(self):
        for form in ("factored", "halves", "quick", "silu", "exp", "relu", "max"):
            with self.subTest(form):
                self.check(build(Encoder(**self.SMALL, gelu=form)), 0.03)

    def test_dynamo_keys_and_nan_guards(self):
        self.check(build(Encoder(**self.SMALL, key="dynamo", guard=True)), 0.03)

    def test_positions_from_ids(self):
        self.check(build(Encoder(**self.SMALL, ids_positions=True)), 0.03, tokens=[5, 7, 101, 42, 199, 0, 17])

    def test_fused_operators(self):
        self.check(build(Encoder(**self.SMALL, fused=True, fused_norm=True)), 0.03)

    def test_heads_of_any_width(self):
        for hidden, heads in ((80, 10), (72, 3), (100, 2), (200, 2)):
            with self.subTest(f"{heads} heads of {hidden // heads}"):
                self.check(build(Encoder(hidden=hidden, heads=heads, layers=1, ffn=96)), 0.03)

    def test_sentence_embedding(self):
        for hidden in (64, 400):  # one vector of lanes, and two
            with self.subTest(hidden):
                self.check(build(Encoder(hidden=hidden, heads=4, layers=1, ffn=96, head="sentence")), 0.03)

    def test_heads(self):
        for head in ("classifier", "answers", "tags"):
            with self.subTest(head):
                self.check(build(Encoder(**self.SMALL, head=head)), 0.03)

    def test_nodes_in_any_order(self):
        model = build(Encoder(**self.SMALL))
        plain = copy.deepcopy(model)
        nodes = list(model.graph.node)
        del model.graph.node[:]
        model.graph.node.extend(reversed(nodes))
        self.check_against(model, plain, 0.03)

    def test_constants_through_operators(self):
        """Weights that are cast, transposed, halved and doubled, clipped, or kept as codes, on their way to where they are taken."""
        model = build(Encoder(**self.SMALL))
        plain = copy.deepcopy(model)
        names = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
        extra = []
        def through(name, *steps):
            value = name
            for i, (op, inputs, attributes) in enumerate(steps):
                for j, array in enumerate(inputs):
                    model.graph.initializer.append(numpy_helper.from_array(array, f"{name}.{i}.{j}"))
                extra.append(helper.make_node(op, [value] + [f"{name}.{i}.{j}" for j in range(len(inputs))], [f"{name}.step.{i}"], **attributes))
                value = f"{name}.step.{i}"
            for node in model.graph.node:
                for k, taken in enumerate(node.input):
                    if taken == name:
                        node.input[k] = value
        half, two = np.float32(0.5), np.float32(2)
        through("layer.0.query.weight", ("Transpose", [], {"perm": [1, 0]}), ("Identity", [], {}), ("Transpose", [], {"perm": [1, 0]}))
        through("layer.0.output.weight", ("Mul", [half], {}), ("Mul", [two], {}))
        through("layer.0.output.bias", ("Cast", [], {"to": 11}), ("Cast", [], {"to": 1}))
        through("layer.0.key.bias", ("Max", [np.float32(-9)], {}), ("Min", [np.float32(9)], {}), ("Unsqueeze", [np.array([0], np.int64)], {}))
        through("embeddings.norm.gain", ("Clip", [np.float32(-9), np.float32(9)], {}))
        through("embeddings.norm.offset", ("Reshape", [np.array([1, -1], np.int64)], {}), ("Squeeze", [np.array([0], np.int64)], {}))
        model.graph.node.extend(extra)
        self.assertIn("layer.0.query.weight", names)
        self.check_against(model, plain, 0.03)

    def check_against(self, model, plain, tolerance):
        """The simulator's outputs of one file against numpy's of another that means the same."""
        path = save(model, self.dir / "model.onnx")
        succeed("lpucc", path, "-o", self.dir / "m.lpx", "--max-context=32")
        succeed("lpu-run", self.dir / "m.lpx", f"--input-ids={ids(SEQUENCE)}", f"--outputs={self.dir}/x")
        for name, want in evaluate(plain, SEQUENCE).items():
            self.assertLess(distance(np.load(self.dir / f"x.{name}.npy"), want), tolerance, name)

    def test_output_names(self):
        model = build(Encoder(**self.SMALL))
        model.graph.node.append(helper.make_node("Sinh", ["pooler_output"], ["odd"], name="the odd one"))
        model.graph.output.append(helper.make_tensor_value_info("odd", 1, None))
        path = save(model, self.dir / "model.onnx")
        done = run("lpucc", path, "-o", self.dir / "m.lpx")
        self.assertEqual(done.returncode, 1)
        self.assertIn('output "odd" needs operators that cannot be compiled: Sinh (node "the odd one"); '
                      "leave out with --output-names=last_hidden_state,pooler_output", done.stderr)
        succeed("lpucc", path, "-o", self.dir / "m.lpx", "--max-context=32", "--output-names=last_hidden_state,pooler_output")
        succeed("lpu-run", self.dir / "m.lpx", f"--input-ids={ids(SEQUENCE)}", f"--outputs={self.dir}/x")
        self.assertEqual(sorted(p.name for p in self.dir.glob("x.*")), ["x.last_hidden_state.npy", "x.pooler_output.npy"])

    # Matrices are the file's codes; its activations are rounded to 8 bits anew in each run, those here are 16 bits.
    def test_dynamic(self):
        model = build(Encoder(), "dynamic")
        self.check(model, 0.1)
        self.check_codes(model)

    def test_dynamic_per_channel(self):
        self.check(build(Encoder(), "dynamic", per_channel=True), 0.1)

    # Codes and scales of everything that linears take are the file's, so only attention and rounding at ties differ.
    def test_qdq(self):
        self.check(build(Encoder(), "qdq"), 0.02)

    def test_qdq_per_channel(self):
        self.check(build(Encoder(), "qdq", per_channel=True), 0.02)

    def test_quantization_aware_training(self):
        self.check(build(Encoder(), "qat", per_channel=True), 0.02)

    def check_codes(self, model):
        """Codes and scales of the file stand in the quantized graph as they are: without noise of their own."""
        plain = evaluate(model, SEQUENCE)
        exact = Encoder()
        for tensor in model.graph.initializer:
            if tensor.name.endswith(".codes"):
                name = tensor.name.removesuffix(".codes")
                scale = next(numpy_helper.to_array(t) for t in model.graph.initializer if t.name == name + ".scale")
                exact.weights[name + ".weight"] = numpy_helper.to_array(tensor).astype(np.float32) * scale
        expected = evaluate(build(exact), SEQUENCE)["last_hidden_state"]
        got = np.load(self.dir / "out" / "last_hidden_state.npy")
        self.assertLess(distance(got, expected), 0.002)
        self.assertLess(distance(got, expected), distance(plain["last_hidden_state"], expected))

    def test_external_data(self):
        self.check(build(Encoder(layers=1, ffn=128)), 0.03, external="weights.bin")

    def test_fixed_length(self):
        path = save(build(Encoder(layers=1, ffn=128), fixed=16), self.dir / "model.onnx")
        done = run("lpucc", path, "-o", self.dir / "m.lpx", "--max-context=32")
        self.assertEqual(done.returncode, 1)
        self.assertIn("max-context 32 is more than the 16 positions", done.stderr)
        self.check(build(Encoder(layers=1, ffn=128), fixed=16), 0.03, context=16)

    def test_npy_ids_and_engines(self):
        path = save(build(Encoder(layers=1, ffn=128)), self.dir / "model.onnx")
        succeed("lpucc", path, "-o", self.dir / "m.lpx", "--max-context=32")
        for kind, shape in ((np.int64, (1, -1)), (np.int32, (-1,))):
            np.save(self.dir / "ids.npy", np.array(SEQUENCE, kind).reshape(shape))
            succeed("lpu-run", self.dir / "m.lpx", f"--input-ids={self.dir}/ids.npy", f"--outputs={self.dir}/{kind.__name__}")
        succeed("lpu-run", self.dir / "m.lpx", f"--input-ids={ids(SEQUENCE)}", f"--outputs={self.dir}/clocked", "--engine=clocked")
        first = (self.dir / "int64.last_hidden_state.npy").read_bytes()
        for other in ("int32", "clocked"):
            self.assertEqual(first, (self.dir / f"{other}.last_hidden_state.npy").read_bytes())

    def test_shape_file(self):
        text = (ROOT / "models" / "arch" / "bert-base.yaml").read_text()
        for key, value in {"layers": 2, "hidden": 128, "heads": 2, "ffn": 512, "vocabulary": 5000, "context": 64}.items():
            text = "\n".join(f"{key}: {value}" if line.startswith(key + ":") else line for line in text.splitlines())
        shape = self.dir / "tiny.yaml"
        shape.write_text(text)
        lengths = []
        for weights in ("none", "random:3"):
            succeed("lpucc", f"--arch={shape}", f"--weights={weights}", "--max-context=32", "-o", self.dir / "m.lpx")
            mode = ["--mode=timing"] if weights == "none" else []
            succeed("lpu-run", self.dir / "m.lpx", f"--input-ids={ids(SEQUENCE + [4999])}", f"--report={self.dir}/run.json", f"--outputs={self.dir}/x", *mode)
            lengths.append(load_json(self.dir / "run.json")["steps"][0]["simulated_cycles"])
        self.assertEqual(*lengths)
        succeed("lpu-interpret", f"--arch={shape}", "--weights=random:3", "--max-context=32", f"--input-ids={ids(SEQUENCE + [4999])}", f"--outputs={self.dir}/ref")
        for name in ("last_hidden_state", "pooler_output"):
            self.assertEqual(np.load(self.dir / f"x.{name}.npy").tobytes(), np.load(self.dir / f"ref.{name}.npy").tobytes())


class Errors(Case):
    """One line on stderr each, exit code 1 (2 for usage), and nothing left behind."""

    def fails(self, tool, *args, code=1, contains=()):
        done = run(tool, *args)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        for text in contains:
            self.assertIn(text, done.stderr)

    def rejects(self, model, *contains, external=None):
        path = model if isinstance(model, pathlib.Path) else save(model, self.dir / "model.onnx", external)
        self.fails("lpucc", path, "-o", self.dir / "m.lpx", contains=contains)
        self.assertFalse((self.dir / "m.lpx").exists())

    def test_unsupported_operators_come_together(self):
        model = build(Encoder(layers=1, ffn=128))
        softmax = next(n for n in model.graph.node if n.op_type == "Softmax")
        softmax.op_type = "Hardmax"
        pow_node = next(n for n in model.graph.node if n.op_type == "Erf")
        pow_node.op_type, pow_node.name = "Sinh", "the activation"
        self.rejects(model, 'error: outputs "last_hidden_state" and "pooler_output" need operators that cannot be compiled:',
                     f'Hardmax (node "{softmax.name}")', 'Sinh (node "the activation")')

    def test_known_operator_in_an_unknown_place(self):
        model = build(Encoder(layers=1, ffn=128))
        node = next(n for n in model.graph.node if n.op_type == "Softmax")
        node.attribute[0].i = 1
        self.rejects(model, f'Softmax (node "{node.name}")')

    def test_damaged_files(self):
        good = build(Encoder(layers=1, ffn=128)).SerializeToString()
        for name, content in (("empty", b""), ("text", b"GGUF is not ONNX at all"), ("cut", good[: len(good) // 2]), ("no graph", b"\x08\x07")):
            path = self.dir / f"{name}.onnx"
            path.write_bytes(content)
            self.rejects(path, f"{name}.onnx")

    def test_many_small_messages(self):
        path = self.dir / "many.onnx"
        path.write_bytes(b"\x3a\x80\x80\x80\x02" + b"\x0a\x00" * (2 << 20))  # four MiB of nodes without content
        self.rejects(path, "would take", "to parse")

    def test_external_data(self):
        model = build(Encoder(layers=1, ffn=128))
        path = save(model, self.dir / "model.onnx", "weights.bin")
        data = (self.dir / "weights.bin").read_bytes()
        (self.dir / "weights.bin").write_bytes(data[: len(data) // 2])
        self.rejects(path, "weights.bin", "which has")
        (self.dir / "weights.bin").unlink()
        self.rejects(path, '"weights.bin", which cannot be read')
        content = path.read_bytes().replace(b"weights.bin", b"../ghts.bin")
        path.write_bytes(content)
        self.rejects(path, "outside of the model's folder")

    def test_wrong_shapes(self):
        model = build(Encoder(layers=1, ffn=128))
        for tensor in model.graph.initializer:
            if tensor.name == "layer.0.query.weight":
                tensor.dims[0] = 64
        self.rejects(model, 'tensor "layer.0.query.weight" holds 16384 values, its dimensions ask for 8192')
        model = build(Encoder(layers=1, ffn=128))
        for tensor in model.graph.initializer:
            if tensor.name == "layer.0.query.weight":
                tensor.CopyFrom(numpy_helper.from_array(np.zeros((64, 128), np.float32), tensor.name))
        self.rejects(model, "MatMul (node")

    def test_inputs(self):
        model = build(Encoder(layers=1, ffn=128))
        model.graph.input[0].type.tensor_type.shape.dim.add()
        self.rejects(model, 'input "input_ids" is not of shape [1, tokens]')
        model = build(Encoder(layers=1, ffn=128))
        model.graph.output[0].name = next(n for n in model.graph.node if n.op_type == "Softmax").output[0]
        self.rejects(model, "is no vector of every token")

    def test_not_finite(self):
        e = Encoder(layers=1, ffn=128)
        e.weights["layer.0.value.weight"][3, 5] = np.nan
        self.rejects(build(e), 'tensor "layer.0.value.weight": value [5, 3] is NaN')

    def test_layers_that_share_matrices(self):
        e = Encoder(layers=2, ffn=128)
        model = build(e)
        for node in model.graph.node:
            for i, name in enumerate(node.input):
                if name == "layer.1.output.weight":
                    node.input[i] = "layer.0.output.weight"
        self.rejects(model, "uses a matrix for the second time")

    def test_options(self):
        path = save(build(Encoder(layers=1, ffn=128)), self.dir / "model.onnx")
        self.fails("lpucc", path, "-o", self.dir / "m.lpx", "--chips=2", contains=["is compiled for one chip"])
        self.fails("lpucc", path, "-o", self.dir / "m.lpx", "--max-context=65", contains=["more than the 64 positions"])
        succeed("lpucc", path, "-o", self.dir / "m.lpx", "--max-context=32")
        lpx = self.dir / "m.lpx"
        self.fails("lpu-run", lpx, "--prompt=hello", contains=["is an encoder; give its tokens by --input-ids"])
        self.fails("lpu-run", lpx, "--input-ids=200", contains=["ids run from 0 to 199"])
        self.fails("lpu-run", lpx, f"--input-ids={ids([1] * 33)}", contains=["33 tokens are more than the 32"])
        self.fails("lpu-run", lpx, "--input-ids=1,2", "--token-type-ids=0", contains=["--token-type-ids has 1 entries"])
        self.fails("lpu-run", lpx, "--input-ids=1,2", "--token-type-ids=0,2", contains=["token type 2 is outside"])
        self.fails("lpu-run", lpx, "--input-ids=1,2", "--output=/dev/null/nowhere", contains=["/dev/null"])
        self.fails("lpu-run", lpx, "--input-ids=1,x", code=2, contains=["--input-ids"])
        self.fails("lpu-run", lpx, "--input-ids=1", "--prompt=x", code=2, contains=["for encoders"])
        self.fails("lpu-run", lpx, "--output=x", "--prompt=x", code=2, contains=["give --input-ids too"])
        (self.dir / "ids.npy").write_bytes(b"\x93NUMPY\x01\x00")
        self.fails("lpu-run", lpx, f"--input-ids={self.dir}/ids.npy", code=2, contains=["is no .npy file of token ids"])
        self.fails("lpu-interpret", path, "--tokens=1,2", contains=["is an encoder"])
        self.fails("lpu-interpret", path, "--input-ids=1,200", contains=["token 200 is not in its table of 200"])
        succeed("lpucc", ROOT / "models" / "tiny" / "model.gguf", "-o", self.dir / "tiny.lpx", "--max-context=64")
        self.fails("lpu-run", self.dir / "tiny.lpx", "--input-ids=1", contains=["is no encoder"])


main()
