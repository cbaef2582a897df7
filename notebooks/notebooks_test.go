// Package notebooks_test checks the committed notebooks: their cells are short and compile, and their outputs are
// clean. If the environment variable BFPO_NOTEBOOKS names a folder of notebooks that were executed just now, it also
// checks that they print the same numbers as the program bfpo.
package notebooks_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Limits that keep the notebooks readable.
const (
	maxLines = 20      // of a cell
	maxBytes = 300_000 // of a notebook with its outputs
)

// notebook holds the parts of an .ipynb file that are read.
type notebook struct {
	Cells    []cell `json:"cells"`
	Metadata struct {
		Kernel struct {
			Name string `json:"name"`
		} `json:"kernelspec"`
	} `json:"metadata"`
}

type cell struct {
	Type    string   `json:"cell_type"`
	ID      string   `json:"id"`
	Count   int      `json:"execution_count"`
	Source  lines    `json:"source"`
	Outputs []output `json:"outputs"`
}

type output struct {
	Type string           `json:"output_type"`
	Name string           `json:"name"`
	Text lines            `json:"text"`
	Data map[string]lines `json:"data"`
}

// lines is a text, which an .ipynb file stores as a string or as a list of lines.
type lines string

func (l *lines) UnmarshalJSON(text []byte) error {
	var list []string
	if err := json.Unmarshal(text, &list); err == nil {
		*l = lines(strings.Join(list, ""))
		return nil
	}
	return json.Unmarshal(text, (*string)(l))
}

// names lists the notebooks in their order.
func names() []string { return []string{"01_data", "02_objective", "03_train", "04_results"} }

// read reads a notebook in a folder and returns its size in bytes, too.
func read(t *testing.T, dir, name string) (notebook, int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name+".ipynb"))
	if err != nil {
		t.Fatal(err)
	}
	var nb notebook
	if err := json.Unmarshal(text, &nb); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return nb, len(text)
}

// isProgram reports whether a cell is a program, and not only declarations.
func (c cell) isProgram() bool {
	return c.Type == "code" && strings.Contains("\n"+string(c.Source), "\n%%")
}

// printed returns all text that the cells of a notebook printed.
func (nb notebook) printed() string {
	var all strings.Builder
	for _, c := range nb.Cells {
		for _, o := range c.Outputs {
			all.WriteString(string(o.Text))
		}
	}
	return all.String()
}

func TestCellsAreShortAndExplained(t *testing.T) {
	files, err := filepath.Glob("*.ipynb")
	if err != nil || len(files) != len(names()) {
		t.Fatalf("notebooks %v (%v), want %v", files, err, names())
	}
	for _, name := range names() {
		nb, _ := read(t, ".", name)
		if nb.Metadata.Kernel.Name != "gonb" || len(nb.Cells) == 0 || nb.Cells[0].Type != "markdown" {
			t.Errorf("%s: kernel %q and %d cells: want the kernel gonb, and a cell of text first",
				name, nb.Metadata.Kernel.Name, len(nb.Cells))
		}
		explained := false
		for _, c := range nb.Cells {
			if c.Type == "markdown" {
				explained = true
				continue
			}
			if n := strings.Count(strings.TrimRight(string(c.Source), "\n"), "\n") + 1; n > maxLines {
				t.Errorf("%s: cell %s has %d lines, more than %d", name, c.ID, n, maxLines)
			}
			if c.isProgram() {
				if !explained {
					t.Errorf("%s: no text explains cell %s", name, c.ID)
				}
				explained = false
			}
		}
	}
}

// checkOutputs checks that the outputs have no errors, no noise and no paths of a machine, and that every program shows
// something and ran in order.
func checkOutputs(t *testing.T, dir string) {
	t.Helper()
	for _, name := range names() {
		nb, size := read(t, dir, name)
		if size > maxBytes {
			t.Errorf("%s has %d bytes, more than %d", name, size, maxBytes)
		}
		ran := 0
		for _, c := range nb.Cells {
			if c.Type != "code" {
				continue
			}
			if ran++; c.Count != ran {
				t.Errorf("%s: cell %s is number %d, but ran as number %d", name, c.ID, ran, c.Count)
			}
			if c.isProgram() && len(c.Outputs) == 0 {
				t.Errorf("%s: cell %s shows nothing", name, c.ID)
			}
			for _, o := range c.Outputs {
				if found := o.noise(); found != "" {
					t.Errorf("%s: cell %s shows %s", name, c.ID, found)
				}
			}
		}
	}
}

// noise returns a description of what is wrong with an output, or "".
func (o output) noise() string {
	if o.Type == "error" || o.Name == "stderr" {
		return fmt.Sprintf("an %s %s: %s", o.Type, o.Name, o.Text)
	}
	// Terminal colors, overwritten lines, messages about builds and downloads, and paths of a machine.
	const path = `|(?:^|[\s"'(=])/(?:home|root|tmp|work|Users|usr)/`
	messages := regexp.MustCompile(`\x1b|\r|(?m:^go: )|(?i:\b(?:warning|fetching|downloading|deprecated)\b)` + path)
	if found := messages.FindString(string(o.Text)); found != "" {
		return fmt.Sprintf("%q in %s", found, o.Text)
	}
	// A chart without a title or with an unnamed axis has an empty text.
	pictures := regexp.MustCompile(`\x1b|NaN|<text[^>]*></text>` + path)
	for kind, text := range o.Data {
		if found := pictures.FindString(string(text)); found != "" {
			return fmt.Sprintf("%q in its %s", found, kind)
		}
	}
	return ""
}

func TestOutputs(t *testing.T) { checkOutputs(t, ".") }

// The training notebook and the first run of the results have the same recipe, so their last losses agree. The two may
// come from different versions of the program, which differ by rounding.
func TestNotebooksAgree(t *testing.T) {
	train, _ := read(t, ".", "03_train")
	results, _ := read(t, ".", "04_results")
	steps := regexp.MustCompile(`(?m)^2-bfpo +step +(\d+) +loss (\S+)`).FindAllStringSubmatch(train.printed(), -1)
	run := regexp.MustCompile(`(?m)^bfpo +(\d+) steps, loss \S+ to (\S+),`).FindStringSubmatch(results.printed())
	if len(steps) == 0 || run == nil {
		t.Fatal("the notebooks print no losses")
	}
	last := steps[len(steps)-1]
	a, errA := strconv.ParseFloat(last[2], 64)
	b, errB := strconv.ParseFloat(run[2], 64)
	if errA != nil || errB != nil || last[1] != run[1] || math.Abs(a-b) > 1e-4*b {
		t.Errorf("step %s has the loss %s in 03_train; the last of %s steps has the loss %s in 04_results",
			last[1], last[2], run[1], run[2])
	}
}

// executed returns the folder of notebooks that were executed with the recipe tiny. It skips the test without one.
func executed(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("BFPO_NOTEBOOKS")
	if dir == "" {
		t.Skip("BFPO_NOTEBOOKS names no folder of executed notebooks: notebooks/run -recipe=tiny -out=DIR makes one " +
			"(and installs Jupyter)")
	}
	return dir
}

// checkPrinted checks that a notebook prints a line.
func checkPrinted(t *testing.T, name, printed string, format string, args ...any) {
	t.Helper()
	if line := fmt.Sprintf(format, args...); !strings.Contains(printed, line) {
		t.Errorf("%s does not print %q, which the program prints; it prints\n%s",
			name, line, strings.TrimSpace(printed))
	}
}
