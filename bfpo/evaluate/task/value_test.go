package task

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Values of a row that are neither texts nor whole numbers are refused with the task, the key, the column, the row and
// the value as JSON, as are keys of the wrong kind.
func TestValuesOfOtherKinds(t *testing.T) {
	dir := t.TempDir()
	row := `{"q": "a", "n": 1, "z": null, "o": {"k": [1, 2]}, "l": ["yes", "no"], "t": true, "f": 1.0, "h": 0.5,` +
		` "c": ["x", "y"], "m": [{"label": "<a>"}]}`
	if err := os.WriteFile(filepath.Join(dir, "rows.jsonl"), []byte(row+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	const want = "want a text or a whole number, have "
	for _, c := range []struct{ text, target, choice, want string }{
		{"q", "n", "c", ""}, {"n", "q", "c", ""}, {"q", "1", "c", ""}, {"q", "'{{t}}'", "['True', b]", ""},
		{"z", "n", "c", "doc_to_text: column z: " + want + "null"},
		{"o", "n", "c", "doc_to_text: column o: " + want + `the object {"k":[1,2]}`},
		{"l", "n", "c", "doc_to_text: column l: " + want + `the list ["yes","no"]`},
		{"t", "n", "c", "doc_to_text: column t: " + want + "the boolean true"},
		{"f", "n", "c", "doc_to_text: column f: " + want + "the fraction 1.0"},
		{"q", "z", "c", "doc_to_target: column z: " + want + "null"},
		{"q", "t", "c", "doc_to_target: column t: " + want + "the boolean true"},
		{"q", "h", "c", "doc_to_target: column h: " + want + "the fraction 0.5"},
		{"n", "l", "c", "doc_to_target: column l: " + want + `the list ["yes","no"]`},
		{"q", "q", "c", `doc_to_target: "a" is neither the number of a choice nor one of ["x","y"]`},
		{"q", "n", "o", `doc_to_choice: column o: want a list of texts, have the object {"k":[1,2]}`},
		{"q", "n", "m", `doc_to_choice: column m: item 0 of the list: want a text, have the object {"label":"<a>"}`},
		{"['a', 'b']", "n", "c", "mine.yaml:5: doc_to_text: " + want + `the list ["a","b"]`},
		{"q", "1.0", "c", "mine.yaml:6: doc_to_target: " + want + "the fraction 1.0"},
		{"true", "n", "c", "mine.yaml:5: doc_to_text: " + want + "the boolean true"},
	} {
		task, err := readText("task: mine\nlocal: rows.jsonl\ntest_split: test\noutput_type: multiple_choice\n" +
			"doc_to_text: " + c.text + "\ndoc_to_target: " + c.target + "\ndoc_to_choice: " + c.choice +
			"\nmetric_list: [{metric: acc}]\n")
		inFile := err != nil
		if !inFile {
			_, _, err = Data{Folder: dir}.Documents(t.Context(), task, 0)
		}
		switch {
		case c.want == "" && err == nil:
		case c.want == "" || err == nil || !strings.Contains(err.Error(), c.want):
			t.Errorf("%v: error %v", c, err)
		case !inFile && (!strings.Contains(err.Error(), "task mine") || !strings.Contains(err.Error(), "rows.jsonl, line 1")):
			t.Errorf("%v: error %v does not name the task and the row", c, err)
		}
	}
}
