package rowfile

import (
	"github.com/parquet-go/parquet-go"

	"github.com/bfpo-go/bfpo/datasets/jinja"
)

// ordered returns a value that the parquet library made, with a *jinja.Dict in place of the Go map of each struct: its
// keys have the order of the schema, which the map loses. Values of map columns stay maps.
func ordered(v any, node parquet.Node) any {
	switch v := v.(type) {
	case map[string]any:
		object := &jinja.Dict{}
		for _, field := range node.Fields() {
			if item, ok := v[field.Name()]; ok {
				object.Set(field.Name(), ordered(item, field))
			}
		}
		if object.Len() < len(v) { // the keys of a map column are no fields
			return v
		}
		return object
	case []any:
		element := elementOf(node)
		if element.Leaf() {
			return v
		}
		for i, item := range v {
			v[i] = ordered(item, element)
		}
	}
	return v
}

// elementOf returns what the elements of a list are: a repeated node itself, or what is in the two groups of a column
// that is declared as a list.
func elementOf(node parquet.Node) parquet.Node {
	if node.Leaf() || node.Repeated() || len(node.Fields()) != 1 {
		return node
	}
	repeated := node.Fields()[0]
	if repeated.Leaf() || len(repeated.Fields()) != 1 {
		return repeated
	}
	return repeated.Fields()[0]
}
