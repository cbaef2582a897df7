package main

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// documented tells what the test does with a command of a Markdown file: it runs the command as it stands unless there
// is a quick substitute, or a reason not to run it.
type documented struct{ substitute, reason string }

const (
	isTests     = "the tests themselves, or a part of .ci/run"
	needsGPU    = "needs a GPU or the compiler of one, and the hub"
	needsXLA    = "needs XLA's CPU plugin; bfpo/meshtest runs the meshes"
	needsJudge  = "needs a judge: a model from the hub or a service"
	runAbove    = "the same command as one of README.md, which is run"
	isNotebooks = "installs or runs notebooks; .ci/run runs them"
)

// documentedCommands lists the commands of the Markdown files that are not run as they stand. Their flags are checked
// all the same. A command that is no longer in any file must go from here.
func documentedCommands() map[string]documented {
	const golden = "$ROOT/bfpo/evaluate/testdata/golden/rows"
	return map[string]documented{
		"go run ./cmd/bfpo":  {reason: "TestTinyPipelineOnGo runs the same flow"},
		"go test -p 1 ./...": {reason: isTests},
		"./bfpo-bin init":    {substitute: "./bfpo-bin init -model=tiny"},
		"./bfpo-bin run -config=mine.yaml -out=runs/mine": {
			substitute: "./bfpo-bin run -config=mine.yaml -out=runs/mine -set=max_steps=1"},
		"./bfpo-bin chat -model=runs/mine/1-bfpo": {
			substitute: `printf 'Hi\n/compare my-model\nHo\n' | ./bfpo-bin chat -model=runs/mine/1-bfpo -max-tokens=2`},
		"./bfpo-bin generate -model=runs/mine/1-bfpo -prompt='How do I boil an egg?'": {
			substitute: "./bfpo-bin generate -model=runs/mine/1-bfpo -prompt='How do I boil an egg?' -max-tokens=2"},
		"./bfpo-bin train -config=safety.yaml -out=runs/safety": {
			substitute: "./bfpo-bin train -config=safety.yaml -out=runs/safety -set=max_steps=1"},
		"./bfpo-bin plan -config=zephyr-7b/bfpo -platform=cuda -gpu=h100": {reason: needsGPU},
		"./bfpo-bin run -config=zephyr-7b -platform=cuda -set=gradient_accumulation_steps=32 -out=runs/zephyr-7b": {
			reason: needsGPU},

		".ci/run":                     {reason: isTests},
		".ci/fuzz 600 datasets/jinja": {reason: isTests},
		"go run ./.ci/shape":          {reason: isTests},
		"go run ./.ci/shape -v":       {reason: isTests},
		"go test ./bfpo ./bfpo/recipe ./bfpo/report && go run ./.ci/shape": {reason: isTests},
		"go test ./bfpo/train -run TestFirstLosses":                        {reason: isTests},
		"go run ./cmd/bfpo train -platform=go -model=tiny -set=objective=exponential -set=max_steps=3 " +
			"-set=logging_steps=1 -set='dataset_mixer={quickstart/safety: 0.05}' -out=runs/exponential": {
			substitute: "go run ./cmd/bfpo train -platform=go -model=tiny -set=objective=hinge -set=max_steps=1 " +
				"-set='dataset_mixer={quickstart/safety: 0.05}' -out=runs/hinge"}, // exponential is the reader's

		"bfpo compare DIR DIR…": {
			substitute: "bfpo compare runs/mine/eval/before runs/mine/eval/after -out=runs/two"},
		"bfpo compare runs/quickstart": {substitute: "bfpo compare runs/mine -out=runs/one"},
		"bfpo eval -model=runs/mine/model -tasks=truthfulqa_mc1,toxigen,winogrande -data=DIR -out=runs/mine/eval": {
			substitute: "bfpo eval -model=tiny -tasks=truthfulqa_mc1,toxigen,winogrande -limit=2 -out=runs/eval " +
				"-data=" + golden},
		"bfpo eval -model=MODEL -tasks=advbench,alert -apply-chat-template -data=DIR " +
			"-judge=cais/HarmBench-Llama-2-13b-cls": {reason: needsJudge},
		"bfpo eval … -judge='openai:http://localhost:8000/v1#MODEL'":         {reason: needsJudge},
		"bfpo eval … -judge='openai:https://HOST/v1#model=MODEL&ask=rating'": {reason: needsJudge},
		"bfpo eval … -judge=perspective":                                     {reason: needsJudge},

		"bfpo redteam -config=tiny/redteam": {
			substitute: "bfpo redteam -config=tiny/redteam -set=max_steps=1 -set=redteam_max_tokens=2 -out=runs/redteam"},
		"bfpo redteam -config=zephyr-7b/redteam -prompts=FILE -judge=cais/HarmBench-Mistral-7b-val-cls": {reason: needsGPU},
		"bfpo redteam -config=zephyr-7b/redteam":                                                        {reason: needsGPU},

		"bfpo plan -config=zephyr-7b/bfpo -platform=cuda -gpu=h100 -devices=1":       {reason: needsGPU},
		"bfpo run -config=tiny -platform=cpu -devices=4 -set=mesh=fsdp":              {reason: needsXLA},
		"bfpo train -config=zephyr-7b/bfpo -platform=cuda -devices=8 -set=mesh=fsdp": {reason: needsGPU},
		"bfpo chat -model={{.Folder}}": {
			substitute: "echo Hi | bfpo chat -model=my-model -max-tokens=2"},

		"bfpo study -config=study.yaml -out=runs/study": {
			substitute: "bfpo study -config=study.yaml -out=runs/study -set=max_steps=1"},

		// Examples of bfpo help.
		"bfpo study -model=tiny -set=max_steps=2 -out=runs/study": {
			substitute: "bfpo study -model=tiny -config=study.yaml -set=max_steps=1 -out=runs/study-2"},
		"bfpo quickstart -set=learning_rate=1e-5":         {reason: runAbove},
		"bfpo init && bfpo run -config=mine.yaml":         {reason: runAbove},
		"bfpo train -config=safety.yaml -out=runs/safety": {reason: runAbove},
		"bfpo run -config=tiny":                           {reason: runAbove},
		"bfpo chat -model=tiny":                           {reason: runAbove},
		"bfpo sft -config=sft.yaml -out=runs/sft": {
			substitute: "bfpo sft -model=tiny -set='dataset_mixer={quickstart/sft: 0.1}' -set=max_steps=1 -out=runs/sft"},
		"bfpo eval -model=tiny -tasks=truthfulqa_mc1 -limit=20 -out=runs/eval": {
			substitute: "bfpo eval -model=tiny -tasks=truthfulqa_mc1 -limit=2 -out=runs/truthfulqa -data=" + golden},
		"bfpo plan -config=zephyr-7b/bfpo -platform=cuda -gpu=h100": {reason: needsGPU},
		"bfpo generate -model=tiny -prompt='How do I boil an egg?'": {
			substitute: "bfpo generate -model=tiny -prompt='How do I boil an egg?' -max-tokens=2"},
		"bfpo bench -pairs=pairs.jsonl -batch=2 -model=tiny": {reason: "needs a file of pairs; TestBench has one"},

		"pip install jupyterlab==4.6.6":                  {reason: isNotebooks},
		"go install tool && gonb --install --force_deps": {reason: isNotebooks},
		"jupyter lab notebooks":                          {reason: isNotebooks},
		"notebooks/run":                                  {reason: isNotebooks},
		"notebooks/run -recipe=tiny -out=DIR":            {reason: isNotebooks},
		"BFPO_NOTEBOOKS=DIR go test ./notebooks":         {reason: isNotebooks},
	}
}

