package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestVersion(t *testing.T) {
	out := mustCall(t, "", "version", "-platform=go")
	for _, text := range []string{"bfpo ", "go1.", "platform  go", "backend ", "devices   1"} {
		if !strings.Contains(out, text) {
			t.Errorf("the output lacks %q:\n%s", text, out)
		}
	}
}

func TestPrintedOutputIsSaved(t *testing.T) {
	out := filepath.Join(t.TempDir(), "a", "b")
	printed := mustCall(t, `{"text": "Hello"}`, "tokenize", "-model=tiny", "-out="+out)
	if got := string(read(t, filepath.Join(out, "tokenize.txt"))); got != printed || got == "" {
		t.Errorf("printed %q, left %q", printed, got)
	}
}

func TestQuietAndVerbose(t *testing.T) {
	args := []string{"train", "-config=" + writeRecipe(t, ""), "-set=max_steps=1"}
	quiet := call(t, "", append(args, "-platform=go", "-q", "-out="+filepath.Join(t.TempDir(), "out"))...)
	if quiet.wants(t, exitDone); quiet.out+quiet.err != "" {
		t.Errorf("-q prints %q and %q", quiet.out, quiet.err)
	}
	verbose := call(t, "", append(args, "-v", "-out="+filepath.Join(t.TempDir(), "out"))...)
	verbose.wants(t, exitDone)
	if strings.Contains(verbose.out, "device     XLA") || strings.Contains(verbose.out, "cpu device") {
		verbose.wants(t, exitDone, "program grads", "program apply", "in place")
	}
	out := mustCall(t, "", "run", "-config=tiny", "-set=max_steps=1", "-q",
		"-out="+filepath.Join(t.TempDir(), "out"))
	if !strings.Contains(out, "|margin − target|") || strings.Contains(out, "tok/s") {
		t.Errorf("a quiet pipeline prints results only, not\n%s", out)
	}
}

// -profile changes the environment that XLA reads, so each command runs in its own process.
func TestProfile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "profile")
	child(t, stop{}, "generate", "-model=tiny", "-prompt=Hello", "-max-tokens=2", "-profile="+dir).wants(t, exitDone)
	if len(read(t, filepath.Join(dir, "cpu.pprof"))) == 0 {
		t.Error("the profile is empty")
	}
	version := mustCall(t, "", "version")
	if dumps, _ := filepath.Glob(filepath.Join(dir, "xla", "*")); len(dumps) == 0 && strings.Contains(version, "plugin") {
		t.Error("XLA's dump is empty")
	}
	child(t, stop{}, "tokenize", "-model=tiny", "-profile="+filepath.Join(dir, "again")).wants(t, exitDone)
	read(t, filepath.Join(dir, "again", "cpu.pprof"))
}

func TestOutputNames(t *testing.T) {
	t.Chdir(t.TempDir())
	args := []string{"train", "-platform=go", "-config=" + writeRecipe(t, ""), "-set=max_steps=1"}
	mustCall(t, "", args...)
	mustCall(t, "", args...)
	for _, dir := range []string{"runs/recipe", "runs/recipe-2"} {
		read(t, filepath.Join(dir, "train_results.json"))
	}
}

// The stages of the quickstart need nothing but the program: no network, no pip and no XLA, with and without cgo.
func TestTinyPipelineOnGo(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program twice")
	}
	plain, err := build("0")
	if err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"with cgo": program(t), "without cgo": plain} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // the Go backend leaves cores idle
			dir := t.TempDir()
			c := exec.Command(path, "-config=tiny", "-platform=go", "-out="+filepath.Join(dir, "out"))
			c.Env = []string{"HF_HUB_OFFLINE=1", "PATH=/nonexistent", "HOME=" + dir}
			limit := time.AfterFunc(2*time.Minute, func() { c.Process.Kill() })
			out, err := c.CombinedOutput()
			limit.Stop()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if _, err := os.Stat(filepath.Join(dir, "out", "report.html")); err != nil {
				t.Error(err)
			}
		})
	}
}
