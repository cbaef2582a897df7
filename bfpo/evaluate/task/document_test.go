package task

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bfpo-go/bfpo/datasets/hub"
)

func TestDocuments(t *testing.T) {
	dir := t.TempDir()
	const rows = `{"q": "a", "gold": 1, "c": ["1", "0"], "keep": true}
{"q": "b", "gold": 0, "c": ["1", "0"], "keep": false}
{"q": "7", "gold": "0", "c": ["1", "0"], "keep": 1}
`
	if err := os.WriteFile(filepath.Join(dir, "rows.jsonl"), []byte(rows), 0o644); err != nil {
		t.Fatal(err)
	}
	task, err := readText("task: x\nlocal: [no*, 'rows.*']\ntest_split: test\noutput_type: multiple_choice\n" +
		"doc_to_text: q\ndoc_to_target: gold\ndoc_to_choice: c\nwhere: keep\ntarget_delimiter: ': '\n" +
		"metric_list: [{metric: acc}]\n")
	if err != nil {
		t.Fatal(err)
	}
	documents, total, err := Data{Folder: dir}.Documents(t.Context(), task, 0)
	if err != nil || total != 2 || len(documents) != 2 {
		t.Fatalf("%+v, %d, error %v", documents, total, err)
	}
	// A gold number is an index and a gold text is a choice, even if it consists of digits.
	if d := documents[0]; d.Gold != 1 || d.Contexts[0] != "a" || d.Continuations[0] != ": 1" || d.Choices[1] != "0" {
		t.Errorf("%+v", d)
	}
	if d := documents[1]; d.ID != 1 || d.Gold != 1 || d.Contexts[0] != "7" {
		t.Errorf("%+v", d)
	}
	documents, total, err = Data{Folder: dir}.Documents(t.Context(), task, 1)
	if err != nil || total != 2 || len(documents) != 1 {
		t.Errorf("%d of %d, error %v", len(documents), total, err)
	}
	for key, want := range map[string]string{
		"doc_to_target: gold": "no column golds", "where: keep": "no column keeps", "doc_to_choice: c": "no column cs",
	} {
		bad, err := readText("task: x\nlocal: rows.jsonl\ntest_split: test\noutput_type: multiple_choice\n" +
			"doc_to_text: q\nmetric_list: [{metric: acc}]\n" +
			strings.Replace("doc_to_target: gold\ndoc_to_choice: c\nwhere: keep\n", key, key+"s", 1))
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = Data{Folder: dir}.Documents(t.Context(), bad, 0)
		if err == nil || !strings.Contains(err.Error(), want) ||
			!strings.Contains(err.Error(), "rows.jsonl, line 1") {
			t.Errorf("%ss: error %v, want one with %q and the line", key, err, want)
		}
	}
	_, _, err = Data{}.Documents(t.Context(), task, 0)
	if err == nil || !strings.Contains(err.Error(), "-data=DIR") {
		t.Errorf("no data folder gives %v", err)
	}
}

// Templates of task files have the meaning that jinja2 gives them.
func TestTemplatesOfTasks(t *testing.T) {
	dir := t.TempDir()
	const row = `{"one": ["only"], "premise": "What time? It is late.", "word": "Über", "ans": "no", "c": ["a", "b"]}`
	if err := os.WriteFile(filepath.Join(dir, "rows.jsonl"), []byte(row+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for template, want := range map[string]string{
		`{{one[-1]}}`: "only", `{{premise.split("? ")[-1]}}`: "It is late.", `{{word[0]}}`: "Ü", `{{ 3 > 2 > 1 }}`: "True",
	} {
		task, err := readText("task: x\nlocal: rows.jsonl\ntest_split: test\noutput_type: multiple_choice\ndoc_to_text: '" +
			template + "'\ndoc_to_target: \"{{ (1 if ans == 'no' else 0) }}\"\ndoc_to_choice: '{{c}}'\n" +
			"metric_list: [{metric: acc}]\n")
		if err != nil {
			t.Fatal(err)
		}
		documents, _, err := Data{Folder: dir}.Documents(t.Context(), task, 0)
		if err != nil || len(documents) != 1 || documents[0].Contexts[0] != want || documents[0].Gold != 1 {
			t.Errorf("%s: %+v, error %v; want %q and gold 1", template, documents, err, want)
		}
	}
}

// Rows come from the data folder alone: a link that leaves it is refused, unless it is one of the hub's cache.
func TestLocalFilesStayInFolder(t *testing.T) {
	base := t.TempDir()
	dir, blobs := filepath.Join(base, "data"), filepath.Join(base, "blobs")
	blob := strings.Repeat("0a", 20)
	for _, folder := range []string{dir, blobs} {
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	row := []byte(`{"question": "q", "gold": 0}` + "\n")
	for _, path := range []string{filepath.Join(base, "secret.jsonl"), filepath.Join(blobs, blob),
		filepath.Join(dir, "own.jsonl")} {
		if err := os.WriteFile(path, row, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{"out.jsonl": "../secret.jsonl", "hub.jsonl": "../blobs/" + blob,
		"in.jsonl": "own.jsonl"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	task, err := readText(soundTask)
	if err != nil {
		t.Fatal(err)
	}
	for pattern, want := range map[string]string{
		"own.jsonl": "", "in.jsonl": "", "hub.jsonl": "", "out.jsonl": "escapes", "o*.jsonl": "escapes",
		"none":            "no file none",
		"../secret.jsonl": "escapes",
	} {
		task.Local = []string{pattern}
		documents, _, err := Data{Folder: dir}.Documents(context.Background(), task, 0)
		sound := err == nil && len(documents) == 1
		if want != "" {
			sound = err != nil && strings.Contains(err.Error(), want)
		}
		if !sound {
			t.Errorf("%s: %d documents, %v, want %q", pattern, len(documents), err, want)
		}
	}
	task.Local, task.DatasetPath = nil, filepath.Join(base, "secret.jsonl")
	_, _, err = Data{Hub: &hub.Hub{Offline: true}}.Documents(context.Background(), task, 0)
	if err == nil || !strings.Contains(err.Error(), "is no set on the hub") {
		t.Error(err)
	}
}