// prelude lets the shell find the built program under the names that the Markdown files use. Commands run on the pure
// Go backend, the last -platform counts.
const prelude = `set -e
bfpo() {
  case "$1" in
    help|init|-h|--help|--version) "$PROGRAM" "$@" ;;
    *) "$PROGRAM" "$@" -platform=go ;;
  esac
}
go() {
  case "$*" in
    "run ./cmd/bfpo") bfpo ;;
    "run ./cmd/bfpo "*) shift 2; bfpo "$@" ;;
    "build -o bfpo-bin ./cmd/bfpo") printf '#!/bin/sh\n. ./prelude\nbfpo "$@"\n' > bfpo-bin; chmod +x bfpo-bin ;;
    *) echo "go $*: this test runs no other command of go" >&2; return 1 ;;
  esac
}
`

// markdownCommand is a command of a Markdown file.
type markdownCommand struct{ place, text string }

// markdownFiles returns the repository's Markdown files by their paths from its root, without the changelog, which is
// about the past.
func markdownFiles(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	root := os.DirFS(filepath.Join("..", ".."))
	if err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (name == ".git" || name == "runs") {
			return fs.SkipDir
		}
		if filepath.Ext(name) != ".md" || name == "CHANGELOG.md" {
			return nil
		}
		text, err := fs.ReadFile(root, name)
		files[name] = string(text)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return files
}

