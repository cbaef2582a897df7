package main

import (
	"bufio"
	"cmp"
	"fmt"
	"go/ast"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// The limits of the house.
const (
	maxFiles     = 25   // of a package, without tests
	maxLines     = 3000 // of a package, without tests
	maxFunction  = 60   // lines
	maxFileLines = 350
	maxColumns   = 120 // a tab counts as one
)

// sized is something with a number of lines.
type sized struct {
	name  string
	lines int
}

// measure prints sizes and returns what is above a limit.
func measure(packages []pkg) (problems []string, err error) {
	var functions, files []sized
	fmt.Printf("%-24s %5s %6s  imports\n", "package", "files", "lines")
	for _, p := range packages {
		fset, parsed, _, err := p.checkTypes()
		if err != nil {
			return nil, err
		}
		total := 0
		for name, file := range parsed {
			lines := fset.File(file.FileStart).LineCount()
			total += lines
			files = append(files, sized{filepath.Join(p.name, name), lines})
			for _, d := range file.Decls {
				if f, ok := d.(*ast.FuncDecl); ok {
					n := fset.Position(f.End()).Line - fset.Position(f.Pos()).Line + 1
					functions = append(functions, sized{filepath.Join(p.name, name) + " " + f.Name.Name, n})
				}
			}
		}
		fmt.Printf("%-24s %5d %6d  %s\n", p.name, len(p.files), total, strings.Join(p.imports, " "))
		if len(p.files) > maxFiles || total > maxLines {
			problems = append(problems, fmt.Sprintf("package %s has %d files and %d lines", p.name, len(p.files), total))
		}
	}
	problems = append(problems, longest("functions", functions, maxFunction)...)
	problems = append(problems, longest("files", files, maxFileLines)...)
	wide, err := wideLines()
	return append(problems, wide...), err
}

// longest prints the ten longest and returns those above a limit.
func longest(what string, all []sized, limit int) (problems []string) {
	slices.SortFunc(all, func(a, b sized) int {
		return cmp.Or(cmp.Compare(b.lines, a.lines), cmp.Compare(a.name, b.name))
	})
	fmt.Printf("\nlongest %s:\n", what)
	for i, s := range all {
		if i < 10 {
			fmt.Printf("%5d  %s\n", s.lines, s.name)
		}
		if s.lines > limit {
			problems = append(problems, fmt.Sprintf("%s: %d lines, more than %d", s.name, s.lines, limit))
		}
	}
	return problems
}

// wideLines returns the source lines above 120 columns. Tables of Markdown may be wider, and the recipes of the
// original code stand as they were.
func wideLines() (problems []string, err error) {
	out, err := exec.Command("git", "ls-files", "*.go", "*.c", "*.h", "*.py", "*.yaml", "*.sh", "*.md",
		".ci/fuzz", ".ci/run", "notebooks/run", ":!bfpo/recipe/testdata/original").Output()
	if err != nil {
		return nil, fmt.Errorf("git ls-files: %w", err)
	}
	for name := range strings.FieldsSeq(string(out)) {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		lines := bufio.NewScanner(file)
		lines.Buffer(nil, 1<<20)
		for n := 1; lines.Scan(); n++ {
			table := strings.HasSuffix(name, ".md") && strings.HasPrefix(strings.TrimSpace(lines.Text()), "|")
			if columns := utf8.RuneCountInString(lines.Text()); columns > maxColumns && !table {
				problems = append(problems, fmt.Sprintf("%s:%d: %d columns", name, n, columns))
			}
		}
		file.Close()
	}
	return problems, nil
}
