package mistral

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// sampler draws the tokens of one row. Its random numbers depend on the seed and the row alone, so that a row's text does not
// depend on the rows generated beside it.
type sampler struct {
	temperature float64
	topP        float64
	topK        int
	random      *rand.Rand
	probs       []float64 // scratch, [V]
	order       []int32   // scratch, [V]
}

func newSampler(o GenerateOptions, row int) *sampler {
	return &sampler{temperature: o.Temperature, topP: o.TopP, topK: o.TopK, random: rand.New(rand.NewPCG(uint64(o.Seed), uint64(row)))}
}

// next returns the next token for the logits of the vocabulary. Greedy (temperature 0): the first of the largest. Else it draws from
//
//	p = softmax(logits / temperature)
//
// with one random number; with topK, from the topK most probable tokens alone, and with topP below 1, from the nucleus of these
// (Holtzman et al. 2020).
func (s *sampler) next(logits []float32) (int32, error) {
	best := 0
	for i, l := range logits {
		if l > logits[best] {
			best = i
		}
		if math.IsNaN(float64(l)) {
			return 0, fmt.Errorf("the logit of token %d is NaN: the weights have diverged", i)
		}
	}
	if math.IsInf(float64(logits[best]), 0) {
		return 0, fmt.Errorf("the logit of token %d is %g: the weights have diverged", best, logits[best])
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

// softmax fills probs.
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

// draw picks a token by its probability, in the order of the vocabulary.
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
	return int32(last) // the probabilities summed up to a little less than 1
}

// nucleus picks a token out of the smallest set of most probable tokens whose mass is at least topP of the mass of the topK most
// probable ones (of all tokens without topK), as transformers defines it; of equally probable tokens the first in the vocabulary comes
// first.
//
// It takes tokens off a heap one by one: the set is nearly always small, and sorting the whole vocabulary at every token would
// take as long as a small network does.
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

// pop takes tokens off the heap, the most probable first, until they have the mass or are most. They lie behind the heap then, in
// reverse order.
func (s *sampler) pop(most int, wanted float64) (mass float64, set []int32) {
	n := len(s.order)
	for mass < wanted && n > len(s.order)-most {
		n--
		s.order[0], s.order[n] = s.order[n], s.order[0]
		mass += s.probs[s.order[n]]
		s.siftDown(s.order[:n], 0)
	}
	return mass, s.order[n:]
}

// likeliest is the end of a set in the order of pop that has the mass.
func (s *sampler) keepMass(set []int32, wanted float64) (mass float64, likeliest []int32) {
	n := len(set)
	for mass < wanted && n > 0 {
		n--
		mass += s.probs[set[n]]
	}
	return mass, set[n:]
}

// sink restores the heap, most probable token on top, after its element i has changed.
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

func (s *sampler) moreProbable(a, b int32) bool {
	return s.probs[a] > s.probs[b] || s.probs[a] == s.probs[b] && a < b
}
