package task

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
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
