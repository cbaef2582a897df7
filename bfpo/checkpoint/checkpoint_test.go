package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/datasets/batch"
)

// textFile returns a file with the given contents.
func textFile(name, text string) File {
	return File{name, func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	}}
}

// save saves a small checkpoint of each step.
func save(t *testing.T, dir string, steps ...int) {
	t.Helper()
	for _, step := range steps {
		state := State{Step: step, Settings: recipe.Default().Settings()}
		weights := textFile("masters.safetensors", strings.Repeat("w", 5000))
		if _, err := Save(dir, step, []File{weights, state.File()}); err != nil {
			t.Fatal(err)
		}
	}
}

// steps lists the steps of the complete checkpoints, the newest first.
func steps(t *testing.T, dir string) (steps []int) {
	t.Helper()
	all, err := List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		steps = append(steps, c.Step)
	}
	return steps
}

func TestSaveAndOpen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "checkpoints")
	if c, err := Latest(dir, logger(t.Error)); c != nil || err != nil {
		t.Fatal(c, err)
	}
	want := State{
		Step: 20, Main: batch.Cursor{Epoch: 1, Position: 6}, Buffer: batch.Cursor{Epoch: 3}, MainRows: 34, BufferRows: 9,
		Best: &Best{"eval_loss", 0.1, 10}, Settings: map[string]string{"beta": "0.1"},
	}
	path, err := Save(dir, 20, []File{textFile("masters.safetensors", "weights"), textFile("empty", ""), want.File()})
	if err != nil || path != filepath.Join(dir, "step-20") {
		t.Fatal(path, err)
	}
	save(t, dir, 3)
	c, err := Latest(dir, logger(t.Error))
	if err != nil || c.Step != 20 || c.Path != path {
		t.Fatal(c, err)
	}
	got, err := c.State()
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	text, err := os.ReadFile(filepath.Join(c.Path, "masters.safetensors"))
	if err != nil || string(text) != "weights" {
		t.Error(err, string(text))
	}
	for _, name := range []string{"", "masters.safetensors", ManifestName} {
		info, err := os.Stat(filepath.Join(path, name))
		if err != nil || info.Mode().Perm()&0o044 != 0o044 {
			t.Error(err, info.Mode())
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

func TestDamagedCheckpointIsSkipped(t *testing.T) {
	damage := map[string]func(path string) error{
		"no manifest":    func(path string) error { return os.Remove(filepath.Join(path, ManifestName)) },
		"empty manifest": func(path string) error { return os.Truncate(filepath.Join(path, ManifestName), 0) },
		"foreign file": func(path string) error {
			foreign := `{"step": 2, "files": [{"name": "../step-1/state.json", "size": 1}]}`
			return os.WriteFile(filepath.Join(path, ManifestName), []byte(foreign), 0o644)
		},
		"other step": func(path string) error {
			return os.WriteFile(filepath.Join(path, ManifestName), []byte(`{"step": 1, "files": []}`), 0o644)
		},
		"truncated": func(path string) error { return os.Truncate(filepath.Join(path, "masters.safetensors"), 4999) },
		"missing":   func(path string) error { return os.Remove(filepath.Join(path, "masters.safetensors")) },
		"flipped bit": func(path string) error {
			flipped := strings.Repeat("w", 4999) + "v"
			return os.WriteFile(filepath.Join(path, "masters.safetensors"), []byte(flipped), 0o644)
		},
	}
	for name, apply := range damage {
		dir := t.TempDir()
		save(t, dir, 1, 2)
		newest := filepath.Join(dir, "step-2")
		if err := apply(newest); err != nil {
			t.Fatal(err)
		}
		_, err := Open(newest)
		if err == nil || !strings.Contains(err.Error(), newest) {
			t.Errorf("%s: opened: %v", name, err)
		}
		damagedFile := name == "truncated" || name == "missing" || name == "flipped bit"
		if damagedFile && !strings.Contains(fmt.Sprint(err), "masters.safetensors") {
			t.Errorf("%s: %v does not name the file", name, err)
		}
		var warnings []string
		c, err := Latest(dir, logger(func(line ...any) { warnings = append(warnings, fmt.Sprint(line...)) }))
		if err != nil || c == nil || c.Step != 1 || len(warnings) != 1 {
			t.Errorf("%s: fell back to %v, %v, with the warnings %q", name, c, err, warnings)
		}
		if err := os.RemoveAll(filepath.Join(dir, "step-1")); err != nil {
			t.Fatal(err)
		}
		c, err = Latest(dir, logger(func(...any) {}))
		if c != nil || err == nil || !strings.Contains(err.Error(), "remove them to start from the beginning") {
			t.Errorf("%s: alone: %v, %v", name, c, err)
		}
		save(t, dir, 1)
		save(t, dir, 2) // the resumed run reaches step 2 again
		if c, err := Latest(dir, logger(t.Error)); err != nil || c.Step != 2 {
			t.Errorf("%s: not replaced: %v, %v", name, c, err)
		}
	}
	if _, err := Open("elsewhere/step-x"); err == nil || !strings.Contains(err.Error(), "want a folder named step-N") {
		t.Error(err)
	}
}

func TestFailedSaveLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	save(t, dir, 1)
	full := errors.New("no space left on device")
	failing := File{"second", func(w io.Writer) error {
		io.WriteString(w, strings.Repeat("x", 1<<21))
		return full
	}}
	for _, file := range []File{failing, textFile("../out", ""), textFile("first", ""), textFile(".hidden", "")} {
		_, err := Save(dir, 2, []File{textFile("first", "complete"), file})
		if err == nil || !strings.Contains(err.Error(), "step-2") {
			t.Errorf("%s: %v", file.Name, err)
		}
		if file.Name == "second" && (!errors.Is(err, full) || !strings.Contains(err.Error(), "second")) {
			t.Errorf("%v", err)
		}
		entries, _ := os.ReadDir(dir)
		if len(entries) != 1 || entries[0].Name() != "step-1" {
			t.Errorf("%s: left %v", file.Name, entries)
		}
	}
	if c, err := Latest(dir, logger(t.Error)); err != nil || c.Step != 1 {
		t.Error(c, err)
	}
	if _, err := Save(filepath.Join(dir, "step-1", "state.json"), 3, nil); err == nil {
		t.Error("saved below a file")
	}
}

func TestPrune(t *testing.T) {
	for _, test := range []struct {
		limit, best int
		want        []int
	}{
		{0, -1, []int{50, 40, 30, 20, 10}},
		{9, -1, []int{50, 40, 30, 20, 10}},
		{2, -1, []int{50, 40}},
		{1, -1, []int{50}},
		{1, 20, []int{50, 20}},
		{2, 20, []int{50, 20}},
		{3, 20, []int{50, 40, 20}},
		{1, 50, []int{50}},
		{2, 99, []int{50, 40}},
	} {
		dir := t.TempDir()
		save(t, dir, 10, 20, 30, 40, 50)
		if err := Prune(dir, test.limit, test.best); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, steps(t, dir)); diff != "" {
			t.Errorf("limit %d, best %d: %s", test.limit, test.best, diff)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
			t.Errorf("left over: %v", left)
		}
	}
}

// Prune does not count a damaged newest checkpoint: otherwise a limit of 1 would delete the only one that can be
// opened.
func TestPruneKeepsNewestIntactCheckpoint(t *testing.T) {
	dir := t.TempDir()
	save(t, dir, 1, 2, 3)
	if err := os.Remove(filepath.Join(dir, "step-3", ManifestName)); err != nil {
		t.Fatal(err)
	}
	if err := Prune(dir, 1, -1); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{2}, steps(t, dir)); diff != "" {
		t.Error(diff)
	}
}

func TestClean(t *testing.T) {
	dir := t.TempDir()
	save(t, dir, 1)
	if err := os.MkdirAll(filepath.Join(dir, ".tmp-step-2-123", "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := RemoveTemporary(dir); err != nil {
		t.Fatal(err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("%v", entries)
	}
	if err := RemoveTemporary(filepath.Join(dir, "none")); err != nil {
		t.Error(err)
	}
}

// logger returns a logger that calls print with each line.
func logger(print func(line ...any)) *slog.Logger {
	return slog.New(slog.NewTextHandler(lineWriter(print), nil))
}

type lineWriter func(line ...any)

func (w lineWriter) Write(p []byte) (int, error) {
	w(string(p))
	return len(p), nil
}
