package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bfpo-go/bfpo/bfpo/preview"
)

// objects reads JSON lines.
func objects[T any](t *testing.T, text string) (all []T) {
	t.Helper()
	for line := range strings.Lines(text) {
		var v T
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		all = append(all, v)
	}
	return all
}

func TestTokenize(t *testing.T) {
	type ids struct{ IDs []int32 }
	in := `{"text": "Hello, wörld 你好 <|user|>"}` + "\n\n" + `{"text": ""}` + "\n"
	with := objects[ids](t, mustCall(t, in, "tokenize", "-model=tiny"))
	without := objects[ids](t, mustCall(t, in, "tokenize", "-model=tiny", "-special=false"))
	if len(with) != 2 || with[0].IDs[0] != 1 || !slices.Equal(with[0].IDs[1:], without[0].IDs) ||
		!slices.Contains(without[0].IDs, 4) {
		t.Errorf("with BOS %v, without %v", with, without)
	}
	back, err := json.Marshal(map[string]any{"ids": without[0].IDs})
	if err != nil {
		t.Fatal(err)
	}
	decoded := mustCall(t, string(back), "tokenize", "-model=tiny", "-decode")
	if decoded != `{"text":"Hello, wörld 你好 <|user|>"}`+"\n" {
		t.Errorf("decoded: %s", decoded)
	}
	decoded = mustCall(t, string(back), "tokenize", "-model=tiny", "-decode", "-special=false")
	if strings.Contains(decoded, "user") {
		t.Errorf("decoded without special tokens: %s", decoded)
	}
	for in, text := range map[string]string{
		`{"txt": "a"}`:                        "line 1",
		"\n" + `{"text": "a"} {}`:             "line 2",
		`{}`:                                  `{"text": …}`,
		`{"text": "a"}` + "\n" + `{"te`:       "line 2",
		`{"text": 3}`:                         "line 1: key text: want a text, have 3",
		strings.Repeat("[", 100_000):          "line 1",
		`{"text": "a", "ids": [1, 2]}` + "\n": "ids",
		`{"text": "a", "Text": "b"}`:          `unknown key "Text"`,
		`{"text": "\ud800"}`:                  "half of a surrogate pair",
		"{\"text\": \"\xff\"}":                "not UTF-8",
	} {
		call(t, in, "tokenize", "-model=tiny").wants(t, exitFailed, text)
	}
	call(t, `{"ids": [1, null]}`, "tokenize", "-model=tiny", "-decode").wants(t, exitFailed, "key ids[1]: want a whole")
	call(t, `{"messages": [{"role": "user", "content": "`+"\xff"+`"}]}`, "render", "-model=tiny").wants(t, exitFailed,
		"not UTF-8")
	call(t, `{"ids": [1, 99999]}`, "tokenize", "-model=tiny", "-decode").wants(t, exitFailed, "99999", "line 1")
}

// TestTokenizerAlone tokenises and renders with tokenizer files alone: no weights, no config.json, and one file by its
// path.
func TestTokenizerAlone(t *testing.T) {
	dir := t.TempDir()
	words := filepath.Join(dir, "words.json")
	write(t, words, `{"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}, "pre_tokenizer":
		{"type": "Split", "pattern": {"Regex": "a(?!b)"}, "behavior": "Isolated", "invert": false}}`)
	if got := mustCall(t, `{"text": "aab"}`, "tokenize", "-model="+words); got != `{"ids":[0,2]}`+"\n" {
		t.Errorf("one file: %s", got)
	}
	write(t, filepath.Join(dir, "tokenizer.json"), string(read(t, words)))
	write(t, filepath.Join(dir, "tokenizer_config.json"), `{"extra_special_tokens": ["c"], "pad_token": "[PAD]"}`)
	write(t, filepath.Join(dir, "chat_template.jinja"), `{% for m in messages %}{{ m.content }}c{% endfor %}`)
	in := `{"messages": [{"role": "user", "content": "ab"}]}`
	if got := mustCall(t, in, "render", "-model="+dir); got != `{"text":"abc","ids":[2,4]}`+"\n" {
		t.Errorf("a folder: %s", got)
	}
	write(t, filepath.Join(dir, "tokenizer.json"), "{")
	call(t, in, "render", "-model="+dir).wants(t, exitFailed, "tokenizer.json", "EOF")
}

