"""Best tokens of random models of every family, by lpu-interpret and by llama.cpp, for scripts/compare-families.sh.

    python3 compare_families.py LPU-INTERPRET NODE_MODULES [FAMILY...]

In fp16, as llama.cpp computes, they must agree wherever its two best logits differ by more than 2 % of the range of its
logits. What int8 weights change is told beside.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

import gguf
from gguf import Model

ANY = dict(vocabulary=400, tokenizer="llama", kind="f16")
FACTORS = tuple(float(f) for f in np.float32(1 + np.arange(12) / 7))
PHI = dict(architecture="phi3", layers=2, hidden=128, heads=4, kv_heads=2, rotary=24, short_factors=FACTORS, context=1024, **ANY)
GEMMA = dict(layers=6, head_dim=32, tied=True, window=12, eps=1e-6, **ANY)
MODELS = {"llama": Model(layers=2, **ANY), "qwen2": Model(architecture="qwen2", layers=2, **ANY),
          "qwen3": Model(architecture="qwen3", layers=2, head_dim=32, **ANY),
          "phi3": Model(original=512, **PHI), "phi3-long": Model(original=40, **PHI),
          "granite": Model(architecture="granite", layers=2, tied=True, multipliers=(12.0, 0.25, 0.1, 8.0), **ANY),
          "smollm3": Model(architecture="smollm3", layers=4, tied=True, **ANY),
          "olmo2": Model(architecture="olmo2", layers=2, hidden=96, heads=6, kv_heads=2, head_dim=16, **ANY),
          "gemma2": Model(architecture="gemma2", caps=(5.0, 3.0), **GEMMA),
          "gemma3": Model(architecture="gemma3", rope_base=1e6, rope_scale=8.0, **GEMMA)}
POSITIONS, CLEAR = 60, 0.02


def interpret(tool, path, ids, folder, *flags):
    out = folder / "own.npy"
    subprocess.run([tool, path, f"--tokens={','.join(map(str, ids))}", f"--logits={out}", *flags], check=True)
    return np.load(out)


def main():
    tool, modules, *names = sys.argv[1:]
    helper = pathlib.Path(__file__).with_name("llama-cpp-logits.mjs")
    bad = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for family in names or MODELS:
            model, path = MODELS[family], folder / "m.gguf"
            gguf.write(path, model)
            ids = np.random.default_rng(5).integers(3, model.vocabulary, POSITIONS).tolist()
            (folder / "ids.json").write_text(json.dumps(ids))
            subprocess.run(["node", helper, modules, path, folder / "ids.json", folder / "out.json"], check=True)
            theirs = np.array(json.loads((folder / "out.json").read_text()), np.float32)
            flags = ["--max-context=512"] if family == "phi3" else []  # llama.cpp takes a context no longer than is asked for
            best = np.sort(theirs, 1)[:, -2:]
            clear = best[:, 1] - best[:, 0] > CLEAR * (theirs.max(1) - theirs.min(1))
            line = f"{family:10} {int(clear.sum())} of {POSITIONS} positions are clear;"
            for precision, choice in (("fp16", ["--weight-type=fp16", "--activation-type=fp16"]), ("int8", [])):
                own = interpret(tool, path, ids, folder, *flags, *choice)
                wrong = int((clear & (own.argmax(1) != theirs.argmax(1))).sum())
                line += f" {precision}: {wrong} differ, error of logits {np.linalg.norm(own - theirs) / np.linalg.norm(theirs):.4f};"
                bad += wrong if precision == "fp16" else 0
            print(line.rstrip(";"), flush=True)
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
