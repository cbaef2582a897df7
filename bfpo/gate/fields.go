package gate

import (
	_ "embed"

	"github.com/bfpo-go/bfpo/bfpo/fields"
)

//go:embed result.go
var source string

// Fields lists the JSON fields of a Result, and then those of its measures.
func Fields() ([]fields.Field, error) {
	all, err := fields.Parse(source, "Result", "json")
	if err != nil {
		return nil, err
	}
	measures, err := fields.Parse(source, "Measure", "json")
	for _, f := range measures {
		f.Name = "measures[]." + f.Name
		all = append(all, f)
	}
	return all, err
}
