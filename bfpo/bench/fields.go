package bench

import (
	_ "embed"

	"github.com/bfpo-go/bfpo/bfpo/fields"
)

//go:embed result.go
var source string

// Fields lists the JSON fields of a Result.
func Fields() ([]fields.Field, error) { return fields.Parse(source, "Result", "json") }