func TestRender(t *testing.T) {
	type rendered struct {
		Text string
		IDs  []int32
	}
	in := `{"messages": [{"role": "user", "content": "Hi"}]}` + "\n" + `{"messages": []}` + "\n" +
		`{"messages": [{"role": "tool", "content": "x"}]}`
	plain := objects[rendered](t, mustCall(t, in, "render", "-model=tiny"))
	asking := objects[rendered](t, mustCall(t, in, "render", "-model=tiny", "-generation-prompt"))
	want := []string{"<|user|>\nHi</s>\n", "", "<|tool|>\nx</s>\n"}
	for i, text := range want {
		if plain[i].Text != text || asking[i].Text != text+"<|assistant|>\n" {
			t.Errorf("row %d: %q, with generation prompt %q", i, plain[i].Text, asking[i].Text)
		}
	}
	if plain[0].IDs[0] != 4 || plain[1].IDs == nil || len(plain[1].IDs) != 0 {
		t.Errorf("ids %v", plain)
	}
	call(t, "{}", "render", "-model=tiny").wants(t, exitFailed, "line 1", "messages")
	tools := `{"messages": [{"role": "user", "content": "Hi"}], "tools": [{"z": 1, "a": 2}], ` +
		`"chat_template_kwargs": {"x": "y"}}`
	call(t, tools, "render", "-model=tiny").wants(t, exitFailed, "line 1", "tools")
	template := "-set=chat_template='{{ tools|tojson }}{{ x }}{{ strftime_now(\"%B %-d\") }}'"
	shown := objects[rendered](t, mustCall(t, tools, "render", "-model=tiny", template,
		"-set=chat_template_date=2026-01-02"))
	if want := `[{"z": 1, "a": 2}]yJanuary 2`; shown[0].Text != want {
		t.Errorf("%q, want %q", shown[0].Text, want)
	}
}

func TestScore(t *testing.T) {
	type score struct {
		LogProb float64
		Tokens  int
		Greedy  bool
	}
	in := `{"prompt": "Hello", "response": " there"}` + "\n" + `{"prompt_ids": [1, 50], "response_ids": [60, 61, 62]}` +
		"\n" + `{"prompt_ids": [1], "response_ids": []}`
	scores := objects[score](t, mustCall(t, in, "score", "-model=tiny"))
	if len(scores) != 3 || scores[1].Tokens != 3 || scores[2] != (score{0, 0, true}) || scores[0].LogProb >= 0 {
		t.Errorf("scores %v", scores)
	}
	tokens := objects[struct{ IDs []int32 }](t,
		mustCall(t, `{"text": "Hello"}`+"\n"+`{"text": "Hello there"}`, "tokenize", "-model=tiny"))
	prompt, whole := tokens[0].IDs, tokens[1].IDs
	if !slices.Equal(whole[:len(prompt)], prompt) { // else text and ids would be different questions
		t.Fatal("a token spans the boundary of prompt and response: choose another text")
	}
	line, err := json.Marshal(map[string]any{"prompt_ids": prompt, "response_ids": whole[len(prompt):]})
	if err != nil {
		t.Fatal(err)
	}
	again := objects[score](t, mustCall(t, string(line), "score", "-model=tiny"))
	if again[0].Tokens != scores[0].Tokens || math.Abs(again[0].LogProb-scores[0].LogProb) > 1e-4 {
		t.Errorf("by ids %v, by text %v", again[0], scores[0])
	}
	long := strings.TrimSuffix(strings.Repeat("7,", 2100), ",")
	outside := `{"prompt_ids": [1], "response_ids": [2]}` + "\n\n" + `{"prompt_ids": [1], "response_ids": [512]}`
	for in, text := range map[string]string{
		`{"prompt": "a"}`: "line 1",
		`{"prompt": "a", "response": "b", "Response": "c"}`: `unknown key "Response"`,
		`{"prompt": "a", "response": "\ud800"}`:             "half of a surrogate pair",
		`{"prompt_ids": [1], "response_ids": [null]}`:       "key response_ids[0]: want a whole number, have null",
		outside: "line 3: token 512",
		`{"prompt_ids": [1], "response_ids": [` + long + `]}`: "max_position_embeddings 2048",
		`{"prompt_ids": [], "response_ids": [5]}`:             "line 1: the prompt has no token",
	} {
		call(t, in, "score", "-model=tiny").wants(t, exitFailed, text)
	}
}

