package main

import (
	"fmt"
	"go/ast"
	"go/types"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// arrows maps a file of a package to the files of that package whose names it uses, and these to the names.
type arrows map[string]map[string][]string

// arrows finds which file uses which. Package-level names count, and the fields and methods of the package's types.
func (p pkg) arrows() (arrows, error) {
	fset, files, info, err := p.checkTypes()
	if err != nil {
		return nil, err
	}
	a := arrows{}
	for name, file := range files {
		a[name] = map[string][]string{}
		ast.Inspect(file, func(n ast.Node) bool {
			id, ok := n.(*ast.Ident)
			if !ok {
				return true
			}
			used := origin(info.Uses[id])
			if used == nil || used.Pkg() == nil || used.Pkg().Path() != module+"/"+p.name || !global(used) {
				return true
			}
			to := filepath.Base(fset.Position(used.Pos()).Filename)
			if to != name && !slices.Contains(a[name][to], used.Name()) {
				a[name][to] = append(a[name][to], used.Name())
			}
			return true
		})
	}
	return a, nil
}

// origin returns the declaration behind an instance of a generic function or field.
func origin(o types.Object) types.Object {
	switch o := o.(type) {
	case *types.Func:
		return o.Origin()
	case *types.Var:
		return o.Origin()
	}
	return o
}

// global reports whether a name is declared at package level, or is a field or method.
func global(o types.Object) bool {
	if v, ok := o.(*types.Var); ok && v.IsField() {
		return true
	}
	if f, ok := o.(*types.Func); ok && f.Signature().Recv() != nil {
		return true
	}
	return o.Parent() == o.Pkg().Scope()
}

// circles returns the groups of files that reach each other: Tarjan's strongly connected components of more than one
// file.
func (a arrows) circles() (circles [][]string) {
	index, low, onStack := map[string]int{}, map[string]int{}, map[string]bool{}
	var stack []string
	var visit func(file string)
	visit = func(file string) {
		index[file] = len(index) + 1
		low[file] = index[file]
		stack, onStack[file] = append(stack, file), true
		for _, next := range slices.Sorted(maps.Keys(a[file])) {
			if index[next] == 0 {
				visit(next)
				low[file] = min(low[file], low[next])
			} else if onStack[next] {
				low[file] = min(low[file], index[next])
			}
		}
		if low[file] != index[file] {
			return
		}
		i := slices.Index(stack, file)
		group := slices.Sorted(slices.Values(stack[i:]))
		stack = stack[:i]
		for _, f := range group {
			onStack[f] = false
		}
		if len(group) > 1 {
			circles = append(circles, group)
		}
	}
	for _, file := range slices.Sorted(maps.Keys(a)) {
		if index[file] == 0 {
			visit(file)
		}
	}
	return circles
}

// print lists the arrows of a package.
func (a arrows) print(name string) {
	for _, from := range slices.Sorted(maps.Keys(a)) {
		for _, to := range slices.Sorted(maps.Keys(a[from])) {
			fmt.Printf("%s/%s -> %s: %s\n", name, from, to, strings.Join(a[from][to], " "))
		}
	}
}
