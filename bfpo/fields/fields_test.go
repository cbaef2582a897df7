package fields

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const source = `package p

type other struct{ X int }

// T is a struct.
type T struct {
	// Model
	Model string ` + "`yaml:\"model_name\"`" + ` // folder or id
	// Layers are substrings
	// of names, not with ModelShare.
	Layers []string ` + "`yaml:\"layers,omitempty\"`" + `

	// Data, and more
	Mix    Mixer          ` + "`yaml:\"mix\"`" + `
	Counts map[string]int ` + "`yaml:\"counts\"`" + `
	hidden int
	Skipped int ` + "`yaml:\"-\"`" + `
	ModelShare  *float64 ` + "`yaml:\"share\"`" + ` // from 0 to 1
}
`

func TestParse(t *testing.T) {
	got, err := Parse(source, "T", "yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := []Field{
		{Name: "model_name", Type: "text", Section: "Model", Comment: "folder or id"},
		{Name: "layers", Type: "list of text", Section: "Model", Comment: "layers are substrings of names, not with share."},
		{Name: "mix", Type: "mapping of set to fraction", Section: "Data, and more"},
		{Name: "counts", Type: "mapping of text to integer", Section: "Data, and more"},
		{Name: "share", Type: "number", Section: "Data, and more", Comment: "from 0 to 1"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := Parse(source, "U", "yaml"); err == nil {
		t.Error("a struct that is not there was found")
	}
	if _, err := Parse("package", "T", "yaml"); err == nil {
		t.Error("a source that is not Go was read")
	}
	text := Text([]Field{{Name: "a", Type: "text", Default: "x", Comment: "one"}, {Name: "long", Type: "n"}}, "  ")
	if want := "  a     text  one (default x)\n  long  n\n"; text != want {
		t.Errorf("%q, want %q", text, want)
	}
}
