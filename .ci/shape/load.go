package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// module is the path of this module.
const module = "github.com/bfpo-go/bfpo"

// pkg is a package of this module.
type pkg struct {
	name    string // below the module's path
	dir     string
	files   []string // without tests, cgo files included
	imports []string // names of packages of this module
	exports func(path string) (io.ReadCloser, error)
}

// load lists the packages of this module with the export data of everything that they import.
func load() ([]pkg, error) {
	list := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Dir,GoFiles,CgoFiles,Export,Imports,Standard",
		"./...")
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	exports := map[string]string{}
	open := func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) }
	var packages []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath, Dir, Export    string
			GoFiles, CgoFiles, Imports []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		exports[p.ImportPath] = p.Export
		name, ours := strings.CutPrefix(p.ImportPath, module+"/")
		if !ours {
			continue
		}
		if len(p.GoFiles)+len(p.CgoFiles) == 0 { // tests alone
			continue
		}
		own := pkg{name: name, dir: p.Dir, files: slices.Concat(p.GoFiles, p.CgoFiles), exports: open}
		for _, path := range p.Imports {
			if imported, ours := strings.CutPrefix(path, module+"/"); ours {
				own.imports = append(own.imports, imported)
			}
		}
		packages = append(packages, own)
	}
	return packages, nil
}

// checkTypes parses and type-checks the files of a package. C names of cgo files stay unresolved.
func (p pkg) checkTypes() (*token.FileSet, map[string]*ast.File, *types.Info, error) {
	fset, files := token.NewFileSet(), map[string]*ast.File{}
	var all []*ast.File
	for _, name := range p.files {
		f, err := parser.ParseFile(fset, filepath.Join(p.dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, nil, nil, err
		}
		files[name], all = f, append(all, f)
	}
	info := &types.Info{Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}}
	config := types.Config{
		Importer: importer.ForCompiler(fset, "gc", p.exports), FakeImportC: true,
		Error: func(error) {}, // the build has found real errors; what is left is about C
	}
	config.Check(module+"/"+p.name, fset, all, info)
	return fset, files, info, nil
}
