package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bfpo-go/bfpo/bfpo/rundir"
	"github.com/bfpo-go/bfpo/datasets/fault"
)

// What stands in an output folder already is neither overwritten through a link nor replaced, and one run at a time
// writes there.
func TestHostileOutputFolders(t *testing.T) {
	args := func(out string, more ...string) []string {
		return append([]string{"train", "-platform=go", "-config=" + writeRecipe(t, ""), "-out=" + out}, more...)
	}
	base := t.TempDir()
	secret := write(t, filepath.Join(base, "bashrc"), "export A=1\n")
	linked := filepath.Join(base, "linked")
	err := errors.Join(os.Mkdir(linked, 0o755), os.Symlink("../bashrc", filepath.Join(linked, rundir.Metrics)))
	if err != nil {
		t.Fatal(err)
	}
	call(t, "", args(linked)...).wants(t, exitUsage, filepath.Join(linked, rundir.Metrics)+" is a link")
	if text := read(t, secret); string(text) != "export A=1\n" {
		t.Errorf("%q", text)
	}
	foreign := filepath.Join(base, "foreign")
	thesis := filepath.Join(foreign, "model", "thesis.txt")
	writeDeep(t, thesis, "precious")
	card := write(t, filepath.Join(foreign, rundir.Card), "# Mine")
	for _, more := range [][]string{nil, {"-set=overwrite_output_dir=true"}} {
		call(t, "", args(foreign, more...)...).wants(t, exitUsage, "is not from a run of bfpo and is not replaced")
	}
	if string(read(t, thesis)) != "precious" || string(read(t, card)) != "# Mine" {
		t.Error("a foreign file is changed")
	}
	busy := filepath.Join(base, "busy")
	if err := os.Mkdir(busy, 0o755); err != nil {
		t.Fatal(err)
	}
	unlock, err := rundir.Lock(busy)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	call(t, "", args(busy)...).wants(t, exitUsage, "another run of bfpo is writing to "+busy)
	call(t, "", "run", "-platform=go", "-config=tiny", "-out="+busy).wants(t, exitUsage, "another run of bfpo")
	call(t, "", "eval", "-platform=go", "-model=tiny", "-tasks=toxigen", "-out="+busy).wants(t, exitUsage,
		"another run of bfpo")
}

// A recipe file alone chooses no native code and no service that gets a key.
func TestHostileRecipes(t *testing.T) {
	plugin := writeRecipe(t, "platform: ./harmless.so\n")
	for _, command := range []string{"plan", "train", "version"} {
		call(t, "", command, "-config="+plugin).wants(t, exitUsage, "may not load native code", "-platform=")
	}
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer server.Close()
	t.Setenv("OPENAI_API_KEY", "sk-secret")
	judge := writeRecipe(t, "do_eval: true\neval_tasks: [advbench]\neval_judge: 'openai:"+server.URL+"/v1'\n")
	call(t, "", "train", "-platform=go", "-config="+judge).wants(t, exitUsage,
		"a service that gets answers and an API key", "-set=eval_judge=openai:"+server.URL)
	if asked != 0 {
		t.Errorf("asked %d times", asked)
	}
}

// A key with the end of a line is refused at once, and answers that a judge can rate none of are a failure.
func TestHostileJudges(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		http.Error(w, "\x1b]0;title\a bad request", http.StatusBadRequest)
	}))
	defer server.Close()
	t.Setenv("BFPO_CACHE", t.TempDir())
	dir := t.TempDir()
	write(t, filepath.Join(dir, "rows.jsonl"), `{"q": "Say a."}`+"\n"+`{"q": "Say b."}`+"\n")
	write(t, filepath.Join(dir, "asked.yaml"), "task: asked\nlocal: rows.jsonl\ntest_split: test\n"+
		"output_type: generate_until\ndoc_to_text: '{{q}}'\ndoc_to_target: '{{q}}'\n"+
		"metric_list: [{metric: llama2}]\ngeneration_kwargs: {max_gen_toks: 2}\n")
	write(t, filepath.Join(dir, "broken.yaml"), "task: broken\nunknown: 1\n")
	args := []string{"eval", "-platform=go", "-model=tiny", "-include=" + dir, "-data=" + dir, "-tasks=asked",
		"-judge=openai:" + server.URL + "#m", "-out=" + filepath.Join(dir, "out")}
	t.Setenv("OPENAI_API_KEY", "sk-secret\r")
	call(t, "", args...).wants(t, exitUsage, "OPENAI_API_KEY contains the end of a line")
	if asked != 0 {
		t.Errorf("asked %d times", asked)
	}
	t.Setenv("OPENAI_API_KEY", "sk-secret")
	r := call(t, "", args...)
	r.wants(t, exitFailed, "none of 2 answers could be rated: not judged: ")
	if strings.ContainsAny(r.err, "\x1b\a") || asked == 0 {
		t.Errorf("asked %d times; %q", asked, r.err)
	}
	before := asked
	call(t, "", args...).wants(t, exitFailed, "none of 2 answers could be rated")
	if asked == before {
		t.Error("a repeated evaluation did not ask again")
	}
	call(t, "", append(args, "-tasks=broken")...).wants(t, exitUsage, "broken.yaml:2: unknown: unknown key")
}

// A panic is a short message and exit code 1; the stack is for -v.
func TestPanics(t *testing.T) {
	o := newOptions(stdio{}, command{name: "x", run: func(context.Context, *options, []string) error {
		var list []int
		_ = list[len(os.Args)]
		return nil
	}})
	err := o.runRecovered(context.Background(), nil)
	if _, ok := errors.AsType[*fault.Error](err); !ok {
		t.Fatal(err)
	}
	for verbose, stack := range map[bool]bool{false: false, true: true} {
		var out bytes.Buffer
		if code := exitCode(&out, err, verbose); code != exitFailed {
			t.Errorf("exit code %d", code)
		}
		text := out.String()
		if !strings.Contains(text, "bfpo: internal error: runtime error: index out of range") ||
			!strings.Contains(text, "Please report it") || strings.Contains(text, "goroutine") != stack {
			t.Error(text)
		}
	}
}
