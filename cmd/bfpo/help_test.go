package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bfpo-go/bfpo/bfpo/fields"
	"github.com/bfpo-go/bfpo/datasets"
)

func TestHelp(t *testing.T) {
	list := mustCall(t, "", "help")
	for _, args := range [][]string{{"-h"}, {"-help"}, {"--help"}, {"help"}} {
		if out := mustCall(t, "", args...); out != list {
			t.Errorf("bfpo %s prints\n%s", args[0], out)
		}
	}
	for _, c := range commands() {
		if !strings.Contains(list, "\n  "+c.name+" ") {
			t.Errorf("help lacks %s:\n%s", c.name, list)
		}
		out := mustCall(t, "", "help", c.name)
		for _, flag := range []string{"-h", "-help", "--help"} {
			if other := mustCall(t, "", c.name, flag); other != out {
				t.Errorf("%s %s differs from help %s:\n%s", c.name, flag, c.name, other)
			}
		}
		for _, name := range []string{"-platform", "-devices", "-config", "-set", "-out", "-model", "-profile", "-q", "-v"} {
			if !strings.Contains(out, "\n  "+name+" ") && !strings.Contains(out, "\n  "+name+"\t") {
				t.Errorf("%s -h lacks %s:\n%s", c.name, name, out)
			}
		}
		if !strings.Contains(out, "\nExample:\n  "+c.example+"\n") || !strings.Contains(c.example, "bfpo "+c.name) {
			t.Errorf("help %s has no example of the command:\n%s", c.name, out)
		}
	}
	call(t, "", "help", "quickstrt").wants(t, exitUsage, `did you mean "quickstart"`, "keys, tasks or recipes")
	call(t, "", "help", "keys", "tasks").wants(t, exitUsage, "want one command")
	call(t, "", "help", "-jsn").wants(t, exitUsage, "-jsn")
	call(t, "", "help", "train", "-json").wants(t, exitUsage, "-json is for the lists")
	for _, flag := range []string{"-version", "--version"} {
		if out := mustCall(t, "", flag); !strings.HasPrefix(out, "bfpo ") || strings.Count(out, "\n") != 1 {
			t.Errorf("%s prints %q", flag, out)
		}
	}
}

// The lists of help are complete, as text and as JSON.
func TestHelpLists(t *testing.T) {
	for topic, wants := range map[string][]string{
		"keys":    {"model_name_or_path", "beta", "stages", "eval_tasks"},
		"tasks":   {"truthfulqa_mc1", "toxigen"},
		"recipes": {"quickstart", "tiny", "tiny/redteam", "zephyr-7b/bfpo"},
	} {
		text := mustCall(t, "", "help", topic)
		var all []fields.Field
		if err := json.Unmarshal([]byte(mustCall(t, "", "help", topic, "-json")), &all); err != nil {
			t.Fatal(err)
		}
		for _, want := range wants {
			if !slices.ContainsFunc(all, func(f fields.Field) bool { return f.Name == want }) ||
				!strings.Contains(text, "\n  "+want+" ") && !strings.HasPrefix(text, "  "+want+" ") {
				t.Errorf("help %s lacks %s:\n%s", topic, want, text)
			}
		}
		for _, f := range all {
			if !strings.Contains(text, "  "+f.Name+" ") {
				t.Errorf("help %s: the text lacks %s", topic, f.Name)
			}
		}
	}
	var all []listed
	if err := json.Unmarshal([]byte(mustCall(t, "", "help", "-json")), &all); err != nil || len(all) != len(commands()) {
		t.Errorf("help -json: %v, %v", all, err)
	}
}

// What help says about JSON is what commands print and read.
func TestHelpOfJSON(t *testing.T) {
	for _, c := range commands() {
		var line string
		switch c.name {
		case "score":
			line = mustCall(t, `{"prompt": "a", "response": "b"}`, "score", "-platform=go", "-model=tiny")
		case "tokenize":
			line = mustCall(t, `{"text": "a"}`, "tokenize", "-model=tiny")
		case "render":
			line = mustCall(t, `{"messages": []}`, "render", "-model=tiny")
		case "generate":
			line = mustCall(t, `{"prompt": "a"}`, "generate", "-platform=go", "-model=tiny", "-max-tokens=1")
		case "plan":
			line, _, _ = strings.Cut(mustCall(t, "", "plan", "-config=tiny", "-platform=go", "-json"), "\n")
		default:
			continue
		}
		var printed map[string]any
		if err := json.Unmarshal([]byte(line), &printed); err != nil {
			t.Fatal(err)
		}
		said, err := c.writes()
		if err != nil {
			t.Fatal(err)
		}
		for name := range printed {
			if !slices.ContainsFunc(said, func(f fields.Field) bool { return f.Name == name }) {
				t.Errorf("help %s does not mention %s", c.name, name)
			}
		}
	}
	for _, c := range commands() {
		text := mustCall(t, "", "help", c.name)
		for _, name := range []string{"metrics.jsonl", "rewards/margins", "provenance.json", "identity"} {
			if c.stepwise && !strings.Contains(text, name) {
				t.Errorf("help %s does not mention %s", c.name, name)
			}
		}
	}
	prompts, err := promptFields()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range prompts {
		_, err := datasets.ParsePrompt([]byte(`{"messages": [{"role": "user", "content": "Q"}], "` + f.Name + `": 7}`))
		if !strings.Contains(datasets.PromptForms, `"`+f.Name+`"`) && (err == nil || !strings.Contains(err.Error(), f.Name)) {
			t.Errorf("%s is no key of %s, and of no other column: %v", f.Name, datasets.PromptForms, err)
		}
	}
}