// TestScoreNotFinite scores with weights that hold a NaN.
func TestScoreNotFinite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	mustCall(t, "", "export", "-model=tiny", "-out="+dir)
	path := filepath.Join(dir, "model.safetensors")
	weights := []byte(read(t, path))
	copy(weights[len(weights)-4:], []byte{0, 0, 0xc0, 0x7f})
	if err := os.WriteFile(path, weights, 0o644); err != nil {
		t.Fatal(err)
	}
	in := `{"prompt_ids": [1, 50], "response_ids": [60, 511]}`
	call(t, in, "score", "-platform=go", "-model="+dir).wants(t, exitFailed, "model.safetensors: tensor ",
		"is NaN: the file is damaged")
}

func TestGenerate(t *testing.T) {
	type answer struct {
		Text string
		IDs  []int32
		Stop string
	}
	base := []string{"generate", "-model=tiny", "-max-tokens=12"}
	plain := mustCall(t, "", append(base, "-prompt=Hello", "-raw")...)
	in := `{"prompt": "Hello"}` + "\n" + `{"messages": [{"role": "user", "content": "Hi"}]}`
	lines := objects[answer](t, mustCall(t, in, base...))
	if len(lines) != 2 || lines[0].Text+"\n" != plain || len(lines[0].IDs) == 0 || len(lines[0].IDs) > 12 {
		t.Fatalf("-prompt gives %q, JSON lines %v", plain, lines)
	}
	half := lines[0].Text[len(lines[0].Text)/2:]
	stopped := objects[answer](t, mustCall(t, in, append(base, "-stop="+half)...))
	if stopped[0].Stop != "stop" || strings.Contains(stopped[0].Text, half) ||
		!strings.HasPrefix(lines[0].Text, stopped[0].Text) {
		t.Errorf("stopped at %q: %v", half, stopped[0])
	}
	draw := func(seed string) string {
		return mustCall(t, in, append(base, "-temperature=1", "-top-p=0.9", "-seed="+seed)...)
	}
	if a, b := draw("1"), draw("1"); a != b || a == draw("2") {
		t.Errorf("seed 1 twice: %q, %q; seed 2: %q", a, b, draw("2"))
	}
	call(t, `{"prompt": "a"}`+"\n"+`{"prompt": "`+strings.Repeat("Q7", 2100)+`"}`, base...).wants(t, exitFailed, "line 2",
		"max_position_embeddings")
	call(t, `{"prompt": "a"}`+"\n"+`{"question": "a"}`, base...).wants(t, exitFailed, "line 2")
	if got := mustCall(t, "", base...); got != "" {
		t.Errorf("no input gives %q", got)
	}
}

func TestChat(t *testing.T) {
	in := "Hi\n\n/compare nowhere\n/compare tiny\nHello\n/new\n/what\n/new again\n\xff\n/quit\nnot read\n"
	out := mustCall(t, in, "chat", "-model=tiny", "-max-tokens=4", "-temperature=0", "-system=Be brief.")
	for text, n := range map[string]int{
		"[tiny]": 2, "/compare MODEL": 2, "nowhere": 1, "unknown command /what\n/compare MODEL": 1,
		"/new stands alone": 1, "this line is not UTF-8 text": 1,
	} {
		if strings.Count(out, text) != n {
			t.Errorf("%q %d times, want %d:\n%s", text, strings.Count(out, text), n, out)
		}
	}
	// The same model twice gives the same answer, and /quit ends the chat before the last line.
	both := strings.Split(out, "[tiny]\n")
	first, _, _ := strings.Cut(both[1], "\n")
	second, _, _ := strings.Cut(both[2], "\n")
	if first != second || strings.Count(out, "\n> ") != 10 {
		t.Errorf("two sides %q and %q, %d prompts:\n%s", first, second, strings.Count(out, "\n> "), out)
	}
	mustCall(t, "Hi", "chat", "-model=tiny", "-max-tokens=1") // the end of input ends it too
}

