package notebooks_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The cells of a notebook compile with the packages of this checkout. Each program is built as GoNB builds it: from the
// declarations of the cells so far and the lines after %% as its main function.
func TestCellsCompile(t *testing.T) {
	dir := t.TempDir()
	var files []string
	for _, name := range names() {
		nb, _ := read(t, ".", name)
		for id, text := range nb.programs() {
			file := filepath.Join(dir, name, id, "main.go")
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			files = append(files, file)
		}
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	runIn(t, root, "go", append([]string{"tool", "goimports", "-w"}, files...)...)
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	runIn(t, dir, "go", "mod", "edit", "-module=notebook", "-require=github.com/bfpo-go/bfpo@v0.0.0",
		"-replace=github.com/bfpo-go/bfpo="+root)
	runIn(t, dir, "go", "vet", "./...")
}

// programs returns the source of each cell that is a program, by the cell's id.
func (nb notebook) programs() map[string]string {
	commands := regexp.MustCompile(`(?m)^[%!](.*\\\n)*.*\n?`) // lines for GoNB or the shell, with continuations
	programs := map[string]string{}
	imports, declarations := "", ""
	for _, c := range nb.Cells {
		if c.Type != "code" {
			continue
		}
		before, body, isProgram := strings.Cut("\n"+string(c.Source)+"\n", "\n%%\n")
		before = commands.ReplaceAllString(before+"\n", "")
		if before, found := strings.CutPrefix(strings.TrimSpace(before), "import "); found {
			list, rest := before, ""
			if end := strings.Index(before, "\n)"); strings.HasPrefix(before, "(") {
				list, rest = before[:end+2], before[end+2:]
			} else if end := strings.Index(before, "\n"); end >= 0 {
				list, rest = before[:end], before[end:]
			}
			imports, declarations = imports+"import "+list+"\n", declarations+rest+"\n"
		} else {
			declarations += before + "\n"
		}
		if isProgram {
			programs[c.ID] = fmt.Sprintf("package main\n\n%s%s\nfunc main() {\n%s}\n", imports, declarations, body)
		}
	}
	return programs
}

// runIn runs a command in a folder.
func runIn(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	command := exec.Command(name, args...)
	command.Dir = dir
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}
