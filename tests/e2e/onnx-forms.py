#!/usr/bin/python3
"""Encoders in the forms that exporters and optimizers write (tests/support/onnx_forms.py): each is compiled, run, and
compared with its plain twin, evaluated by numpy.
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from encoder import Encoder, build, evaluate, save
from onnx import helper
from onnx_forms import SMALL, Form, halved
from tools import Case, ids, main, np, run, succeed

SEQUENCE = [5, 7, 101, 42, 199, 0, 17]


class Forms(Case):
    def check(self, form, exact=False, tolerance=0.03, **options):
        with self.subTest(form, **options):
            writer = Form(form, **options)
            if exact:
                writer.exact()
            self.check_model(writer.model(), writer.plain(), tolerance)

    def check_model(self, model, plain, tolerance=0.03):
        path = save(model, self.dir / "model.onnx")
        succeed("lpucc", path, "-o", self.dir / "m.lpx", "--max-context=32")
        succeed("lpu-run", self.dir / "m.lpx", f"--input-ids={ids(SEQUENCE)}", f"--output={self.dir}/x")
        for name, want in evaluate(plain, SEQUENCE).items():
            got = np.load(self.dir / "x" / f"{name}.npy")
            self.assertEqual(got.shape, want.shape, name)
            self.assertLess(float(np.sqrt(np.mean((got - want) ** 2)) / np.std(want)), tolerance, name)

    def refuses(self, model, *texts):
        path = save(model, self.dir / "model.onnx")
        done = run("lpucc", path, "-o", self.dir / "m.lpx")
        self.assertEqual((done.returncode, len(done.stderr.splitlines())), (1, 1), done.stderr)
        for text in texts:
            self.assertIn(text, done.stderr)

    def test_attention(self):
        for form in ("Attention plain", "Attention padding", "Attention lengths", "Attention cube", "Attention biased", "Attention sizes scale"):
            self.check(form)

    def test_attention_of_separate_parts(self):
        for form in ("MultiHeadAttention", "MultiHeadAttention biased", "MultiHeadAttention padding", "MultiHeadAttention lengths"):
            self.check(form)

    def test_attention_of_onnx(self):
        for form in ("Attention-ONNX 23", "Attention-ONNX 23 mask", "Attention-ONNX 23 packed"):
            self.check(form)

    def test_attention_written_out(self):
        for form in ("scores of both sides", "scores and Where", "scores and Where of scores"):
            self.check(form)

    def test_half_precision(self):
        writer = Form("Gemm")
        model = writer.model()
        self.check_model(halved(model), writer.plain())

    def test_attention_of_codes(self):
        for form in ("QAttention", "QAttention padding"):
            self.check(form, exact=True)

    def test_attention_that_looks_back_only(self):
        model = Form("Attention causal").model()
        node = next(n for n in model.graph.node if n.op_type == "Attention")
        self.refuses(model, f'Attention (node "{node.name}")')

    def test_products(self):
        for form in ("FusedMatMul", "TransposeMatMul", "BiasSoftmax", "Gemm", "FusedGemm Relu"):
            self.check(form, **({"gelu": "relu"} if "FusedGemm" in form else {}))

    def test_products_of_codes(self):
        for form in ("MatMulIntegerToFloat", "DynamicQuantizeMatMul"):
            self.check(form, exact=True)
        for form in ("QLinearMatMul", "QLinearAdd"):
            self.check(form, exact=True, tolerance=0.2)  # eight bits in and out of each

    def test_activations(self):
        for form, gelu in (("BiasGelu", "erf"), ("Gelu", "erf"), ("FastGelu", "tanh"), ("FastGelu biased", "tanh"), ("QuickGelu", "quick"),
                           ("Gelu-ONNX 20", "erf"), ("Gelu-ONNX 20 tanh", "tanh")):
            self.check(form, gelu=gelu)

    def test_norms(self):
        for form in ("SkipLayerNormalization", "SkipLayerNormalization sum"):
            self.check(form)
            self.check(form, head="tags", pooler=False)

    def test_lengths_of_one(self):
        for form in ("length LpNormalization", "length 18 input", "length squares", "length root"):
            writer = Form(form, head="sentence")
            with self.subTest(form):
                self.check_model(writer.model(), writer.plain())

    def test_outputs_that_are_one_value(self):
        """Two names of the same rows, of the same vector, and one that is listed twice."""
        writer = Form("Gemm")
        model = writer.model()
        for of in ("last_hidden_state", "pooler_output"):
            model.graph.node.append(helper.make_node("Identity", [of], [of + ".again"]))
            model.graph.output.append(helper.make_tensor_value_info(of + ".again", 1, None))
        model.graph.output.append(model.graph.output[0])
        self.check_model(model, writer.plain())
        for of in ("last_hidden_state", "pooler_output"):
            self.assertEqual((self.dir / "x" / f"{of}.npy").read_bytes(), (self.dir / "x" / f"{of}.again.npy").read_bytes())

    def test_inputs_that_are_told_by_their_names(self):
        model = Form("Gemm").model()
        model.graph.input[1].name = "input.5"
        self.refuses(model, 'input "input.5" is a second sequence of ids by its name ("mask", "position"')

    def test_names_of_outputs_with_spaces(self):
        path = save(Form("Gemm").model(), self.dir / "model.onnx")
        succeed("lpucc", path, "-o", self.dir / "m.lpx", "--max-context=32", "--output-names=pooler_output, last_hidden_state")

    def test_branches_of_a_known_condition(self):
        writer = Form("If", head="classifier")
        self.check_model(writer.model(), writer.plain())

    def test_positions_of_roberta(self):
        for form in ("RoBERTa", "RoBERTa zeros"):
            with self.subTest(form):
                writer = Form(form)
                plain = Encoder(**SMALL, fused_norm=True, ids_positions=True)
                plain.weights = writer.e.weights
                self.check_model(writer.model(), build(plain))

    def test_widths_of_heads(self):
        for hidden, heads in ((128, 1), (66, 2), (70, 2), (127, 1), (21, 3), (240, 2), (130, 1), (320, 1)):
            with self.subTest(f"{heads} of {hidden // heads}"):
                e = Encoder(hidden=hidden, heads=heads, layers=1, ffn=96)
                self.check_model(build(e), build(e))

    def test_heads_that_are_too_wide(self):
        self.refuses(build(Encoder(hidden=330, heads=1, layers=1, ffn=96)), "heads of 330 elements: attention of encoders takes up to 320")


if __name__ == "__main__":
    main()
