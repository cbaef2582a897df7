package pattern

import (
	"errors"
	"fmt"
	"slices"
)

// The kinds of instructions.
type operation uint8

const (
	opMatch  operation = iota // the pattern, or the part of it inside a lookaround or atomic group, matches
	opClass                   // one character of class, then next
	opRun                     // min to max characters of class, then next
	opSplit                   // next, or else other
	opLook                    // whether the part at other matches here, then next
	opBehind                  // whether the character before is in class, then next
	opAtomic                  // the part at other, then next; the part is not tried another way
	opAnchor                  // whether this is the place that anchor names, then next
)

// instruction is a step of a program.
type instruction struct {
	op          operation
	anchor      byte
	lazy        bool
	possessive  bool
	negative    bool
	class       *class
	min, max    int32 // opRun; max -1: no limit
	next, other int32
	index       int32 // of an opRun or opSplit among those of its kind
	// The characters with which the two ways of a split can begin; nil where a way can match the empty text.
	first, second *class
}

// Pattern is a compiled pattern. It does not change and is safe for concurrent use.
type Pattern struct {
	code         []instruction
	runs, splits int32
	first        *class // the characters that a match can begin with; nil: it may be empty
	Shortest     int    // the least number of characters of a match
}

// The limits of a program: counted repetitions are written out, and a long match keeps a bit for each split and place.
const (
	maxCode   = 1 << 12
	maxSplits = 1 << 8
)

// compiler writes the program of a pattern from its end to its beginning.
type compiler struct {
	Pattern
	classes map[string]*class
	err     error
}

// Compile translates a pattern. The error says what of it is not supported.
func Compile(text string) (*Pattern, error) {
	if len(text) > maxPattern {
		return nil, fmt.Errorf("the regular expression has %d characters; at most %d are supported", len(text), maxPattern)
	}
	p := parser{text: text}
	tree, err := p.choice(false)
	if err == nil && p.more() {
		err = errors.New("a parenthesis is not opened")
	}
	if err != nil {
		return nil, fmt.Errorf("the regular expression %.200q: %w", text, err)
	}
	c := compiler{classes: map[string]*class{}}
	start := c.node(tree, c.emit(instruction{op: opMatch}))
	c.emit(instruction{op: opAtomic, other: start}) // the last instruction says where the program starts
	if c.err != nil {
		return nil, fmt.Errorf("the regular expression %.200q: %w", text, c.err)
	}
	c.first, c.Shortest = c.beginning(tree), tree.shortest()
	return &c.Pattern, nil
}

// emit appends an instruction and returns its place.
func (c *compiler) emit(i instruction) int32 {
	if len(c.code) >= maxCode {
		c.fail(fmt.Errorf("more than %d steps", maxCode))
		return 0
	}
	c.code = append(c.code, i)
	return int32(len(c.code) - 1)
}

func (c *compiler) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

// newClass returns the class of a set; equal sets share one.
func (c *compiler) newClass(s set) *class {
	key := fmt.Sprint([]span(s))
	if c.classes[key] == nil {
		c.classes[key] = newClass(s)
	}
	return c.classes[key]
}

// node writes the instructions of a node, followed by those at next, and returns where they begin.
func (c *compiler) node(n *node, next int32) int32 {
	if c.err != nil {
		return 0
	}
	switch n.kind {
	case kindClass:
		return c.emit(instruction{op: opClass, class: c.newClass(n.set), next: next})
	case kindSeries:
		for _, sub := range slices.Backward(n.subs) {
			next = c.node(sub, next)
		}
		return next
	case kindChoice:
		if len(n.subs) > maxSplits {
			c.fail(fmt.Errorf("more than %d alternatives", maxSplits))
			return 0
		}
		last := len(n.subs) - 1
		at, second := c.node(n.subs[last], next), c.beginning(n.subs[last])
		for _, sub := range slices.Backward(n.subs[:last]) {
			first := c.beginning(sub)
			at = c.split(c.node(sub, next), at, first, second)
			if first == nil || second == nil {
				second = nil
			} else {
				second = c.beginning(&node{kind: kindChoice, subs: n.subs[slices.Index(n.subs, sub):]})
			}
		}
		return at
	case kindRepeat:
		return c.repeat(n, next, false)
	case kindAtomic:
		return c.atomic(n.subs[0], next)
	case kindLook:
		return c.look(n, next)
	}
	return c.emit(instruction{op: opAnchor, anchor: n.anchor, next: next})
}

func (c *compiler) split(next, other int32, first, second *class) int32 {
	if c.splits++; c.splits > maxSplits {
		c.fail(fmt.Errorf("more than %d alternatives", maxSplits))
	}
	return c.emit(instruction{op: opSplit, next: next, other: other, first: first, second: second, index: c.splits - 1})
}

// repeat writes a repetition: a run for a single class, else copies and a loop.
func (c *compiler) repeat(n *node, next int32, possessive bool) int32 {
	body := n.subs[0]
	if single, ok := body.single(); ok {
		c.runs++
		return c.emit(instruction{op: opRun, class: c.newClass(single), min: int32(n.min), max: int32(n.max), lazy: n.lazy,
			possessive: possessive, next: next, index: c.runs - 1})
	}
	if n.max != 0 && n.max != 1 && body.shortest() == 0 {
		c.fail(errors.New("a loop around what may be empty"))
		return 0
	}
	first := c.beginning(body)
	option := func(body, after int32) int32 {
		if n.lazy {
			return c.split(after, body, nil, first)
		}
		return c.split(body, after, first, nil)
	}
	at := next
	if n.max < 0 {
		loop := option(0, next)
		begin := c.node(body, loop)
		if c.err == nil && n.lazy {
			c.code[loop].other = begin
		} else if c.err == nil {
			c.code[loop].next = begin
		}
		at = loop
	}
	for range max(0, n.max-n.min) {
		at = option(c.node(body, at), next)
	}
	for range n.min {
		at = c.node(body, at)
	}
	return at
}

// atomic writes an atomic group: a possessive run for the repetition of a class, else a part of its own, whose length
// must be limited.
func (c *compiler) atomic(body *node, next int32) int32 {
	for (body.kind == kindSeries || body.kind == kindChoice) && len(body.subs) == 1 {
		body = body.subs[0]
	}
	if body.kind == kindRepeat {
		if _, ok := body.subs[0].single(); ok && !body.lazy {
			return c.repeat(body, next, true)
		}
	}
	if body.longest() < 0 {
		c.fail(errors.New("an atomic group without a limit"))
		return 0
	}
	part := c.node(body, c.emit(instruction{op: opMatch}))
	return c.emit(instruction{op: opAtomic, other: part, next: next})
}

// look writes a lookaround.
func (c *compiler) look(n *node, next int32) int32 {
	body := n.subs[0]
	if n.behind {
		single, ok := body.single()
		if !ok {
			c.fail(errors.New("looking behind at more than one character"))
			return 0
		}
		return c.emit(instruction{op: opBehind, class: c.newClass(single), negative: n.negative, next: next})
	}
	if body.longest() < 0 {
		c.fail(errors.New("looking ahead without a limit"))
		return 0
	}
	part := c.node(body, c.emit(instruction{op: opMatch}))
	return c.emit(instruction{op: opLook, other: part, negative: n.negative, next: next})
}

// beginning returns the characters that a node's matches can begin with, nil where one may be empty.
func (c *compiler) beginning(n *node) *class {
	if s, ok := n.begins(); ok {
		return c.newClass(s)
	}
	return nil
}
