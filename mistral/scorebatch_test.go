package mistral

import (
	"fmt"
	"slices"
	"testing"
)

func TestScoreBatchLayout(t *testing.T) {
	sequences := []Sequence{
		{[]int32{1, 2}, []int32{3, 4, 5}},
		{[]int32{1, 2}, []int32{6}},    // computes no token of its own
		{[]int32{1, 2}, []int32{7, 8}}, // second branch
		{[]int32{9}, []int32{10}},
		{[]int32{9}, nil},                  // has no tokens to score
		{[]int32{1, 2}, []int32{3, 4, 11}}, // shares all of its computed tokens
	}
	batches := makeBatches(groupByPrefix(sequences), batchTokensCPU)
	if len(batches) != 1 || batches[0].rows != 1 || batches[0].length != 64 || len(batches[0].tokens) != 64 ||
		batches[0].chunk != 32 {
		t.Fatalf("%d batches, the first %+v, want one of 64 tokens in one row", len(batches), batches[0])
	}
	b := batches[0]
	var targets []string
	for _, target := range b.targets {
		targets = append(targets, fmt.Sprint(target.predictor, target.label, target.tokens))
	}
	want := []string{"1 6 [{1 0}]", "1 3 [{0 0} {5 0}]", "2 4 [{0 1} {5 1}]", "3 5 [{0 2}]", "3 11 [{5 2}]",
		"1 7 [{2 0}]", "4 8 [{2 1}]", "5 10 [{3 0}]"}
	if !slices.Equal(targets, want) {
		t.Errorf("targets %q, want %q", targets, want)
	}
	for _, c := range []struct {
		name      string
		got, want []int32
	}{
		{"tokens", b.tokens[:7], []int32{1, 2, 3, 4, 7, 9, 0}},
		{"positions", b.positions[:7], []int32{0, 1, 2, 3, 2, 0, 0}},
		{"segments", b.segments[:7], []int32{256, 256, 258, 258, 259, 512, 0}}, // document<<graph.BranchBits | branch
		{"row tokens", b.rowTokens[:7], []int32{0, 1, 2, 3, 4, 5, 0}},
		{"token places", b.tokenPlaces[:7], []int32{0, 1, 2, 3, 4, 5, 0}},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("%s %v, want %v", c.name, c.got, c.want)
		}
	}
}

// Tokens are stored without gaps whatever the rows, and rowTokens and tokenPlaces are inverse to each other.
func TestScoreBatchRows(t *testing.T) {
	documents := groupByPrefix([]Sequence{
		{make([]int32, 50), []int32{1}}, {[]int32{7, 7}, make([]int32, 39)}, {[]int32{8}, make([]int32, 30)},
	})
	b := newScoreBatch(documents, 128, 64)
	if b.rows != 3 {
		t.Fatalf("%d rows, want 3: 50, 40 and 30 tokens", b.rows)
	}
	for i := range 120 {
		place := b.tokenPlaces[i]
		if b.rowTokens[place] != int32(i) || b.segments[place] == 0 {
			t.Errorf("token %d is at place %d, which has token %d of segment %d",
				i, place, b.rowTokens[place], b.segments[place])
		}
	}
	filled := 0
	for _, segment := range b.segments {
		if segment != 0 {
			filled++
		}
	}
	if filled != 120 {
		t.Errorf("%d tokens in rows, want 120", filled)
	}
}

// Shared prefixes are computed once as long as this saves enough and the documents stay short.
func TestGroupByPrefix(t *testing.T) {
	counting := func(from, n int32) (ids []int32) {
		for i := range n {
			ids = append(ids, from+i)
		}
		return ids
	}
	var sequences []Sequence
	for i := range int32(60) { // answers of one token and of two
		sequences = append(sequences, Sequence{[]int32{1}, []int32{100 + i, i}}, Sequence{[]int32{1}, []int32{i}})
	}
	for i := range int32(3) { // the third makes the document too long
		sequences = append(sequences, Sequence{counting(200, 400), counting(700+i, 201)},
			Sequence{counting(201, 100), counting(700+i, 79)})
	}
	sequences = append(sequences,
		// 8 of 13 tokens in common.
		Sequence{counting(5, 9), counting(300, 4)},
		Sequence{slices.Concat(counting(5, 8), counting(40, 2)), counting(300, 4)},
		// 2 tokens in common are too few.
		Sequence{counting(5, 2), counting(400, 30)},
		Sequence{counting(9, 1), counting(80, 12)}, Sequence{counting(9, 1), slices.Concat(counting(80, 5), counting(95, 3))})
	var got []string
	for _, d := range groupByPrefix(sequences) {
		got = append(got, fmt.Sprint(len(d.trunk), len(d.branches), d.length))
	}
	want := []string{"1 61 61", "8 2 17", "31 1 31", "6 2 14", "400 2 800", "600 1 600", "100 2 256", "178 1 178"}
	if !slices.Equal(got, want) {
		t.Errorf("documents (trunk, branches, length) %v, want %v", got, want)
	}
}

// Whatever the lengths, every token is scored once, and at most a twentieth of the batches is padding.
func TestMakeBatchesPackEverything(t *testing.T) {
	var sequences []Sequence
	tokens := 0
	for i := range 500 {
		n := 5 + i*i%400
		sequences = append(sequences, Sequence{[]int32{int32(i)}, make([]int32, n)})
		tokens += n
	}
	// Longer than a batch, so in a batch for itself.
	sequences = append(sequences, Sequence{[]int32{1000}, make([]int32, 3000)})
	tokens += 3000
	seen, computed := map[scoredToken]bool{}, 0
	for _, b := range makeBatches(groupByPrefix(sequences), batchTokensCPU) {
		computed += len(b.tokens)
		for _, target := range b.targets {
			for _, token := range target.tokens {
				if seen[token] {
					t.Fatalf("%v is scored twice", token)
				}
				seen[token] = true
			}
		}
	}
	if len(seen) != tokens {
		t.Errorf("%d tokens are scored, want %d", len(seen), tokens)
	}
	if computed > tokens*21/20 {
		t.Errorf("batches of %d tokens for %d tokens", computed, tokens)
	}
}