// Init leaves a recipe that trains, replaces nothing, and takes a model.
func TestInit(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	out := mustCall(t, "", "init", "-out="+dir, "-model=tiny")
	for _, want := range []string{"mine.yaml", "mine-train.jsonl", "mine-held-out.jsonl", "bfpo run -config="} {
		if !strings.Contains(out, want) {
			t.Errorf("init does not mention %s:\n%s", want, out)
		}
	}
	rows := 0
	for _, name := range []string{"mine-train.jsonl", "mine-held-out.jsonl"} {
		rows += strings.Count(string(read(t, filepath.Join(dir, name))), "\n")
	}
	if rows != 30 {
		t.Errorf("%d rows", rows)
	}
	recipe := filepath.Join(dir, "mine.yaml")
	before := string(read(t, recipe))
	call(t, "", "init", "-out="+dir).wants(t, exitUsage, "nothing was written, since files exist already")
	if string(read(t, recipe)) != before {
		t.Error("init has changed a file")
	}
	if err := os.Remove(recipe); err != nil { // one of the rows' files is enough
		t.Fatal(err)
	}
	call(t, "", "init", "-out="+dir).wants(t, exitUsage, "nothing was written, since files exist already")
	absent(t, recipe)
	call(t, "", "init", "-out="+t.TempDir(), "-set=beta=1").wants(t, exitUsage, "-out and -model only")
	write(t, recipe, before)
	run := filepath.Join(dir, "run")
	table := mustCall(t, "", "run", "-platform=go", "-config="+recipe, "-set=max_steps=1", "-out="+run)
	for _, want := range []string{"20 rows (safe/safe 8, safe/unsafe 12", "10 held-out pairs", "tiny", "1-bfpo",
		"bfpo   reading the model's files and the data\nbfpo   loading the model\n"} {
		if !strings.Contains(table, want) {
			t.Errorf("the run lacks %q:\n%s", want, table)
		}
	}
	card := string(read(t, filepath.Join(run, "1-bfpo", "README.md")))
	if strings.Contains(card, dir) {
		t.Errorf("the card names a path of this machine:\n%s", card)
	}
}

// A text of -prompt is a user's message for a model with a chat template; -raw continues it.
func TestPromptUsesTemplate(t *testing.T) {
	base := []string{"generate", "-platform=go", "-model=tiny", "-max-tokens=8"}
	chat := mustCall(t, "", append(base, "-prompt=Hi")...)
	raw := mustCall(t, "", append(base, "-prompt=Hi", "-raw")...)
	var answers []string
	in := `{"messages": [{"role": "user", "content": "Hi"}]}` + "\n" + `{"prompt": "Hi"}`
	for line := range strings.Lines(mustCall(t, in, base...)) {
		var a answerLine
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatal(err)
		}
		answers = append(answers, a.Text+"\n")
	}
	if want := []string{chat, raw}; !slices.Equal(answers, want) || chat == raw {
		t.Errorf("messages and prompt give %q, -prompt and -raw %q", answers, want)
	}
	call(t, "", append(base, "-raw")...).wants(t, exitUsage, "-raw is for -prompt")
	call(t, "", append(base, "-prompt=")...).wants(t, exitUsage, "-prompt is empty")
	// A model without a template continues the text.
	plain := filepath.Join(t.TempDir(), "plain")
	mustCall(t, "", "export", "-model=tiny", "-out="+plain)
	if err := os.Remove(filepath.Join(plain, "chat_template.jinja")); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(plain, "tokenizer_config.json")
	var config map[string]any
	if err := json.Unmarshal(read(t, file), &config); err != nil {
		t.Fatal(err)
	}
	delete(config, "chat_template")
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, string(text))
	if got := mustCall(t, "", "generate", "-platform=go", "-model="+plain, "-max-tokens=8", "-prompt=Hi"); got != raw {
		t.Errorf("without a template -prompt gives %q, want %q", got, raw)
	}
}

// Init puts another model in place of the recipe's.
func TestInitRecipe(t *testing.T) {
	text, err := startFiles.ReadFile("start/" + startRecipe)
	if err != nil {
		t.Fatal(err)
	}
	changed := withModel(string(text), "org/model")
	if !strings.Contains(changed, "\nmodel_name_or_path: 'org/model' #") || withModel(string(text), "") != string(text) {
		t.Errorf("the recipe with another model:\n%s", changed)
	}
}
