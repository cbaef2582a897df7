package mistral

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/bfpo-go/bfpo/mistral/config"
)

// A greedy run is several steps in one program: between two programs the device waits for the host. runState is what a step takes over from the one
// before.
type runState struct {
	steps, maxSteps *Node // int32 scalars: steps, and how many there may be
	anyEnded      *Node // bool scalar: a row has reached its limit or an end token, or its logits are no numbers
	text       *Node // int32 [B, T]: the tokens of each row, and behind them what the network said of these places when it last looked
	length     *Node // int32 [B]: of each row
	limit      *Node // int32 [B]: of the lengths. A row as long as that takes no part

	weights, masters, cache []*Node
}

// greedyRun continues rows greedily until one of them ends. Its arguments are the weights, the trained ones, the rows as text, length, limit and the
// greatest number of steps, and the cache; its results the number of steps, text and length, and the cache.
func (n network) greedyRun(in [][]*Node) [][]*Node {
	g := in[2][0].Graph()
	s := runState{steps: Const(g, int32(0)), maxSteps: in[2][3], anyEnded: Const(g, false), text: in[2][0], length: in[2][1], limit: in[2][2],
		weights: in[0], masters: in[1], cache: in[3]}
	goesOn := NewClosure(g, func(g *Graph) []*Node {
		s := s.asParameters(g)
		return []*Node{And(Not(s.anyEnded), LessThan(s.steps, s.maxSteps))}
	})
	step := NewClosure(g, func(g *Graph) []*Node { return s.asParameters(g).step(n).nodes() })
	s = s.withNodes(While(goesOn, step, s.nodes()...))
	return [][]*Node{{s.steps, s.text, s.length}, s.cache}
}

// nodes are those of the state in the order of a loop, which sees nothing else.
func (s runState) nodes() []*Node {
	return slices.Concat([]*Node{s.steps, s.maxSteps, s.anyEnded, s.text, s.length, s.limit}, s.weights, s.masters, s.cache)
}

// of returns the state of a loop with s whose nodes these are.
func (s runState) withNodes(nodes []*Node) runState {
	take := func(n int) (group []*Node) { group, nodes = nodes[:n:n], nodes[n:]; return group }
	one := take(6)
	return runState{steps: one[0], maxSteps: one[1], anyEnded: one[2], text: one[3], length: one[4], limit: one[5],
		weights: take(len(s.weights)), masters: take(len(s.masters)), cache: take(len(s.cache))}
}

// parameters returns the state as a closure gets it.
func (s runState) asParameters(g *Graph) runState {
	nodes := s.nodes()
	for i, x := range nodes {
		nodes[i] = Parameter(g, fmt.Sprint("state", i), x.Shape())
	}
	return s.withNodes(nodes)
}

// step adds to each row the token that the network says next, and the ones behind it as long as the draft has said the same.
func (s runState) step(n network) runState {
	drafts := draft(s.text, s.length, draftLength(s.length.Shape().Dim(0)))
	last := MaxScalar(AddScalar(s.length, -1), 0) // [B]; of a row without tokens something is computed that nobody looks at
	tokens := Concatenate(append([]*Node{tokensAt(s.text, InsertAxes(last, -1))}, drafts...), -1)
	var logits *Node
	logits, s.cache = decode(n.config, n.policyWeights(s.weights, s.masters).WithoutGradient(), tokens, last, s.cache)

	column := Iota(s.text.Graph(), shapes.Make(dtypes.Int32, 1, s.text.Shape().Dim(1)), 1) // [1, T]
	place, length, limit := InsertAxes(s.length, -1), InsertAxes(s.length, -1), InsertAxes(s.limit, -1)
	goesOn := LessThan(length, limit) // [B, 1]
	for i, token := range Split(Reshape(argMax(logits), tokens.Shape().Dimensions...), 1, 1+len(drafts)) {
		s.text = Where(Equal(column, AddScalar(place, i)), BroadcastToShape(token, s.text.Shape()), s.text)
		length = Add(length, ConvertDType(goesOn, dtypes.Int32))
		ends := And(goesOn, Or(Equal(length, limit), isEnd(n.config, token)))
		s.anyEnded = Or(s.anyEnded, LogicalAny(ends))
		if i < len(drafts) {
			goesOn = And(goesOn, And(Not(ends), Equal(token, drafts[i])))
		}
	}
	s.steps, s.length = AddScalar(s.steps, 1), Squeeze(length, -1)
	return s
}

// ends tells which tokens end their row. Those that are none do: see largest.
func isEnd(c config.Config, tokens *Node) *Node {
	is := LessThan(tokens, ScalarZero(tokens.Graph(), dtypes.Int32))
	for _, id := range c.EOSTokenIDs {
		is = Or(is, Equal(tokens, Const(tokens.Graph(), id)))
	}
	return is
}

// largest returns the places of the largest of logits [N, V], of several the first, or -1 where a logit is NaN or the largest is infinite: [N].
func argMax(logits *Node) *Node {
	g := logits.Graph()
	none, place := Const(g, int32(-1)), Iota(g, shapes.Make(dtypes.Int32, logits.Shape().Dimensions...), 1)
	top := ReduceMax(logits, -1) // [N]
	place = Where(Equal(logits, InsertAxes(top, -1)), place, Const(g, int32(logits.Shape().Dim(1))))
	place = Where(Equal(logits, logits), place, none)
	return Where(IsFinite(top), ReduceMin(place, -1), none)
}
