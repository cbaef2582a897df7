package mistral

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// sampler draws the tokens of one row. Its random numbers depend only on the seed and the row's number, so that a
// row's text does not depend on the rows that are generated with it.
type sampler struct {
	temperature float64
	topP        float64
	topK        int
	random      *rand.Rand
	probs       []float64 // scratch, [V]
	order       []int32   // scratch, [V]
}

func newSampler(o GenerateOptions, row int) *sampler {
	random := rand.New(rand.NewPCG(uint64(o.Seed), uint64(row)))
	return &sampler{temperature: o.Temperature, topP: o.TopP, topK: o.TopK, random: random}
}

// next returns the next token, given the logits of the vocabulary. At temperature 0 it is the token with the
// largest logit, the first of several. Otherwise next draws from
//
//	p = softmax(logits / temperature)
//
// with one random number. topK restricts the draw to the topK most probable tokens, and topP below 1 restricts it
// further to their nucleus (Holtzman et al. 2020).
func (s *sampler) next(logits []float32) (int32, error) {
	best := 0
	for i, l := range logits {
		if l > logits[best] {
			best = i
		}
		if math.IsNaN(float64(l)) {
			return 0, fmt.Errorf("the logit of token %d is NaN: %w", i, ErrNotFinite)
		}
	}
	if math.IsInf(float64(logits[best]), 0) {
		return 0, fmt.Errorf("the logit of token %d is %g: %w", best, logits[best], ErrNotFinite)
	}
	if s.temperature == 0 {
		return int32(best), nil
	}
	s.softmax(logits, float64(logits[best]))
	if s.topP > 0 && s.topP < 1 || s.topK > 0 && s.topK < len(logits) {
		return s.drawNucleus(), nil
	}
	return s.draw(), nil
}

// softmax computes probs. top is the largest logit.
func (s *sampler) softmax(logits []float32, top float64) {
	if s.probs == nil {
		s.probs = make([]float64, len(logits))
	}
	sum := 0.0
	for i, l := range logits {
		p := math.Exp((float64(l) - top) / s.temperature)
		s.probs[i] = p
		sum += p
	}
	for i := range s.probs {
		s.probs[i] /= sum
	}
}

// draw draws a token from the whole vocabulary.
func (s *sampler) draw() int32 {
	left, last := s.random.Float64(), 0
	for i, p := range s.probs {
		if p == 0 {
			continue
		}
		if left -= p; left < 0 {
			return int32(i)
		}
		last = i
	}
	return int32(last) // the rounded probabilities add up to a little less than 1
}

// drawNucleus draws a token from the nucleus as transformers defines it: the smallest set of most probable tokens
// whose probability mass is at least topP times the mass of the topK most probable tokens (of all tokens without
// topK). Of equally probable tokens the set takes the first in the vocabulary.
//
// Tokens are popped off a heap one by one, because the set is nearly always small, and sorting the whole vocabulary
// for every token would take as long as a small network.
func (s *sampler) drawNucleus() int32 {
	s.order = s.order[:0]
	for i := range s.probs {
		s.order = append(s.order, int32(i))
	}
	for i := len(s.order)/2 - 1; i >= 0; i-- {
		s.siftDown(s.order, i)
	}
	var mass float64
	var set []int32
	if s.topK == 0 || s.topK >= len(s.order) {
		mass, set = s.pop(len(s.order), s.topP)
	} else if mass, set = s.pop(s.topK, math.Inf(1)); s.topP > 0 && s.topP < 1 {
		mass, set = s.keepMass(set, s.topP*mass)
	}
	left := s.random.Float64() * mass
	for i := len(set) - 1; i > 0; i-- { // the most probable token is the last
		if left -= s.probs[set[i]]; left < 0 {
			return set[i]
		}
	}
	return set[0]
}

// pop removes tokens from the heap, the most probable first, until their mass is at least wanted or their number is
// maxTokens. It returns them in reverse order, stored after the rest of the heap.
func (s *sampler) pop(maxTokens int, wanted float64) (mass float64, set []int32) {
	n := len(s.order)
	for mass < wanted && n > len(s.order)-maxTokens {
		n--
		s.order[0], s.order[n] = s.order[n], s.order[0]
		mass += s.probs[s.order[n]]
		s.siftDown(s.order[:n], 0)
	}
	return mass, s.order[n:]
}

// keepMass returns the most probable tokens of a set in the order of pop, as many as are needed for the wanted mass.
func (s *sampler) keepMass(set []int32, wanted float64) (mass float64, kept []int32) {
	n := len(set)
	for mass < wanted && n > 0 {
		n--
		mass += s.probs[set[n]]
	}
	return mass, set[n:]
}

// siftDown moves element i of a heap down until neither of its children is more probable. The most probable token
// is on top.
func (s *sampler) siftDown(heap []int32, i int) {
	for {
		child := 2*i + 1
		if child >= len(heap) {
			return
		}
		if child+1 < len(heap) && s.moreProbable(heap[child+1], heap[child]) {
			child++
		}
		if s.moreProbable(heap[i], heap[child]) {
			return
		}
		heap[i], heap[child] = heap[child], heap[i]
		i = child
	}
}

// moreProbable reports whether token a comes before token b.
func (s *sampler) moreProbable(a, b int32) bool {
	return s.probs[a] > s.probs[b] || s.probs[a] == s.probs[b] && a < b
}
