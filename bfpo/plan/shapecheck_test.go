package plan

import (
	"math"
	"strings"
	"testing"

	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/mistral/config"
)

func TestCheckShapes(t *testing.T) {
	network := config.Config{NumAttentionHeads: 32, IntermediateSize: 14336, VocabSize: 32000}
	for _, test := range []struct {
		length int
		want   string
	}{
		{32768, ""},
		{math.MaxInt32, "max_length: 2147483647 with this model"},
	} {
		shape := batch.Shape{Rows: 2, Length: test.length, Targets: 32, Responses: 2}
		err := checkShapes(recipe.Config{MaxLength: test.length}, network, []batch.Shape{shape})
		if (test.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%d: %v", test.length, err)
		}
	}
}
