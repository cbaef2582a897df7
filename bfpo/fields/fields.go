// Package fields lists the fields of a struct for people: names, types and comments, read from the struct's own source.
//
// The help of the program shows recipe keys and the JSON that commands read and write. A package embeds the source file
// of a struct and calls Parse, so that help and code cannot differ. The package is a leaf.
package fields

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Field is one field of a struct as users see it.
type Field struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	Default string `json:"default,omitempty"`
	Section string `json:"section,omitempty"` // the heading above it in the source
	Comment string `json:"comment,omitempty"`
}

// Parse returns the fields of the struct typeName in a source file that have a name in the struct tag tag, such as json
// or yaml. A comment above a field that does not begin with the field's name is the heading of a section.
func Parse(source, typeName, tag string) (all []Field, err error) {
	file, err := parser.ParseFile(token.NewFileSet(), "", source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("source of %s: %w", typeName, err)
	}
	var found *ast.StructType
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.TypeSpec); ok && spec.Name.Name == typeName {
			found, _ = spec.Type.(*ast.StructType)
		}
		return found == nil
	})
	if found == nil {
		return nil, fmt.Errorf("source of %s: it has no such struct", typeName)
	}
	section, renamed := "", strings.NewReplacer(camelNames(found, tag)...)
	for _, f := range found.Fields.List {
		comment := words(f.Doc)
		if len(f.Names) == 0 {
			continue
		}
		goName := f.Names[0].Name
		if comment != "" && !strings.HasPrefix(comment, goName+" ") {
			section, comment = comment, ""
		}
		name := tagged(f.Tag, tag)
		if name == "" {
			continue
		}
		comment = strings.TrimSpace(strings.Replace(comment, goName, name, 1) + " " + words(f.Comment))
		all = append(all, Field{Name: name, Type: typeText(f.Type), Section: section, Comment: renamed.Replace(comment)})
	}
	return all, nil
}

// camelNames returns pairs of Go's name and the user's name of the fields whose Go names cannot be ordinary words.
func camelNames(s *ast.StructType, tag string) (pairs []string) {
	for _, f := range s.Fields.List {
		name := tagged(f.Tag, tag)
		for _, goName := range f.Names {
			if name != "" && strings.ContainsFunc(goName.Name[1:], unicode.IsUpper) {
				pairs = append(pairs, goName.Name, name)
			}
		}
	}
	return pairs
}

// words returns a comment on one line.
func words(c *ast.CommentGroup) string {
	return strings.Join(strings.Fields(c.Text()), " ")
}

// tagged returns the name that a struct tag gives a field, or "" without one.
func tagged(tag *ast.BasicLit, key string) string {
	if tag == nil {
		return ""
	}
	text, err := strconv.Unquote(tag.Value)
	if err != nil {
		return ""
	}
	name, _, _ := strings.Cut(reflect.StructTag(text).Get(key), ",")
	return strings.TrimPrefix(name, "-")
}

// typeText names a type for people who do not read Go.
func typeText(t ast.Expr) string {
	switch t := t.(type) {
	case *ast.StarExpr:
		return typeText(t.X)
	case *ast.ArrayType:
		return "list of " + typeText(t.Elt)
	case *ast.MapType:
		return "mapping of " + typeText(t.Key) + " to " + typeText(t.Value)
	case *ast.SelectorExpr:
		return strings.ToLower(t.Sel.Name)
	case *ast.Ident:
		switch t.Name {
		case "string":
			return "text"
		case "bool":
			return "true or false"
		case "int", "int32", "int64":
			return "integer"
		case "float64":
			return "number"
		case "Mixer":
			return "mapping of set to fraction"
		case "Switch":
			return "true, false or a word"
		}
		return strings.ToLower(t.Name)
	}
	return "value"
}

// lineWidth is the number of columns that Text fills.
const lineWidth = 118

// Text formats fields as aligned lines with an indent. Longer comments continue below themselves.
func Text(all []Field, indent string) string {
	names, types := 0, 0
	for _, f := range all {
		names, types = max(names, len(f.Name)), max(types, len(f.Type))
	}
	var b strings.Builder
	for _, f := range all {
		about := f.Comment
		if f.Default != "" {
			about = strings.TrimSpace(about + " (default " + f.Default + ")")
		}
		line := fmt.Sprintf("%s%-*s  %-*s  ", indent, names, f.Name, types, f.Type)
		start := strings.Repeat(" ", len(line))
		for _, word := range strings.Fields(about) {
			if len(line) > len(start) && utf8.RuneCountInString(line)+len(word) > lineWidth {
				b.WriteString(strings.TrimRight(line, " ") + "\n")
				line = start
			}
			line += word + " "
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}