func TestData(t *testing.T) {
	args := []string{"data", "-config=" + writeRecipe(t, "")}
	out := mustCall(t, "", append(args, "-rows=1")...)
	for _, text := range []string{"main: 8 rows", "buffer: 7 rows", "safe/unsafe", "unsafe/safe", "prompt",
		"quickstart/safety#", "⟦", "split train"} {
		if !strings.Contains(out, text) {
			t.Errorf("the output lacks %q:\n%s", text, out)
		}
	}
	plain := write(t, filepath.Join(t.TempDir(), "plain.jsonl"), `{"prompt": "Say a.", "chosen": "a", "rejected": "b"}`)
	out = mustCall(t, "", append(args, "-set=dataset_mixer={"+plain+": 1}")...)
	if note := "    warning: no row of the main set has safety labels (is_chosen_safe, "; strings.Count(out, note) != 1 {
		t.Errorf("the output lacks %q:\n%s", note, out)
	}
	var view struct {
		Stages, Evaluations []preview.Stage
	}
	for _, args := range [][]string{append(args, "-json"), {"data", "-config=tiny", "-json"}} {
		if err := json.Unmarshal([]byte(mustCall(t, "", args...)), &view); err != nil {
			t.Fatal(err)
		}
	}
	if len(view.Stages) != 2 || view.Stages[0].Sets[0].Lengths.Row == nil ||
		view.Stages[1].Sets[1].Cases["safe/safe"] == 0 || len(view.Evaluations) != 1 ||
		len(view.Evaluations[0].Sets) != 1 || view.Evaluations[0].Sets[0].Rows == 0 {
		t.Errorf("%+v", view)
	}
}

func TestExport(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	mustCall(t, "", "train", "-platform=go", "-config="+writeRecipe(t, ""), "-set=max_steps=1", "-set=save_steps=1",
		"-out="+out)
	for name, model := range map[string]string{"checkpoint": filepath.Join(out, "checkpoints", "step-1"), "run": out} {
		dir := filepath.Join(t.TempDir(), "model")
		if got := mustCall(t, "", "export", "-model="+model, "-out="+dir); got != dir+"\n" {
			t.Errorf("%s: printed %q", name, got)
		}
		for _, file := range []string{"model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json",
			"generation_config.json",
			"chat_template.jinja"} {
			sameFile(t, filepath.Join(out, "model"), dir, file)
		}
		card := string(read(t, filepath.Join(dir, "README.md")))
		if !strings.Contains(card, "Trained from `tiny` by Bi-Factorial") || strings.Contains(card, filepath.Dir(out)) {
			t.Errorf("%s: the card\n%s", name, card)
		}
	}
	full := t.TempDir()
	write(t, filepath.Join(full, "notes.txt"), "mine")
	call(t, "", "export", "-model=tiny", "-out="+full).wants(t, exitUsage, full, "overwrite_output_dir=true")
	call(t, "", "export", "-model=tiny", "-out="+full, "-set=overwrite_output_dir=true").wants(t, exitFailed, full)
	half := filepath.Join(t.TempDir(), "half")
	mustCall(t, "", "export", "-model=tiny", "-set=torch_dtype=bfloat16", "-out="+half)
	if n := len(read(t, filepath.Join(half, "model.safetensors"))); n > 320_000 {
		t.Errorf("151.9 k parameters as bfloat16 take %d bytes", n)
	}
	call(t, "", "export", "-model=tiny", "-out="+half).wants(t, exitUsage, half)
	mustCall(t, "", "export", "-model=tiny", "-out="+half, "-set=overwrite_output_dir=true")
	if n := len(read(t, filepath.Join(half, "model.safetensors"))); n < 600_000 {
		t.Errorf("151.9 k parameters as float32 take %d bytes", n)
	}
}
