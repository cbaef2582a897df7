package preview

import (
	_ "embed"

	"github.com/bfpo-go/bfpo/bfpo/fields"
)

//go:embed preview.go
var source string

// Fields lists what bfpo data -json prints: an object of stages and evaluations, and the fields of their parts.
func Fields() (all []fields.Field, err error) {
	for _, part := range []struct{ prefix, typeName string }{
		{"stages[].", "Stage"}, {"stages[].sets[].", "Set"}, {"stages[].sets[].sources[].", "Source"},
		{"evaluations[].", "Stage"},
	} {
		list, err := fields.Parse(source, part.typeName, "json")
		if err != nil {
			return nil, err
		}
		for _, f := range list {
			f.Name = part.prefix + f.Name
			all = append(all, f)
		}
	}
	return all, nil
}
