#!/usr/bin/python3
"""Several chips: however a model is dealt, the same tokens and the same bits as on one, in exactly the predicted cycles.

The embedded model and stories260K, by tensor and pipeline parallelism, evenly and not, with parts on chips of their own.
"""
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import gguf
import tools
from tools import ROOT, TINY, Case, ids, load_json, run, succeed

STORIES = tools.SHARED_MODELS / "stories260K-f32.gguf"
PROMPT = [1, 413, 438, 261, 387, 300, 301, 302, 303, 304, 305, 306]


class Chips(Case):
    def compile(self, model, name, *args, context=64):
        program, report = self.dir / f"{name}.lpx", self.dir / f"{name}-compile.json"
        succeed("lpucc", model, "-o", program, f"--max-context={context}", f"--report={report}", *args)
        succeed("lpu-objdump", "--check", program)
        return program, load_json(report)

    def check_partitions(self, model, partitions, *run_args, context=64):
        """Every (tp, pp) gives what one chip gives."""
        one, _ = self.compile(model, "one", "--chips=1", context=context)
        expected, logits = self.lpu_run(one, *run_args, name="one")
        for tp, pp in partitions:
            with self.subTest(tp=tp, pp=pp):
                program, report = self.compile(model, "many", f"--tp={tp}", f"--pp={pp}", context=context)
                self.check_system(report, tp, pp)
                ran, many_logits = self.lpu_run(program, *run_args, name="many")
                self.assertEqual(ran["tokens"], expected["tokens"])
                self.assert_same_bits(many_logits, logits)
                self.check_steps(ran, report)

    def check_system(self, report, tp, pp):
        system = report["system"]
        self.assertEqual((system["tp"], system["pp"], system["chips"]), (tp, pp, tp * pp))
        self.assertEqual(len(report["chip_list"]), tp * pp)
        self.assertEqual(len({chip["place"] for chip in report["chip_list"]}), tp * pp)
        self.assertLess(report["memory_worst_chip"]["weights_bytes"] * 2, report["memory"]["weights_bytes"] * 2 + 1)
        layers = sorted({layer for p in report["programs"] for layer in p["layers"]})
        self.assertEqual(layers, list(range(len(layers))))
        if pp > 1:
            self.assertLess(system["initiation_interval_cycles"], system["token_latency_cycles"])

    def check_steps(self, ran, report):
        self.assert_steps_as_predicted(ran)
        predicted = {step["name"]: step["predicted_cycles"] for step in report["system"]["steps"]}
        for step in ran["steps"]:
            self.assertEqual(step["predicted_cycles"], predicted[step["program"]])

    def test_embedded_model_by_tensor(self):
        self.check_partitions(TINY, [(2, 1), (3, 1), (8, 1)], f"--tokens={ids(PROMPT)}", "-n", 5, "--ignore-eos")

    def test_attention_in_tiles(self):
        # Six query heads in groups of three: tp=3 gives a chip two of a group, tp=4 two that share no group, and one chip padding.
        path = self.dir / "tiles.gguf"
        gguf.write(path, gguf.Model(layers=2, hidden=192, heads=6, kv_heads=2, head_dim=64, ffn=192, context=512))
        prompt = ids(t % 128 for t in PROMPT * 2)
        self.check_partitions(path, [(2, 1), (3, 2), (4, 1)], f"--tokens={prompt}", "-n", 3, "--ignore-eos")

    def test_embedded_model_by_pipeline(self):
        self.check_partitions(TINY, [(1, 2), (1, 3), (1, 4)], f"--tokens={ids(PROMPT)}", "-n", 5, "--ignore-eos")

    def test_embedded_model_by_both(self):
        self.check_partitions(TINY, [(2, 4), (4, 2)], f"--tokens={ids(PROMPT)}", "-n", 5, "--ignore-eos")

    def test_embedded_model_over_context_buckets(self):
        self.check_partitions(TINY, [(2, 2)], f"--tokens={ids((PROMPT * 11)[:125])}", "-n", 5, "--ignore-eos", context=256)

    def test_stories(self):
        if not STORIES.exists():
            self.skipTest(f"{STORIES} is not there")
        self.check_partitions(STORIES, [(2, 1), (1, 2), (8, 1), (2, 4)], "--prompt", "Once upon a time", "-n", 6, "--ignore-eos")

    def test_engines_agree(self):
        program, _ = self.compile(TINY, "two", "--tp=2", "--pp=2")
        runs = [self.lpu_run(program, f"--tokens={ids(PROMPT)}", "-n", 2, f"--engine={engine}", name=engine) for engine in ("event", "clocked")]
        self.assertEqual(runs[0][0]["memory_sha256"], runs[1][0]["memory_sha256"])
        self.assertEqual(runs[0][0]["steps"], runs[1][0]["steps"])
        self.assert_same_bits(runs[0][1], runs[1][1])

    def test_what_does_not_fit_takes_more_chips(self):
        """A machine with a quarter of the rows of `small` holds the embedded model on a few chips, embedding and head on their own."""
        machine = self.dir / "machine.yaml"
        text = (ROOT / "isa" / "arch" / "small.yaml").read_text()
        machine.write_text(re.sub(r"rows_per_bank: \d+", "rows_per_bank: 256", text))
        done = run("lpucc", TINY, "-o", self.dir / "x.lpx", f"--target={machine}", "--max-context=64", "--chips=1")
        self.assertEqual(done.returncode, 1)
        program, report = self.compile(TINY, "fit", f"--target={machine}")
        self.assertGreater(report["system"]["chips"], 1)
        for chip in report["chip_list"]:
            self.assertLessEqual(chip["used_bytes"], report["memory_worst_chip"]["capacity_bytes"])
        ran, logits = self.lpu_run(program, f"--tokens={ids(PROMPT)}", "-n", 0)
        self.check_steps(ran, report)
        self.assert_same_bits(logits, self.interpret(TINY, PROMPT))

    def test_memory_in_pieces_takes_more_chips(self):
        """Half of each chip is free, but in pieces: the planner goes on to partitions that put fewer layers on a chip."""
        machine, report = self.dir / "machine.yaml", self.dir / "r.json"
        text = (ROOT / "isa" / "arch" / "tsp1.yaml").read_text()
        machine.write_text(text.replace("superlanes: 20", "superlanes: 16").replace("slices_per_side: 44", "slices_per_side: 36"))
        options = (f"--arch={ROOT / 'models/arch/smollm2-135m.yaml'}", f"--target={machine}", "--steps=decode", "--max-context=512",
                   "--bounds-only", f"--report={report}")
        succeed("lpucc", *options, "--pp=4")
        known = load_json(report)["system"]["chips"]
        succeed("lpucc", *options)
        self.assertLess(load_json(report)["system"]["chips"], 2 * known)  # one that holds it, if not the smallest

    def test_a_partition_without_wires_is_passed_over(self):
        """The smallest partition of a wide vocabulary has no wires in one rack: the planner takes the next one."""
        shape, report = ROOT / "models/arch/gemma-3-27b.yaml", self.dir / "r.json"
        succeed("lpucc", f"--arch={shape}", "--max-context=512", "--steps=decode", "--bounds-only", f"--report={report}")
        self.assertGreater(load_json(report)["system"]["chips"], 1)

    def test_vocabulary_on_chips_of_its_own(self):
        """Groups of chips deal the rows of the embedding and of lm_head; ids of every part are looked up."""
        one, _ = self.compile(TINY, "one", "--chips=1")
        tokens = [1, 0, 97, 128, 255, 256, 300, 511]
        logits = self.lpu_run(one, f"--tokens={ids(tokens)}", "-n", 0)[1]
        flat = self.dir / "flat.mlir"
        succeed("lpucc", TINY, "-o", flat, "--compile-to=llm", "--max-context=64", "--chips=1")
        for options in ("pp=2 embedding-chips=5 head-chips=3", "tp=2 pp=2 layers=3,1 embedding-chips=4 head-chips=6", "tp=3 embedding-chips=3 head-chips=3"):
            with self.subTest(options=options):
                dealt, program = self.dir / "dealt.mlir", self.dir / "dealt.lpx"
                succeed("lpu-opt", flat, f"--llm-partition={options}", "-o", dealt)
                succeed("lpucc", dealt, "-o", program)
                succeed("lpu-objdump", "--check", program)
                ran, many = self.lpu_run(program, f"--tokens={ids(tokens)}", "-n", 0)
                self.assert_steps_as_predicted(ran)
                self.assert_same_bits(many, logits)

    def test_sweeps_over_chips(self):
        """Weights large enough to be swept, with and without the exchange in the sweep's phase, padded in every way."""
        shape = self.dir / "mid.yaml"
        shape.write_text("name: mid\nsource: none\narchitecture: llama\nlayers: 2\nhidden: 1040\nheads: 6\nkv_heads: 2\nhead_dim: 64\nffn: 4100\n"
                         "vocabulary: 600\ncontext: 64\nnorm_eps: 1e-05\nrope_base: 10000\ntied_embeddings: false\n")
        source = (f"--arch={shape}", "--weights=random:3", "--max-context=64")
        logits = {}
        for name, args in (("one", ["--chips=1"]), ("two", ["--tp=2"]), ("three", ["--tp=3"]), ("four", ["--tp=2", "--pp=2"])):
            program = self.dir / f"{name}.lpx"
            succeed("lpucc", *source, "-o", program, *args)
            ran, logits[name] = self.lpu_run(program, "--tokens=1,403,5,7,599", "-n", 0, name=name)
            self.assert_steps_as_predicted(ran)
            self.assert_same_bits(logits[name], logits["one"])

    def test_a_table_gets_whole_banks(self):
        """A share of TinyLlama's embedding takes eight whole banks of two slices, which small vectors must not nibble at."""
        program, report = self.compile(f"--arch={ROOT}/models/arch/tinyllama-1.1b.yaml", "tables", "--weights=none", "--tp=8", "--pp=2")
        self.assertEqual(report["system"]["chips"], 16)
        self.check_steps(self.lpu_run(program, "--mode=timing", "--tokens=1", "-n", 2)[0], report)

    def test_fastest_is_not_slower_than_fit(self):
        _, fit = self.compile(TINY, "fit")
        _, fastest = self.compile(TINY, "fastest", "--fastest", "--chips=4")
        self.assertLessEqual(fastest["system"]["chips"], 4)
        self.assertLessEqual(fastest["system"]["token_latency_cycles"], fit["system"]["token_latency_cycles"])

    def test_a_square_of_chips(self):
        square = self.dir / "square.yaml"
        square.write_text("name: square\nchips: 4\nnode_chips: 4\nwires: [[0, 1], [1, 2], [2, 3], [3, 0]]\n")
        _, report = self.compile(TINY, "square", "--pp=4", f"--topology={square}")
        self.assertEqual(report["system"]["topology"], "square")
        done = run("lpucc", TINY, "-o", self.dir / "x.lpx", "--max-context=64", "--tp=4", f"--topology={square}")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"^square: error: no link joins the chips of chip \d .* has 2 hops; ")


if __name__ == "__main__":
    tools.main()
