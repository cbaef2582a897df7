package datasets

import (
	"context"
	"testing"

	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/datasets/fixture"
)

// BenchmarkFill lays out one micro-batch of 8 real pairs of up to 1,024 tokens.
func BenchmarkFill(b *testing.B) {
	format := goldenFormat(b, false)
	format.MaxLength, format.MaxPromptLength = 1024, 512
	m := Mixture{
		Sets:       []MixtureSet{{"pku_saferlhf", 1}},
		Split:      "train",
		BaseFolder: fixture.Shared(b, "data"),
		Shuffle:    true,
		Seed:       42,
	}
	rows, _, err := m.ReadPreferences(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	pairs, _, err := format.TokenizePreferences(context.Background(), rows)
	if err != nil {
		b.Fatal(err)
	}
	l := batch.Loader[batch.Pair]{Rows: pairs, Size: 8}
	shapes := batch.PlanShapes(l.Peek(l.MicroBatches()), batch.Shared, 1, 4)
	b.ReportAllocs()
	for b.Loop() {
		examples, _ := l.Next()
		split, err := batch.Split(examples, batch.Shared, shapes)
		for i := 0; i < len(split) && err == nil; i++ {
			_, err = batch.Fill(split[i], batch.Shared, shapes)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
