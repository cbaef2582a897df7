package mistral

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/bfpo-go/bfpo/mistral/config"
)

// A greedy run is several steps in one program, because between two programs the device waits for the host.

// runState is the state of a greedy run between two steps.
type runState struct {
	steps, maxSteps *Node // int32 scalars: the number of steps so far and its limit
	anyEnded        *Node // bool scalar: a row has reached its limit or an end token, or its logits are not finite
	text            *Node // int32 [B, T]: the tokens of each row, then the last predictions for the next positions
	length          *Node // int32 [B]: the number of tokens of each row
	limit           *Node // int32 [B]: the largest length of each row; a row of that length takes no part

	base, masters, cache []*Node
}

// greedyRun continues rows greedily until one of them ends. Its inputs are the base weights, the masters, the rows
// (text, length, limit and the maximum number of steps) and the cache. Its outputs are the rows (the number of
// steps, text and length) and the cache.
func (n network) greedyRun(in [][]*Node) [][]*Node {
	g := in[2][0].Graph()
	s := runState{
		steps: Const(g, int32(0)), maxSteps: in[2][3], anyEnded: Const(g, false),
		text: in[2][0], length: in[2][1], limit: in[2][2],
		base: in[0], masters: in[1], cache: in[3],
	}
	condition := NewClosure(g, func(g *Graph) []*Node {
		s := s.asParameters(g)
		return []*Node{And(Not(s.anyEnded), LessThan(s.steps, s.maxSteps))}
	})
	body := NewClosure(g, func(g *Graph) []*Node { return s.asParameters(g).step(n).nodes() })
	s = s.withNodes(While(condition, body, s.nodes()...))
	return [][]*Node{{s.steps, s.text, s.length}, s.cache}
}

// nodes lists the nodes of the state. The loop carries them, and its closures see nothing else.
func (s runState) nodes() []*Node {
	return slices.Concat([]*Node{s.steps, s.maxSteps, s.anyEnded, s.text, s.length, s.limit}, s.base, s.masters, s.cache)
}

// withNodes returns a state of the same structure as s with the given nodes, in the order of nodes.
func (s runState) withNodes(nodes []*Node) runState {
	take := func(n int) (group []*Node) { group, nodes = nodes[:n:n], nodes[n:]; return group }
	own := take(6)
	return runState{
		steps: own[0], maxSteps: own[1], anyEnded: own[2], text: own[3], length: own[4], limit: own[5],
		base: take(len(s.base)), masters: take(len(s.masters)), cache: take(len(s.cache)),
	}
}

// asParameters returns the state as parameters of the closure g.
func (s runState) asParameters(g *Graph) runState {
	nodes := s.nodes()
	for i, x := range nodes {
		nodes[i] = Parameter(g, fmt.Sprint("state", i), x.Shape())
	}
	return s.withNodes(nodes)
}

// step appends to each row the token that the network predicts next, and the tokens after it as far as the draft
// agrees with the network.
func (s runState) step(n network) runState {
	drafts := draft(s.text, s.length, draftLength(s.length.Shape().Dim(0)))
	last := MaxScalar(AddScalar(s.length, -1), 0) // [B]; for a row without tokens the result is ignored
	tokens := Concatenate(append([]*Node{tokensAt(s.text, InsertAxes(last, -1))}, drafts...), -1)
	var logits *Node
	logits, s.cache = decode(n.config, n.policyWeights(s.base, s.masters).ForInference(), tokens, last, s.cache)

	column := Iota(s.text.Graph(), shapes.Make(dtypes.Int32, 1, s.text.Shape().Dim(1)), 1) // [1, T]
	start, length, limit := InsertAxes(s.length, -1), InsertAxes(s.length, -1), InsertAxes(s.limit, -1)
	accepted := LessThan(length, limit) // [B, 1]: the row takes the next token
	for i, token := range Split(Reshape(argMax(logits), tokens.Shape().Dimensions...), 1, 1+len(drafts)) {
		s.text = Where(Equal(column, AddScalar(start, i)), BroadcastToShape(token, s.text.Shape()), s.text)
		length = Add(length, ConvertDType(accepted, dtypes.Int32))
		ended := And(accepted, Or(Equal(length, limit), isEnd(n.config, token)))
		s.anyEnded = Or(s.anyEnded, LogicalAny(ended))
		if i < len(drafts) {
			accepted = And(accepted, And(Not(ended), Equal(token, drafts[i])))
		}
	}
	s.steps, s.length = AddScalar(s.steps, 1), Squeeze(length, -1)
	return s
}

// isEnd returns which tokens end their row: end tokens and -1, which argMax returns for logits that are not finite.
func isEnd(c config.Config, tokens *Node) *Node {
	is := LessThan(tokens, ScalarZero(tokens.Graph(), dtypes.Int32))
	for _, id := range c.EOSTokenIDs {
		is = Or(is, Equal(tokens, Const(tokens.Graph(), id)))
	}
	return is
}

// argMax returns the index of the largest of the logits [N, V] of each row, the first of several equal ones. It
// returns -1 for a row in which a logit is NaN or the largest is infinite.
func argMax(logits *Node) *Node {
	g := logits.Graph()
	none, index := Const(g, int32(-1)), Iota(g, shapes.Make(dtypes.Int32, logits.Shape().Dimensions...), 1)
	top := ReduceMax(logits, -1) // [N]
	index = Where(Equal(logits, InsertAxes(top, -1)), index, Const(g, int32(logits.Shape().Dim(1))))
	index = Where(Equal(logits, logits), index, none)
	return Where(IsFinite(top), ReduceMin(index, -1), none)
}
