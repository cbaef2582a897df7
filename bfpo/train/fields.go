package train

import (
	_ "embed"

	"github.com/bfpo-go/bfpo/bfpo/fields"
)

//go:embed provenance.go
var provenanceSource string

// ProvenanceFields lists the JSON fields of provenance.json, which are below its key value; its key xxh3 has their
// checksum.
func ProvenanceFields() ([]fields.Field, error) {
	return fields.Parse(provenanceSource, "provenance", "json")
}