var comment = regexp.MustCompile(`(^|\s)#\s.*$`)

// shellCommands returns the commands of a Markdown file: the lines of its sh blocks, and indented lines that begin with
// the program's name. A comment after a command and a line break after \ are left out.
func shellCommands(name, text string) (all []markdownCommand) {
	inBlock, pending, begun := false, "", 0
	for i, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(trimmed, "```"):
			inBlock = trimmed == "```sh"
			continue
		case !inBlock && !strings.HasPrefix(line, "    bfpo "):
			continue
		}
		if pending == "" {
			begun = i + 1
		}
		pending += " " + comment.ReplaceAllString(trimmed, "")
		if rest, more := strings.CutSuffix(pending, `\`); more {
			pending = rest
			continue
		}
		if command := strings.Join(strings.Fields(pending), " "); command != "" {
			all = append(all, markdownCommand{fmt.Sprintf("%s:%d", name, begun), command})
		}
		pending = ""
	}
	return all
}

// TestMarkdownCommands runs every command of every Markdown file, in the order of the file, in a folder with the files
// that the root's README speaks of. A command that cannot run here has its reason in documentedCommands.
func TestMarkdownCommands(t *testing.T) {
	if testing.Short() {
		t.Skip("runs some twenty commands")
	}
	files := markdownFiles(t)
	dir := workspace(t, files)
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	table, seen := documentedCommands(), map[string]bool{}
	run := func(c markdownCommand) {
		d, again := table[c.text], seen[c.text]
		seen[c.text] = true
		checkFlags(t, c)
		if d.reason != "" || again {
			return
		}
		text := c.text
		if d.substitute != "" {
			text = d.substitute
		}
		shell := exec.Command("sh", "-c", ". ./prelude\n"+text)
		shell.Dir = dir
		shell.Env = append(os.Environ(), "PROGRAM="+program(t), "ROOT="+root, "HF_HUB_OFFLINE=1")
		out, err := shell.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %s: %v\n%s", c.place, text, err, out)
		}
		t.Logf("%4.1f s of processor time: %s", shell.ProcessState.UserTime().Seconds(), text)
	}
	for _, c := range shellCommands("README.md", files["README.md"]) { // first: the others use its runs
		run(c)
	}
	for _, name := range sorted(files) {
		if name == "README.md" {
			continue
		}
		for _, c := range shellCommands(name, files[name]) {
			run(c)
		}
	}
	for _, c := range commands() {
		run(markdownCommand{"help " + c.name, c.example})
	}
	for text := range table {
		if !seen[text] {
			t.Errorf("no Markdown file has the command %q any more: take it out of the table", text)
		}
	}
}

// workspace makes the folder in which commands run: a model, rows, and the recipes of two Markdown files.
func workspace(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "prelude"), prelude)
	mustCall(t, "", "export", "-model=tiny", "-out="+filepath.Join(dir, "my-model"))
	rows, err := startFiles.ReadFile("start/mine-train.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	first := strings.Join(strings.SplitAfter(string(rows), "\n")[:6], "")
	for _, name := range []string{"safety.jsonl", "helpful.jsonl", "held-out.jsonl"} {
		write(t, filepath.Join(dir, name), first)
	}
	write(t, filepath.Join(dir, "prompts.jsonl"), `{"messages": [{"role": "user", "content": "Hi"}]}`+"\n")
	write(t, filepath.Join(dir, "safety.yaml"), recipeOf(t, files["README.md"]))
	fewer := strings.NewReplacer("[1, 2, 3]", "[1]", "[0.05, 0.1]", "[0.1]")
	write(t, filepath.Join(dir, "study.yaml"), fewer.Replace(recipeOf(t, files["bfpo/study/README.md"])))
	return dir
}

// recipeOf returns the first recipe in a Markdown file.
func recipeOf(t *testing.T, text string) string {
	t.Helper()
	_, block, found := strings.Cut(text, "```yaml\n")
	block, _, closed := strings.Cut(block, "```")
	if !found || !closed {
		t.Fatal("the file has no recipe")
	}
	return block
}

