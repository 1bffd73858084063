#!/usr/bin/python3
"""Models of many shapes through the whole chain: compile, check, run, and compare.

Random models written by tests/support/gguf.py. Of each: the legality check finds nothing, every step takes the
predicted cycles, logits are those of lpu-interpret bit for bit and close to a float implementation, bounds are
bounds, and the schedule is near them.
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import tools
from tools import Case, ids, load_json, np, succeed

import gguf
import llama_float
from gguf import Model

RATIO = 1.5  # predicted cycles over the lower bound, at most
SMALL_RATIO = 1.6  # the same on the small machine, where the tail of each phase weighs more
TILES_RATIO = 1.8  # with attention in tiles, whose prefill shares few units among many tokens
BOUNDS = ("weight_stream_bound_cycles", "resource_bound_cycles", "critical_path_cycles", "lower_bound_cycles")


class Shapes(Case):
    def check(self, model, target="tsp1", ratio=RATIO, length=0, divergence=0.01, context=0):
        path, program, report = self.dir / "m.gguf", self.dir / "m.lpx", self.dir / "m.json"
        gguf.write(path, model)
        smaller = [f"--max-context={context}"] if context else []
        succeed("lpucc", path, "-o", program, f"--target={target}", f"--report={report}", *smaller)
        self.check_report(load_json(report), target, ratio)
        succeed("lpu-objdump", "--check", program)
        self.check_run(model, path, program, length or min((context or model.context) - 4, 40), divergence)

    def check_report(self, report, target, ratio):
        self.assertEqual((report["target"], report["chips"]), (pathlib.Path(target).stem, 1))
        memory = report["memory"]
        used = sum(memory[k] for k in ("weights_bytes", "kv_bytes", "activation_bytes", "code_bytes"))
        self.assertLessEqual(used, memory["capacity_bytes"])
        self.assertEqual({p["kind"] for p in report["programs"]}, {"prefill", "decode"})
        for p in report["programs"]:
            self.assertGreater(p["lower_bound_cycles"], 0)
            for bound in BOUNDS:
                self.assertLessEqual(p[bound], p["predicted_cycles"], (p["name"], bound))
            self.assertLessEqual(p["predicted_cycles"], ratio * p["lower_bound_cycles"], p["name"])

    def check_run(self, model, path, program, length, divergence):
        prompt = np.random.default_rng(model.seed).integers(0, model.vocabulary, length).tolist()
        report, logits = self.lpu_run(program, f"--tokens={ids(prompt)}", "-n", 4, "--ignore-eos")
        self.assert_steps_as_predicted(report)
        self.assertEqual(report["prompt_tokens"], prompt)
        fed = prompt + report["tokens"][:-1]
        self.assertEqual(logits.shape, (length + 3, model.vocabulary))
        self.assertEqual(report["tokens"], logits[length - 1:].argmax(1).tolist())
        self.assert_same_bits(logits, self.interpret(path, fed))
        reference = llama_float.Llama(path).logits(fed)
        wrong, sure = llama_float.disagreements(reference, logits)
        self.assertEqual(wrong, 0, f"of {sure}")
        self.assertLessEqual(llama_float.divergence(reference, logits), divergence)

    def test_tokens_in_float(self):
        self.check(Model(kind="f32", version=2, context=32))

    def test_half_precision_large_vocabulary_needs_two_embedding_banks(self):
        self.check(Model(kind="f16", vocabulary=5000))

    def test_four_bit_weights_version_2(self):
        self.check(Model(kind="q4_0", version=2, layers=2))

    def test_tied_vocabulary_of_nine_logit_vectors(self):
        self.check(Model(vocabulary=2600, tied=True))

    def test_tied_four_bit_vocabulary_of_three_banks(self):
        self.check(Model(vocabulary=9000, kind="q4_0", tied=True))

    def test_hidden_of_two_vectors_multi_query_groups_of_two(self):
        self.check(Model(layers=2, hidden=640, heads=10, kv_heads=5, ffn=704, vocabulary=512))

    def test_feed_forward_weights_long_enough_to_sweep(self):
        self.check(Model(hidden=512, heads=4, kv_heads=2, ffn=3600, vocabulary=300))

    def test_sweep_that_leaves_its_home_slices(self):
        shallow = self.dir / "shallow.yaml"
        text = (tools.ROOT / "isa/arch/tsp1.yaml").read_text()
        shallow.write_text(text.replace("rows_per_bank: 4096", "rows_per_bank: 512").replace("name: tsp1", "name: shallow"))
        self.check(Model(layers=2, hidden=640, heads=5, kv_heads=5, ffn=4000, vocabulary=300), target=shallow,
                   ratio=1.7)  # weights, caches and activations share slices

    def test_hidden_of_two_vectors_partly_used(self):
        self.check(Model(hidden=384, heads=6, kv_heads=2, ffn=512, vocabulary=300))

    def test_heads_of_48_context_of_100(self):
        self.check(Model(hidden=192, heads=4, kv_heads=2, ffn=200, context=100), length=70)

    def test_heads_of_64_all_with_their_own_keys(self):
        self.check(Model(hidden=256, heads=4, kv_heads=4, ffn=256))

    def test_heads_of_128_one_key_head(self):
        self.check(Model(hidden=256, heads=2, kv_heads=1, ffn=256, context=48))

    def test_heads_wider_together_than_hidden(self):
        self.check(Model(hidden=96, heads=3, kv_heads=3, head_dim=128, ffn=100))

    def test_a_head_of_the_whole_vector(self):
        self.check(Model(hidden=320, heads=1, kv_heads=1, ffn=320))

    def test_many_heads(self):
        self.check(Model(hidden=512, heads=32, kv_heads=8, ffn=640))

    def test_nothing_is_a_multiple_of_anything(self):
        self.check(Model(hidden=330, heads=11, kv_heads=11, ffn=321, vocabulary=321, context=33, kind="f16"))

    def test_odd_ffn(self):
        self.check(Model(ffn=77))

    def test_tiny_heads_odd_sizes(self):
        self.check(Model(hidden=40, heads=5, kv_heads=1, ffn=33, vocabulary=131, context=50, kind="f32"))

    def test_context_of_700_crosses_buckets(self):
        self.check(Model(context=700), length=140)

    # Attention in tiles: heads of a multiple of 32 elements, context · width at least 2^17.

    def test_tiles_over_two_blocks_of_positions(self):
        self.check(Model(layers=2, hidden=256, heads=4, kv_heads=2, ffn=256, context=512), length=360, ratio=TILES_RATIO)

    def test_tiles_heads_of_128_one_key_head(self):
        self.check(Model(hidden=256, heads=8, kv_heads=1, head_dim=128, ffn=256, context=1024), context=400, length=350, ratio=TILES_RATIO)

    def test_tiles_of_a_large_model(self):
        self.check(Model(hidden=256, heads=32, kv_heads=8, head_dim=128, ffn=256, context=1024), context=64, length=24, ratio=TILES_RATIO)

    def test_tiles_groups_of_three_uneven_heads(self):
        self.check(Model(hidden=256, heads=21, kv_heads=7, head_dim=96, ffn=256, context=128), context=40, length=24, ratio=TILES_RATIO)

    def test_tiles_every_head_its_own_keys(self):
        self.check(Model(hidden=256, heads=17, kv_heads=17, head_dim=32, ffn=256, context=256), context=40, length=24, ratio=TILES_RATIO)

    def test_tiles_many_blocks(self):
        self.check(Model(hidden=64, heads=4, kv_heads=2, head_dim=32, context=4096), target="small", context=700, length=690, ratio=TILES_RATIO)

    def test_tiles_small_target_one_key_head(self):
        self.check(Model(hidden=96, heads=5, kv_heads=1, head_dim=64, context=512), target="small", context=260, length=250, ratio=TILES_RATIO)

    def test_tiles_in_chunks_of_a_step(self):
        # Little memory for scores: eight tokens pass in two chunks, the second one's scores between the first one's values.
        shallow = self.dir / "shallow.yaml"
        text = (tools.ROOT / "isa/arch/tsp1.yaml").read_text()
        shallow.write_text(text.replace("rows_per_bank: 4096", "rows_per_bank: 512").replace("name: tsp1", "name: shallow"))
        self.check(Model(hidden=256, heads=16, kv_heads=4, head_dim=64, ffn=256, context=512), target=shallow, length=350, ratio=TILES_RATIO)

    def test_tiles_in_chunks_over_many_blocks(self):
        self.check(Model(hidden=256, heads=32, kv_heads=8, head_dim=32, ffn=256, context=4096), context=700, length=680, ratio=TILES_RATIO)

    def test_tiles_and_sweeps_agree(self):
        # The same weights, made for a context on either side of where tiles begin.
        logits = []
        for context in (511, 512):
            path = self.dir / f"{context}.gguf"
            gguf.write(path, Model(hidden=256, heads=4, kv_heads=2, ffn=256, context=context))
            logits.append(self.interpret(path, np.random.default_rng(3).integers(0, 128, 48).tolist()))
        self.assertFalse(np.array_equal(*logits))
        self.assertLessEqual(llama_float.divergence(*logits), 1e-5)

    def test_twelve_layers(self):
        self.check(Model(layers=12, context=40), length=20)

    def test_biases_and_rope_of_halves(self):
        self.check(Model(architecture="qwen2", layers=2, tied=True, hidden=96, heads=6, kv_heads=2))

    def test_small_target_biases_over_two_vectors(self):
        self.check(Model(architecture="qwen2", hidden=384, heads=6, kv_heads=3, kind="f32"), target="small", ratio=SMALL_RATIO)

    def test_byte_level_vocabulary(self):
        self.check(Model(tokenizer="gpt2", vocabulary=300))

    def test_byte_level_prompt_and_text(self):
        path, program = self.dir / "m.gguf", self.dir / "m.lpx"
        gguf.write(path, Model(tokenizer="gpt2", vocabulary=300))
        succeed("lpucc", path, "-o", program)
        pieces = gguf.tokenizer_keys("gpt2", 300)["tokenizer.ggml.tokens"][1][1]
        report, _ = self.lpu_run(program, "--prompt", "Once in the 7é\n", "-n", 3, "--ignore-eos")
        got = [pieces[t] for t in report["prompt_tokens"]]
        start = 1 if got[0] == "<|endoftext|>" else 0
        self.assertEqual(got[start:start + 1], ["Once"])
        self.assertEqual("".join(got[start:]), "OnceĠinĠtheĠ7Ã©Ċ")
        self.assertIn("Ġthe", got)
        self.assertEqual(len(report["tokens"]), 3)

    def test_sentencepiece_prompt(self):
        path, program = self.dir / "m.gguf", self.dir / "m.lpx"
        gguf.write(path, Model(tokenizer="llama", vocabulary=400))
        succeed("lpucc", path, "-o", program)
        pieces = gguf.tokenizer_keys("llama", 400)["tokenizer.ggml.tokens"][1][1]
        report, _ = self.lpu_run(program, "--prompt", "the on\n", "-n", 1)
        self.assertEqual([pieces[t] for t in report["prompt_tokens"]], ["<s>", "▁the", "▁on", "<0x0A>"])

    def test_small_target(self):
        self.check(Model(), target="small")

    def test_small_target_heads_of_8_odd_sizes(self):
        self.check(Model(hidden=40, heads=5, kv_heads=1, ffn=33, vocabulary=131, context=50, kind="f32"), target="small")

    def test_small_target_hidden_of_six_vectors(self):
        self.check(Model(hidden=384, heads=6, kv_heads=2, ffn=512, vocabulary=300, kind="q4_0"), target="small",
                   ratio=SMALL_RATIO)

    def test_small_target_heads_of_48(self):
        self.check(Model(hidden=192, heads=4, kv_heads=2, ffn=200, context=100), target="small", ratio=SMALL_RATIO)

    def test_small_target_a_head_of_all_lanes(self):
        self.check(Model(hidden=256, heads=4, kv_heads=4, ffn=256), target="small", ratio=SMALL_RATIO)

    def test_small_target_large_vocabulary(self):
        self.check(Model(vocabulary=5000, kind="f16"), target="small")


if __name__ == "__main__":
    tools.main()
