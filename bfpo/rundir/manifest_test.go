package rundir

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bfpo-go/bfpo/bfpo/usage"
)

// put writes files with their names as content below a new folder.
func put(t *testing.T, names ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, name := range names {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// isUsage reports whether err is a *usage.Error with a text.
func isUsage(err error, text string) bool {
	_, wrong := errors.AsType[*usage.Error](err)
	return wrong && strings.Contains(err.Error(), text)
}

// Files that are not from a run are refused by name, and nothing is removed.
func TestForeignFiles(t *testing.T) {
	for _, name := range []string{"README.md", "model/config.json", "runs/other/x", "config.yaml"} {
		dir := put(t, name, "notes.txt")
		top, _, _ := strings.Cut(name, "/")
		for _, replace := range []bool{false, true} {
			if err := CheckForeign(dir, OutputNames(), replace); !isUsage(err, filepath.Join(dir, top)+" is not from a run") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	dir := put(t, "notes.txt")
	if err := errors.Join(CheckForeign(dir, OutputNames(), true), Claim(dir, OutputNames())); err != nil {
		t.Fatal(err)
	}
	add := func(name string) {
		t.Helper()
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"config.yaml", "README.md", "checkpoints/step-2/state.json", "model/model.safetensors",
		"runs/events.out.tfevents.1.host.2.3", "eval/step-2/results.json", "checkpoints/.tmp-step-4-K/state.json"} {
		add(name)
	}
	if err := CheckForeign(dir, OutputNames(), true); err != nil {
		t.Errorf("an unfinished run: %v", err)
	}
	for _, name := range []string{"model/notes.txt", "checkpoints/mine/state.json", "runs/x", "eval/step-2/thesis.txt"} {
		add(name)
		if err := CheckForeign(dir, OutputNames(), true); !isUsage(err, filepath.FromSlash(name)) {
			t.Errorf("%s: %v", name, err)
		}
		if err := CheckForeign(dir, OutputNames(), false); err != nil {
			t.Errorf("%s, and nothing is removed: %v", name, err)
		}
		os.Remove(filepath.Join(dir, filepath.FromSlash(name)))
	}
	if err := errors.Join(Record(dir), CheckForeign(dir, OutputNames(), true)); err != nil {
		t.Errorf("a finished run: %v", err)
	}
	add("model/added.json") // it could be a run's, and is not in the list
	if err := CheckForeign(dir, OutputNames(), true); !isUsage(err, "added.json") {
		t.Error(err)
	}
}

// A run of an earlier version has no manifest and is known by its recipe.
func TestRunWithoutManifest(t *testing.T) {
	dir := put(t, "config.yaml", "metrics.jsonl", "checkpoints/step-1/state.json")
	recipe := "stages: null\nbuffer_dataset_mixer: {}\ntext_format: clean\n"
	if err := os.WriteFile(filepath.Join(dir, Config), []byte(recipe), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := CheckForeign(dir, OutputNames(), true); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(dir, Card), []byte("# My thesis"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := CheckForeign(dir, OutputNames(), true); !isUsage(err, Card) {
		t.Error(err)
	}
}

func TestLinksAreRefused(t *testing.T) {
	for link, target := range map[string]string{"metrics.jsonl": "../bashrc", "runs": "..", "model/x.json": "/etc/passwd",
		"1-sft": "..", "eval/before": "..", "results.json": "x", ".bfpo-run.json": "x"} {
		dir := t.TempDir()
		path := filepath.Join(dir, link)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.Symlink(target, path)); err != nil {
			t.Fatal(err)
		}
		if err := CheckLinks(dir); !isUsage(err, path+" is a link") {
			t.Errorf("%s: %v", link, err)
		}
	}
	dir := put(t, "notes.txt", "config.yaml", "model/config.json")
	if err := errors.Join(os.Symlink("notes.txt", filepath.Join(dir, "mine")), CheckLinks(dir)); err != nil {
		t.Error(err)
	}
}

func TestLock(t *testing.T) {
	dir := t.TempDir()
	unlock, err := Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(dir); !isUsage(err, "another run of bfpo is writing to "+dir) {
		t.Error(err)
	}
	unlock()
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("left %v, %v", entries, err)
	}
	if unlock, err = Lock(dir); err != nil {
		t.Fatal(err)
	}
	unlock()
	if err := os.Symlink("elsewhere", filepath.Join(dir, lockName)); err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(dir); !isUsage(err, "is a link") {
		t.Error(err)
	}
}
