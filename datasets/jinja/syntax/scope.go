package syntax

// Known says which filters and tests exist.
type Known struct{ Filter, Test func(name string) bool }

const (
	maxLoops  = 20  // that Python lets nest in one function
	maxHeight = 450 // of an expression with chains such as a + b + c
)

// function is a function while its variables are found.
type function struct {
	node  *Function
	outer *function
	slots map[string]int // of its own variables, by identifiers
	loops int            // that are open
}

func newFunction(outer *function) *function {
	return &function{node: &Function{}, outer: outer, slots: map[string]int{}}
}

// local returns the slot of a variable of the function.
func (f *function) local(identifier string) int {
	slot, ok := f.slots[identifier]
	if !ok {
		slot = f.node.Slots
		f.slots[identifier] = slot
		f.node.Slots++
	}
	return slot
}

// find returns the place of a variable of the function or of those around it.
func (f *function) find(identifier string) Ref {
	hops := 0
	for at := f; at != nil; at = at.outer {
		if slot, ok := at.slots[identifier]; ok {
			return Ref{hops, slot}
		}
		hops++
	}
	return Ref{0, f.local(identifier)}
}

// frame is a scope while its statements are resolved.
type frame struct {
	symbols *symbols
	fn      *function
	// topLevel says that assignments are seen by blocks; inLoop and inBlock that they are not. In a soft frame, which
	// may not run, unknown filters and tests are no error yet.
	topLevel, inLoop, inBlock, soft bool
	inDefaults                      bool // of a macro, where not all of its arguments have values yet
}

// inner returns a scope within f, in the same function.
func (f *frame) inner() *frame { return &frame{symbols: newSymbols(f.symbols), fn: f.fn} }

// softly returns f as a frame that may not run.
func (f *frame) softly() *frame {
	c := *f
	c.symbols, c.soft = f.symbols.copy(), true
	return &c
}

// enter returns what happens when the scope is entered and left.
func (f *frame) scope(leave bool) (s Scope) {
	for _, identifier := range f.symbols.identifiers() {
		l := f.symbols.loads[identifier]
		var from *Ref
		if l.kind == loadAlias {
			ref := f.fn.find(l.from)
			from = &ref
		}
		slot := f.fn.local(identifier)
		if leave {
			s.Leave = append(s.Leave, slot)
		}
		switch l.kind {
		case loadNothing:
			s.Enter = append(s.Enter, Load{Slot: slot})
		case loadContext:
			s.Enter = append(s.Enter, Load{Slot: slot, Lookup: l.from})
		case loadAlias:
			s.Enter = append(s.Enter, Load{Slot: slot, From: from})
		}
	}
	return s
}

// ref returns the place of a name's variable.
func (f *frame) ref(name string, line int) Ref {
	identifier := f.symbols.find(name)
	if identifier == "" {
		fail(line, "the variable '%s' cannot be used here", name) // Jinja fails too
	}
	return f.fn.find(identifier)
}