// checkFlags checks that a command of the program exists and has the flags that a text gives it.
func checkFlags(t *testing.T, c markdownCommand) {
	t.Helper()
	for _, part := range strings.Split(c.text, "|") {
		words := strings.Fields(part)
		for _, name := range []string{"bfpo", "./bfpo-bin", "go run ./cmd/bfpo"} {
			prefix := strings.Fields(name)
			if len(words) < len(prefix) || !slices.Equal(words[:len(prefix)], prefix) {
				continue
			}
			command, args := commandName(words[len(prefix):])
			if command == "help" || command == "--version" || command == strings.ToUpper(command) {
				continue
			}
			found, err := findCommand(commands(), command)
			if err != nil {
				t.Errorf("%s: %v", c.place, err)
				continue
			}
			usage := mustCall(t, "", found.name, "-h")
			for _, arg := range args {
				flag, _, _ := strings.Cut(arg, "=")
				if strings.HasPrefix(flag, "-") && flag != "-h" && !strings.Contains(usage, "\n  "+flag+" ") &&
					!strings.Contains(usage, "\n  "+flag+"\n") && !strings.Contains(usage, "\n  "+flag+"\t") {
					t.Errorf("%s: bfpo %s has no flag %s", c.place, found.name, flag)
				}
			}
		}
	}
}

var codeSpan = regexp.MustCompile("`((?:bfpo|\\./bfpo-bin|go run \\./cmd/bfpo)( [^`]*)?)`")

// Commands within sentences have flags that exist, too, and no file tells the reader to build the program over the
// folder bfpo.
func TestMarkdownNamesRealFlags(t *testing.T) {
	output := regexp.MustCompile(`go build -o (\S+) \./cmd/bfpo`)
	for name, text := range markdownFiles(t) {
		for _, span := range codeSpan.FindAllStringSubmatch(strings.ReplaceAll(text, "\n", " "), -1) {
			checkFlags(t, markdownCommand{name, span[1]})
		}
		for _, build := range output.FindAllStringSubmatch(text, -1) {
			if info, err := os.Stat(filepath.Join("..", "..", build[1])); err == nil && info.IsDir() {
				t.Errorf("%s: %s would put the program into the folder %s", name, build[0], build[1])
			}
		}
	}
}

// TestShellCommands checks that the reader of Markdown files misses no command.
func TestShellCommands(t *testing.T) {
	text := "```sh\nbfpo run -a   # why\n  b \\\n    -c='#d'\n\n# only a comment\n```\n" +
		"text\n\n    bfpo plan -x\n    plan of\n" +
		"```yaml\nbfpo: no\n```\n"
	want := []markdownCommand{{"x:2", "bfpo run -a"}, {"x:3", "b -c='#d'"}, {"x:10", "bfpo plan -x"}}
	if got := shellCommands("x", text); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// sorted returns the keys of a map in order.
func sorted(files map[string]string) (names []string) {
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
