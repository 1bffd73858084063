#!/usr/bin/python3
"""Every precision through the whole chain: chip = interpreter bit for bit, predicted = simulated, and the promised quality."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import tools
from tools import Case, ids, load_json, np, run, succeed

import gguf

TEXT = tools.TINY.parent / "eval-text.txt"
CALIBRATION = tools.TINY.parent / "calibration-text.txt"
SHAPE = {"name": "shape", "source": "a test", "architecture": "llama", "layers": 2, "hidden": 96, "heads": 6, "kv_heads": 3, "head_dim": 16, "ffn": 200,
         "vocabulary": 150, "context": 64, "norm_eps": 1e-5, "rope_base": 10000, "tied_embeddings": "false"}
CONFIGURATIONS = [("int8-group", "a16"), ("int4-group", "a16"), ("keep", "a16"), ("int8", "a8"), ("int4-group", "a8")]


def flags(weights, activations):
    return [f"--weight-type={weights}", f"--activation-type={activations}"]


class Compared(Case):
    def check(self, model, tokens, *extra, chips=(), configurations=CONFIGURATIONS):
        """Every configuration on one chip, and on each (tp, pp) of `chips`."""
        for weights, activations in configurations:
            for tp, pp in [(1, 1), *chips]:
                with self.subTest(weights=weights, activations=activations, tp=tp, pp=pp):
                    chosen = [*flags(weights, activations), *extra]
                    program = self.dir / "q.lpx"
                    succeed("lpucc", model, "-o", program, *chosen, f"--tp={tp}", f"--pp={pp}")
                    report, logits = self.lpu_run(program, f"--tokens={ids(tokens)}", "-n", 3, "--ignore-eos")
                    self.assert_steps_as_predicted(report)
                    self.assert_same_bits(logits, self.interpret(model, tokens + report["tokens"][:-1], *chosen))


class Exactness(Compared):
    def test_embedded_model(self):
        self.check(tools.TINY, np.random.default_rng(5).integers(3, 1024, 21).tolist(), "--max-context=64")

    def test_several_vectors_and_short_groups(self):
        model = gguf.Model(layers=1, hidden=384, heads=6, kv_heads=3, ffn=700, vocabulary=350, context=32, kind="q4_0")
        path = self.dir / "wide.gguf"
        gguf.write(path, model)
        self.check(path, [3, 99, 17, 64, 127, 0, 5, 6, 7, 8])

    def test_several_chips(self):
        self.check(tools.TINY, [1, 403, 407, 261, 5, 77, 9, 1000, 12], "--max-context=64", chips=[(2, 1), (1, 4)], configurations=[("int8-group", "a16")])
        self.check(tools.TINY, [1, 403, 407, 261, 5, 77, 9, 1000, 12], "--max-context=64", chips=[(4, 2)], configurations=[("int4-group", "a8")])
        self.check(tools.TINY, [1, 403, 407, 261], "--max-context=64", chips=[(2, 2)], configurations=[("int8", "a8")])

    def test_biases_and_halves(self):
        path = self.dir / "qwen2.gguf"
        gguf.write(path, gguf.Model(architecture="qwen2", layers=2, tied=True, hidden=128, heads=8, kv_heads=4, ffn=128))
        self.check(path, [3, 99, 17, 64, 127, 0, 5, 6, 7, 8], chips=[(2, 1), (1, 2)], configurations=[("int8-group", "a16"), ("int8", "a8")])

    def test_attention_in_tiles(self):
        path = self.dir / "tiles.gguf"
        gguf.write(path, gguf.Model(layers=2, hidden=192, heads=6, kv_heads=2, head_dim=64, ffn=192, context=512))
        self.check(path, [t % 128 for t in range(3, 40, 3)], chips=[(3, 2)], configurations=[("int8-group", "a16"), ("int4-group", "a8")])
        self.check(path, [t % 128 for t in range(3, 40, 3)], "--kv-type=fp16", configurations=[("int8", "a16")])  # by sweeps: tiles multiply integers

    def test_packed_results_of_tiles(self):
        path = self.dir / "packed.gguf"
        gguf.write(path, gguf.Model(layers=1, hidden=640, heads=10, kv_heads=5, head_dim=128, ffn=96, context=512))
        self.check(path, [t % 128 for t in range(3, 40, 3)], configurations=[("int8-group", "a16")])

    def test_layers_of_their_own(self):
        """Stages that differ in precision are no class of chips."""
        config = self.dir / "q.yaml"
        config.write_text("weights: int8-group\nrules:\n"
                          "- {layers: 1, weights: int8, activations: a8}\n"
                          "- {tensors: 'blk.*.attn_k.weight', weights: int4-group}\n"
                          "- {tensors: 'blk.2.ffn_up.weight', weights: int8}\n")
        self.check(tools.TINY, [1, 403, 407, 261, 5, 77, 9, 1000, 12], "--max-context=64", f"--quant-config={config}",
                   chips=[(2, 1), (1, 4), (2, 2)], configurations=[("int8", "a16")])

    def test_random_weights_of_a_shape(self):
        arch = self.dir / "shape.yaml"
        arch.write_text("".join(f"{key}: {value}\n" for key, value in SHAPE.items()))
        for weights, activations in CONFIGURATIONS:
            with self.subTest(weights=weights, activations=activations):
                shape = [f"--arch={arch}", "--weights=random:3", *flags(weights, activations), "--max-context=64"]
                program = self.dir / "r.lpx"
                succeed("lpucc", *shape, "-o", program)
                report, logits = self.lpu_run(program, "--tokens=1,2,3", "-n", 2, "--ignore-eos")
                out = self.dir / "i.npy"
                succeed("lpu-interpret", *shape, f"--tokens={ids([1, 2, 3, *report['tokens'][:-1]])}", f"--logits={out}")
                self.assert_same_bits(logits, np.load(out))
                # Without weights the program is the same and takes as long.
                timed = self.dir / "t.lpx"
                succeed("lpucc", *["--weights=none" if s.startswith("--weights") else s for s in shape], "-o", timed)
                steps, _ = self.lpu_run(timed, "--tokens=1,2,3", "-n", 2, "--mode=timing", name="timed")
                self.assertEqual([s["simulated_cycles"] for s in steps["steps"]], [s["simulated_cycles"] for s in report["steps"]])

    def test_compensated_rounding(self):
        self.check(tools.TINY, [1, 403, 407, 261], "--max-context=64", f"--calibration={CALIBRATION}", "--rounding=gptq",
                   chips=[(2, 2)], configurations=[("int4-group", "a8")])

    def test_calibrated_scales(self):
        self.check(tools.TINY, [1, 403, 407, 261], "--max-context=64", f"--calibration={TEXT}")


class Halves(Compared):
    """fp16 linears and the types of keys and values: the interpreter knows the order of additions (N15)."""
    HALF = [("fp16", "fp16")]

    def test_embedded_model(self):
        for kv in ("int16", "fp16"):
            self.check(tools.TINY, np.random.default_rng(5).integers(3, 1024, 21).tolist(), "--max-context=64", f"--kv-type={kv}", chips=[(1, 4)], configurations=self.HALF)

    def test_several_vectors(self):
        path = self.dir / "wide.gguf"
        gguf.write(path, gguf.Model(layers=2, hidden=384, heads=8, kv_heads=4, ffn=700, vocabulary=350, context=32, kind="f32"))
        self.check(path, [3, 99, 17, 64, 127, 0, 5, 6, 7, 8], chips=[(1, 2)], configurations=self.HALF)

    def test_biases(self):
        path = self.dir / "qwen2.gguf"
        gguf.write(path, gguf.Model(architecture="qwen2", layers=2, tied=True, hidden=128, heads=8, kv_heads=4, ffn=128))
        self.check(path, [3, 99, 17, 64, 127, 0, 5, 6, 7, 8], chips=[(1, 2)], configurations=self.HALF)
        for kv in ("int8", "fp16"):
            self.check(path, [3, 99, 17, 64, 127, 0, 5, 6, 7, 8], f"--kv-type={kv}", chips=[(2, 1), (1, 2)], configurations=[("int8", "a16")])

    def test_kv_types(self):
        tokens = np.random.default_rng(6).integers(3, 1024, 21).tolist()
        for kv, chips in (("int8", (2, 1)), ("fp16", (1, 4))):
            self.check(tools.TINY, tokens, "--max-context=64", f"--kv-type={kv}", chips=[chips], configurations=[("int8", "a16")])
            self.check(tools.TINY, tokens, "--max-context=64", f"--kv-type={kv}", configurations=[("int8", "a8"), ("int8-group", "a16")])


class Quality(Case):
    def rows(self, model, text, config, *extra):
        report = self.dir / "evaluation.json"
        succeed("lpu-eval", model, f"--text={text}", f"--config={config}", f"--report={report}", *extra)
        return load_json(report)["rows"]

    def change(self, row):
        return abs(row["perplexity"] / row["float_perplexity"] - 1)

    def check_promises(self, model, text):
        rows = self.rows(model, text, "int8/a16/int16,int8-group/a16/int16,int4-group/a16/int16")
        print("", *(f"  {r['weights']:<12} {r['perplexity']:.4f} (float {r['float_perplexity']:.4f})" for r in rows), sep="\n", file=sys.stderr)
        self.assertLess(self.change(rows[0]), 0.005)
        self.assertLess(self.change(rows[1]), 0.002)
        self.assertLess(rows[1]["kl"], rows[0]["kl"])
        self.assertLess(rows[1]["kl"], rows[2]["kl"])

    def check_halves(self, model, text, *configurations):
        for config, bar in configurations:
            row = self.rows(model, text, config)[0]
            print(f"  {config:<24} {row['perplexity']:.4f} (float {row['float_perplexity']:.4f})", file=sys.stderr)
            self.assertLess(self.change(row), bar)

    def test_halves_and_kv_types(self):
        self.check_halves(tools.TINY, TEXT, ("fp16/fp16/fp16", 0.001), ("int8/a16/int8", 0.005), ("int8-group/a16/fp16", 0.002))
        stories, text = tools.SHARED_MODELS / "stories260K-f32.gguf", tools.SHARED_MODELS / "stories-text.txt"
        if not stories.exists():
            self.skipTest(f"{stories} is not there")
        self.check_halves(stories, text, ("fp16/fp16/fp16", 0.001), ("int8/a16/int8", 0.005))
        self.check_halves(tools.SHARED_MODELS / "stories260K-q8_0.gguf", text, ("int8-group/a16/fp16", 0.002))

    def test_embedded_model(self):
        self.check_promises(tools.TINY, TEXT)

    def test_stories(self):
        model = tools.SHARED_MODELS / "stories260K-q8_0.gguf"
        if not model.exists():
            self.skipTest(f"{model} is not there")
        self.check_promises(model, tools.SHARED_MODELS / "stories-text.txt")

    def test_calibration_earns_its_place(self):
        bounds = self.rows(tools.TINY, TEXT, "int8/a8/int16")[0]
        measured = self.rows(tools.TINY, TEXT, "int8/a8/int16", f"--calibration={CALIBRATION}")[0]
        self.assertLess(measured["kl"], bounds["kl"] / 4)

    def test_compensation_earns_its_place(self):
        nearest = self.rows(tools.TINY, TEXT, "int4-group/a16/int16", f"--calibration={CALIBRATION}")[0]
        gptq = self.rows(tools.TINY, TEXT, "int4-group/a16/int16", f"--calibration={CALIBRATION}", "--rounding=gptq")[0]
        print(f"  int4-group: KL {nearest['kl']:.5f} to the nearest, {gptq['kl']:.5f} compensated", file=sys.stderr)
        self.assertLess(gptq["kl"], 0.8 * nearest["kl"])


class Mistakes(Case):
    def test_calibration_text(self):
        for text, message in [("none.txt", "none.txt: error: cannot be read or is empty")]:
            done = run("lpucc", tools.TINY, "-o", self.dir / "x.lpx", f"--calibration={self.dir / text}")
            self.assertEqual(done.returncode, 1)
            self.assertIn(message, done.stderr)
        done = run("lpucc", tools.TINY, "-o", self.dir / "x.lpx", f"--calibration={TEXT}", "--calibration-method=guess")
        self.assertEqual(done.returncode, 1)
        self.assertIn("--calibration-method: error: 'guess' is not known", done.stderr)

    def test_compensation_needs_a_text(self):
        done = run("lpucc", tools.TINY, "-o", self.dir / "x.lpx", "--rounding=gptq")
        self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1))
        self.assertIn("--rounding: error: 'gptq' weighs errors by what the model computes; give a text with --calibration", done.stderr)

    def test_compensated_weights_are_not_in_the_ir(self):
        stage = self.dir / "s.mlir"
        succeed("lpucc", tools.TINY, "-o", stage, "--compile-to=stream", "--max-context=64", f"--calibration={CALIBRATION}", "--rounding=gptq")
        done = run("lpucc", stage, "-o", self.dir / "x.lpx")
        self.assertEqual(done.returncode, 1)
        self.assertIn("s.mlir: error: the weights were rounded with calibration (llm.rounding)", done.stderr)
        self.assertFalse((self.dir / "x.lpx").exists())

    def test_halves(self):
        for options, message in [
                (["--weight-type=fp16"], '--weight-type: error: the weights of "blk.0.attn_q.weight" are to be fp16, what they are multiplied with is not'),
                (["--activation-type=fp16"], "are to be integers, what they are multiplied with is not"),
                (["--weight-type=fp16", "--activation-type=fp16", "--kv-type=int8"], "--kv-type: error: int8 values have the scale of attention's result"),
                (["--weight-type=fp16", "--activation-type=fp16", "--tp=2"], "give --tp=1, with --pp for several chips"),
                (["--weight-type=fp16", "--activation-type=fp16", "--target=small"], "machine 'small' has 64 lanes")]:
            with self.subTest(options=options):
                done = run("lpucc", tools.TINY, "-o", self.dir / "x.lpx", "--max-context=64", *options)
                self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1), done.stderr)
                self.assertIn(message, done.stderr)
                self.assertFalse((self.dir / "x.lpx").exists())

    def test_halves_over_chips(self):
        """Chips share no fp16 layer: partitions found are without, or there is none."""
        options = ["--weights=none", "--weight-type=fp16", "--activation-type=fp16", "--max-context=64", f"--report={self.dir / 'r.json'}", "-o", self.dir / "x.lpx"]
        succeed("lpucc", f"--arch={tools.ROOT / 'models/arch/tinyllama-1.1b.yaml'}", *options)
        system = load_json(self.dir / "r.json")["system"]
        self.assertEqual((system["tp"], system["pp"] > 1), (1, True))
        (self.dir / "x.lpx").unlink()
        done = run("lpucc", f"--arch={tools.ROOT / 'models/arch/llama-3-8b.yaml'}", *options)
        self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1), done.stderr)
        self.assertIn("a layer takes more than a chip of 'tsp1' holds, and chips cannot share it: fp16 sums have an order; choose --weight-type=int8", done.stderr)
        self.assertFalse((self.dir / "x.lpx").exists())

    def test_groups_over_chips(self):
        done = run("lpucc", tools.TINY, "-o", self.dir / "x.lpx", "--weight-type=int8-group", "--tp=8", "--max-context=64")
        self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1))
        self.assertIn("where 8 chips hold 16 columns each; give a smaller --tp, or this weight type int8", done.stderr)

    def test_config_file(self):
        config = self.dir / "q.yaml"
        for text, message in [("weights: int9\n", "q.yaml:1: error: 'int9' is not known; choose one of int8, int8-group"),
                              ("rules:\n- {layers: 9, weights: int8}\n", "q.yaml:2: error: the rule matches none of the model's linears")]:
            config.write_text(text)
            for tool, rest in [("lpucc", ["-o", self.dir / "x.lpx"]), ("lpu-interpret", ["--tokens=1"])]:
                done = run(tool, tools.TINY, *rest, f"--quant-config={config}")
                self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1))
                self.assertIn(message, done.stderr)
        done = run("lpucc", tools.TINY, "-o", self.dir / "x.lpx", "--quant-config=none.yaml")
        self.assertIn("none.yaml: error: cannot be read", done.stderr)

    def test_report_lists_every_linear(self):
        config, report = self.dir / "q.yaml", self.dir / "r.json"
        config.write_text("rules:\n- {tensors: '*.ffn_down.*', weights: int8-group, activations: a8}\n")
        succeed("lpucc", tools.TINY, "-o", self.dir / "x.lpx", f"--report={report}", f"--quant-config={config}", "--max-context=64")
        for linear in load_json(report)["precisions"]:
            down = "ffn_down" in linear["tensor"]
            self.assertEqual((linear["weights"], linear["activations"]), ("int8-group", "a8") if down else ("int8", "a16"), linear)

    def test_report_counts_saturation(self):
        report = self.dir / "r.json"
        succeed("lpucc", tools.TINY, "-o", self.dir / "x.lpx", f"--report={report}", f"--calibration={TEXT}",
                "--calibration-method=percentile", "--activation-type=a8", "--max-context=64")
        calibration = load_json(report)["calibration"]
        self.assertEqual(calibration["method"], "percentile")
        self.assertTrue(0 < calibration["saturated"] <= 0.002 * calibration["values"])


if __name__ == "__main__":
    tools.main()
