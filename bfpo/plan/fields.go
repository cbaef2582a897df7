package plan

import (
	_ "embed"

	"github.com/bfpo-go/bfpo/bfpo/fields"
)

//go:embed plan.go
var source string

// Fields lists the JSON fields of a Plan.
func Fields() ([]fields.Field, error) { return fields.Parse(source, "Plan", "json") }
